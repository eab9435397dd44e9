/** Small dealings with processes: start, find, end, all by pid. */
import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program to its end and gives its stdout. @throws with its stderr when it fails. */
export async function run(argv: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const [program = '', ...args] = argv;
  const { stdout } = await execute(program, args, { encoding: 'utf8', env: env ?? process.env });
  return stdout;
}

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Started {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<Ending>;
}

/** Started children that have not ended: an `exit` handler kills them, so that nothing outlives a test that fails half-way. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

/** A fault in what is tested must not reboot the machine that tests it: without CAP_SYS_BOOT reboot(2) fails. */
const leash = ['--bounding-set', '-sys_boot'];

/**
 * Starts a program that ends at the latest with us, also when we are killed (PR_SET_PDEATHSIG survives the exec).
 * @param isContainer It makes a PID namespace of its own, where reboot(2) is the end of that namespace alone (pid_namespaces(7)).
 */
export function start(
  argv: readonly string[],
  options: SpawnOptions = {},
  { isContainer = false } = {},
): Started {
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', ...(isContainer ? [] : leash), '--', ...argv],
    options,
  );
  const { pid } = child;
  const ended = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      alive.delete(child);
      resolve({ code, signal });
    });
  });
  if (pid === undefined) {
    // The reason comes by `error`; nobody has had the chance to wait for it yet.
    ended.catch(() => {});
    throw new Error('setpriv could not be started: is util-linux installed?');
  }
  alive.add(child);
  return { child, pid, ended };
}

/** comm, state and parent of a process (proc_pid_stat(5)), or null when it is gone. */
export function statOf(pid: number): { comm: string; state: string; ppid: number } | null {
  const stat = readProc(pid, 'stat');
  if (stat === null) return null;
  const close = stat.lastIndexOf(')');
  const [state = '', ppid = ''] = stat.slice(close + 2).split(' ');
  return { comm: stat.slice(stat.indexOf('(') + 1, close), state, ppid: Number(ppid) };
}

/** A zombie is dead, whatever `kill -0` says. */
export function isAlive(pid: number): boolean {
  const stat = statOf(pid);
  return stat !== null && stat.state !== 'Z' && stat.state !== 'X';
}

export function signalIfAlive(pid: number, signal: NodeJS.Signals | number): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    return false;
  }
}

/** Pids whose command line satisfies the condition. */
export function pidsWhere(matches: (argv: readonly string[]) => boolean): number[] {
  const pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  return pids.map(Number).filter(pid => {
    const line = readProc(pid, 'cmdline');
    return line !== null && matches(line.split('\0'));
  });
}

/** null: there is no such process any more. */
function readProc(pid: number, file: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // ESRCH: it has ended between open and read.
    if (!['ENOENT', 'ESRCH'].includes(code)) throw error;
    return null;
  }
}
