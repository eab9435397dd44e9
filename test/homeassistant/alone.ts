/** Away from every network: what a browser or Home Assistant would like to fetch from outside cannot be reached. */
import { spawn, spawnSync } from 'node:child_process';
import { becomeRoot } from '../lab/root.js';

const insideVariable = 'SOCKMON_TEST_ALONE';

/**
 * Runs this same program again in a network namespace of its own, with nothing but a loopback, and exits as that does. Returns where the
 * system forbids it, still among the others: see `skipWithout`.
 */
export async function becomeAlone(): Promise<void> {
  // That of a plain user's namespace is as lonely.
  await becomeRoot();
  if (process.env[insideVariable]) {
    const { status } = spawnSync('ip', ['link', 'set', 'lo', 'up']);
    if (status !== 0) throw new Error('the loopback of the namespace cannot be brought up');
    return;
  }
  if (process.getuid?.() !== 0) return;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const env = { ...process.env, [insideVariable]: '1' };
  const child = spawn('unshare', ['--net', '--', ...again], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const status = await new Promise<number>(resolve => {
    child.once('error', () => resolve(1));
    child.once('exit', code => resolve(code ?? 1));
  });
  process.exit(status);
}

/** For node:test's `skip`: false, or the reason. @throws where skipping is forbidden. */
export function skipWithout(program: string): string | false {
  const isMissing = spawnSync(program, ['--version'], { stdio: 'ignore' }).status !== 0;
  const obstacle = isMissing
    ? `${program} is not installed (apt-get install ${program})`
    : process.getuid?.() !== 0
      ? 'this user may not make a network namespace'
      : null;
  if (obstacle === null) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(obstacle);
  return `SKIPPED: ${obstacle}`;
}
