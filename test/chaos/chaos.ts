/** What the stories of this folder share. */
import { dirname } from 'node:path';
import { SockmonError } from '../../src/base/errors.js';
import { ask } from '../../src/control/client.js';
import type { JournalEntry } from '../../src/core/records.js';
import type { ResourceView, Snapshot } from '../../src/report/views.js';
import type { Daemon } from '../lab/daemon.js';

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
export async function noSoonDeaths(daemon: Daemon): Promise<void> {
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
