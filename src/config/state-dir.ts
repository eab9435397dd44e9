import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Environment } from './layers.js';

/** Where the journal lives when nobody says so: systemd.exec(5) StateDirectory=, else the XDG base directory specification. */
export function defaultStateDir(environment: Environment, uid: number): string {
  const fromSystemd = environment.STATE_DIRECTORY?.split(':')[0];
  if (fromSystemd) return fromSystemd;
  if (uid === 0) return '/var/lib/sockmon';
  const xdg = environment.XDG_STATE_HOME;
  // The specification: a relative path is invalid and to be ignored.
  const base = xdg?.startsWith('/') ? xdg : join(environment.HOME || homedir(), '.local/state');
  return join(base, 'sockmon');
}
