/** A reboot that does not come. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Lab } from './lab.js';

export interface RebootStub {
  readonly path: string;
  /** A word for each call: `recorded` when the journal file held the intent by then, else `unrecorded`. */
  calls(): string[];
}

/** Stands in for `systemctl reboot`. */
export function rebootStub(lab: Lab): RebootStub {
  const path = `${lab.directory}/reboot-stub`;
  const calls = `${path}.calls`;
  const intent = `grep -q '"type":"reboot_intent"' '${lab.stateDir}/journal'`;
  writeFileSync(
    path,
    `#!/bin/sh\nif ${intent}; then word=recorded; else word=unrecorded; fi\necho $word >>'${calls}'\n`,
    {
      mode: 0o755,
    },
  );
  // The shell makes the file before it has written into it: whole lines only.
  const words = () => (existsSync(calls) ? readFileSync(calls, 'utf8').split('\n').slice(0, -1) : []);
  return { path, calls: words };
}

/** The section of the configuration. */
export function rebootBy(stub: RebootStub): Record<string, unknown> {
  return { allowed: true, command: [stub.path], min_uptime: '0s' };
}
