/** What the tests of the addon share: the addon itself, a record of its events, victims and scratch folders. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type * as Native from '../../native/index.js';

export type Addon = typeof Native;
export type Event = Native.NativeEvent;
export type Report = Native.SensorReport;
type Kind<T extends Event['type']> = Extract<Event, { type: T }>;

export const addonFile = fileURLToPath(new URL('../../../native/build/sockmon.node', import.meta.url));
export const addon = createRequire(import.meta.url)(addonFile) as Addon;

/** No condition takes that long; only a broken one. */
const patienceMs = 30_000;

export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `gave up waiting for ${what}`);
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

/** Events in the order of their arrival. */
export class Recorder {
  readonly events: Event[] = [];

  readonly add = (events: Event[]): void => {
    this.events.push(...events);
  };

  all<T extends Event['type']>(type: T): Kind<T>[] {
    return this.events.filter((event): event is Kind<T> => event.type === type);
  }

  /** The `count`-th event of the type for which the condition holds. */
  async next<T extends Event['type']>(
    type: T,
    matches: (event: Kind<T>) => boolean = () => true,
    count = 1,
  ): Promise<Kind<T>> {
    const found = (): Kind<T> | undefined => this.all(type).filter(matches)[count - 1];
    await until(() => found() !== undefined, `${type}; so far: ${JSON.stringify(this.events)}`);
    return found() as Kind<T>;
  }

  ended(id: string): Promise<Kind<'run_ended'>> {
    return this.next('run_ended', event => event.id === id);
  }
  state(state: Report['state'], count = 1): Promise<Report> {
    return this.next('sensor', event => event.state === state, count);
  }
}

const endings = new WeakMap<TestContext, (() => void)[]>();

/** Does it when the test ends, last come first served: `test.after` would remove a folder before what is still in it. */
export function atEnd(test: TestContext, action: () => void): void {
  const known = endings.get(test);
  if (known) {
    known.push(action);
    return;
  }
  const actions = [action];
  endings.set(test, actions);
  test.after(() => {
    for (const each of actions.reverse()) each();
  });
}

/** A monitor that is closed when the test ends. */
export function openMonitor(test: TestContext): { monitor: Native.Monitor; recorder: Recorder } {
  const recorder = new Recorder();
  const monitor = new addon.Monitor(recorder.add);
  atEnd(test, () => monitor.close());
  return { monitor, recorder };
}

/** A folder that is removed when the test ends. */
export function scratch(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-native-'));
  atEnd(test, () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A process that is killed when the test ends. */
export function start(test: TestContext, program: string, args: string[]): ChildProcess & { pid: number } {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  atEnd(test, () => {
    child.kill('SIGKILL');
    // A grandchild may hold the other end, and would keep this process alive.
    child.stdout.destroy();
  });
  assert.ok(child.pid !== undefined, `${program} did not start`);
  return child as ChildProcess & { pid: number };
}

/** Sleeps until it is killed, or until `end` lets it exit with a status. */
export function startVictim(test: TestContext, status = 0): ChildProcess & { pid: number; end: () => void } {
  const child = start(test, '/bin/sh', ['-c', `read line; exit ${status}`]);
  return Object.assign(child, { end: () => void child.stdin?.end('\n') });
}

/** A pidfile of its own for a process. */
export function pidfileOf(test: TestContext, pid: number): string {
  const file = join(scratch(test), 'victim.pid');
  writeFileSync(file, `${pid}\n`);
  return file;
}

/** A run of a shell script with sensible limits. */
export function shell(id: string, script: string, limits: Partial<Native.RunSpec> = {}): Native.RunSpec {
  return {
    id,
    argv: ['/bin/sh', '-c', script],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    timeoutMs: 20_000,
    graceMs: 200,
    ...limits,
  };
}

export async function exited(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** For what a test started: it may be gone already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Whether the pid is a process that runs (a zombie does not). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !/^State:\s+[ZX]/m.test(readProc(pid, 'status'));
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return 'State:\tX';
  }
}
