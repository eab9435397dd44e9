/** Network namespaces need root: a plain user becomes root of a user namespace of its own (user_namespaces(7)). */
import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const insideVariable = 'SOCKMON_TEST_USERNS';
const enter = ['--user', '--map-root-user', '--net', '--'];

/**
 * For root: nothing. For a plain user: runs this same program again as root of a new user and network namespace, whose loopback
 * is then the "outside" of the lab, and exits as that does. Returns, still as a plain user, where the system forbids it.
 */
export async function becomeRoot(): Promise<void> {
  if (process.getuid?.() === 0) {
    if (process.env[insideVariable]) spawnSync('ip', ['link', 'set', 'lo', 'up']);
    return;
  }
  if (spawnSync('unshare', [...enter, 'true']).status !== 0) return;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [insideVariable]: '1' };
  const child = spawn('unshare', [...enter, ...again], { stdio: 'inherit', env });
  // In a terminal the child has the same signal already; it cleans up and its end is ours.
  process.on('SIGINT', () => {
    if (!process.stdin.isTTY) child.kill('SIGINT');
  });
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const status = await new Promise<number>(resolve => {
    child.once('error', () => resolve(1));
    child.once('exit', code => resolve(code ?? 1));
  });
  process.exit(status);
}

function isInstalled(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some(folder => canAccess(join(folder, program), constants.X_OK));
}

function canAccess(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // Whatever the reason, it cannot be used.
    return false;
  }
}

const packages: Readonly<Record<string, string>> = {
  slirp4netns: 'slirp4netns',
  mosquitto: 'mosquitto',
  mosquitto_pub: 'mosquitto-clients',
  ip: 'iproute2',
  nsenter: 'util-linux',
  setpriv: 'util-linux',
  unshare: 'util-linux',
  cc: 'gcc',
};

/** What the lab itself is made of. */
export const labPrograms = ['slirp4netns', 'ip', 'nsenter', 'unshare', 'setpriv', 'cc'] as const;

/** Why the lab cannot be built here, with the remedy, or null. Call becomeRoot() first. */
export function labObstacle(programs: readonly string[]): string | null {
  const missing = programs.filter(program => !isInstalled(program));
  if (missing.length > 0) {
    const names = missing.map(program => packages[program] ?? program);
    return `${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not installed. On Debian: apt-get install ${[...new Set(names)].join(' ')}`;
  }
  if (process.getuid?.() !== 0) {
    return 'this user may not make a network namespace. Run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1).';
  }
  if (!canAccess('/dev/net/tun', constants.R_OK | constants.W_OK)) {
    return '/dev/net/tun cannot be opened by this user. Run it as root, or open the device as most distributions do: chmod 0666 /dev/net/tun';
  }
  return null;
}

/** For node:test's `skip`: false, or the reason. @throws where skipping is forbidden. */
export function skipWithoutLab(): string | false {
  const obstacle = labObstacle([...labPrograms, 'mosquitto', 'mosquitto_pub']);
  if (obstacle === null) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(`the lab cannot be built: ${obstacle}`);
  return `NOT RUN: ${obstacle}`;
}
