/** The state folder, and where a running sockmon keeps what need not outlive the machine: a tmpfs, which takes writes when the disk does not. */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** systemd.exec(5) RuntimeDirectory=, else hier(7) for root, else the XDG base directory specification; null where there is none. */
function runtimeDir(environment: NodeJS.ProcessEnv, uid: number): string | null {
  const fromSystemd = environment.RUNTIME_DIRECTORY?.split(':')[0];
  if (fromSystemd) return fromSystemd;
  if (uid === 0) return '/run/sockmon';
  const xdg = environment.XDG_RUNTIME_DIR;
  return xdg?.startsWith('/') ? join(xdg, 'sockmon') : null;
}

/** Several sockmons may share the folder: the name tells whose state folder a file stands in for. */
export function runtimeFile(stateDir: string, ending: 'journal' | 'sock' | 'runs'): string | null {
  const folder = runtimeDir(process.env, process.getuid?.() ?? -1);
  const name = createHash('sha256').update(resolve(stateDir)).digest('hex').slice(0, 12);
  return folder === null ? null : join(folder, `${name}.${ending}`);
}

/** The disk is full or broken; nothing that its owner could have configured otherwise. */
export function isDiskFault(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'EROFS' || code === 'ENOSPC' || code === 'EDQUOT' || code === 'EIO';
}

/** Where the journal lives when nobody says so: systemd.exec(5) StateDirectory=, else the XDG base directory specification. */
export function defaultStateDir(environment: NodeJS.ProcessEnv, uid: number): string {
  const fromSystemd = environment.STATE_DIRECTORY?.split(':')[0];
  if (fromSystemd) return fromSystemd;
  if (uid === 0) return '/var/lib/sockmon';
  const xdg = environment.XDG_STATE_HOME;
  // The specification: a relative path is invalid and to be ignored.
  const base = xdg?.startsWith('/') ? xdg : join(environment.HOME || homedir(), '.local/state');
  return join(base, 'sockmon');
}
