/** What the stories of this folder share. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { ask } from '../../src/control/client.js';
import { SockmonError } from '../../src/core/errors.js';
import type { JournalEntry } from '../../src/core/model.js';
import type { ResourceView, Snapshot } from '../../src/core/snapshot-model.js';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';

/** Stands in for `systemctl reboot`. */
export function rebootStub(lab: Lab): { readonly path: string; readonly calls: () => number } {
  const path = `${lab.directory}/reboot-stub`;
  const calls = `${path}.calls`;
  writeFileSync(path, `#!/bin/sh\necho called >>'${calls}'\n`, { mode: 0o755 });
  return { path, calls: () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').length - 1 : 0) };
}

/** Nothing of the machine's own is ever named as the way to reboot. */
export function rebootBy(stub: { readonly path: string }): Record<string, unknown> {
  return { allowed: true, command: [stub.path], min_uptime: '0s' };
}

/** Every number once and none missing. */
export function areConsecutive(entries: readonly JournalEntry[]): boolean {
  return entries.every(({ seq }, index) => index === 0 || seq === (entries[index - 1]?.seq ?? 0) + 1);
}

/** Counted in the log, which needs no disk that the test has filled. */
export function timesInLog(daemon: Daemon, sentence: RegExp): number {
  return daemon.log.split('\n').filter(line => sentence.test(line)).length;
}

/**
 * Deaths in a row, each within the first step's `every` (1 s in the lab) after the last recovery, are a flapping resource: it is restarted
 * later and told once. Where that is not the story, the next death waits for this.
 */
export async function noRelapse(daemon: Daemon): Promise<void> {
  await daemon.until('a second without a death', async () => {
    const resources = Object.values((await snapshotOf(daemon))?.resources ?? {});
    const steady = ({ state, since }: ResourceView) =>
      state === 'up' && Date.now() > Date.parse(since) + 1100;
    return resources.length > 0 && resources.every(steady);
  });
}

/** null: it does not listen yet. */
async function snapshotOf(daemon: Daemon): Promise<Snapshot | null> {
  try {
    return (await ask(dirname(daemon.journalFile), { request: 'status', v: 1 }, 10_000)).snapshot;
  } catch (error) {
    if (error instanceof SockmonError && error.code === 'NOT_RUNNING') return null;
    throw error;
  }
}
