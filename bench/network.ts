/**
 * What it costs to hear of a network that changes: CPU of the whole process, beside `ip monitor` and keepalived, all of them in one network
 * namespace. What nobody waits for is measured a second and a half after the last change.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Daemon } from '../test/lab/daemon.js';
import { Namespace } from '../test/lab/namespace.js';
import { type Started, start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { floodRows } from './death.js';
import { leastAgeMs } from './idle.js';
import { type Row, row } from './stats.js';

const many = 200_000;
/** Of them at once, so that the flood soon ends when it is to. */
const part = 20_000;
const links = 1000;
const pairs = 10;
const settleMs = 1500;
const batchMs = 600_000;

const keepalivedConfig = `vrrp_instance bench {
  interface wan0
  virtual_router_id 7
  priority 100
  virtual_ipaddress { 192.0.2.77 }
}
`;

type Name = 'sockmon' | 'ip monitor' | 'keepalived';

/** Who listens in one network namespace, and how much processor each has taken. */
class Listeners {
  private readonly programs = new Map<Name, { pid: number; close: () => Promise<void> }>();
  private readonly directory = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));

  private constructor(readonly namespace: Namespace) {}

  static async open(routes: number): Promise<Listeners> {
    const listeners = new Listeners(await Namespace.open());
    await listeners.batch([
      'link set lo up',
      'link add wan0 type veth peer name far0',
      'link set far0 up',
      'link set wan0 up',
      'addr add 192.0.2.2/24 dev wan0',
      'route add default via 192.0.2.1',
    ]);
    await listeners.batch(routesOf(routes - 1, 'add'));
    await listeners.start();
    return listeners;
  }

  /** Does all of it by one ip(8). */
  async batch(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const file = join(this.directory, 'batch');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const [command = '', ...args] = this.namespace.enter(['ip', '-batch', file]);
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], timeout: batchMs });
    const status = await new Promise(resolve => child.on('exit', resolve));
    if (status !== 0) throw new Error(`ip -batch has ended with ${status}`);
  }

  /** What each takes of the processor meanwhile, in ms. */
  async during(action: () => Promise<void>): Promise<ReadonlyMap<Name, number>> {
    const cpu = () => new Map([...this.programs].map(([name, { pid }]) => [name, cpuMs(pid)] as const));
    const before = cpu();
    await action();
    // The measurement is the time itself: nothing tells that a listener has nothing more to do.
    await pause(settleMs);
    return new Map([...cpu()].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)]));
  }

  async close(): Promise<void> {
    for (const { close } of this.programs.values()) await close();
    await this.namespace.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async start(): Promise<void> {
    const { namespace, directory } = this;
    const config = join(directory, 'sockmon.yaml');
    writeFileSync(config, 'resources: {tcpip: {watch: tcpip}}\n');
    const stateDir = join(directory, 'state');
    const daemon = new Daemon({
      enter: argv => namespace.enter(argv),
      directory,
      stateDir,
      arguments: ['run', '--config', config, '--state-dir', stateDir],
    });
    this.programs.set('sockmon', { pid: daemon.pid, close: async () => void (await daemon.stop()) });
    this.add('ip monitor', ['ip', 'monitor', 'link', 'address']);
    if (hasKeepalived()) {
      const file = join(directory, 'keepalived.conf');
      writeFileSync(file, keepalivedConfig);
      const pidfiles = ['-p', join(directory, 'k.pid'), '-r', join(directory, 'vrrp.pid')];
      this.add('keepalived', ['keepalived', '-n', '-l', '-P', '-f', file, ...pidfiles]);
    }
    await daemon.watching();
    // V8 collects garbage once, some 20 s after the start, and keepalived becomes master.
    const openedMs = performance.now();
    await until('the listeners to have settled', () => performance.now() > openedMs + leastAgeMs, {
      deadlineMs: leastAgeMs * 2,
    });
  }

  private add(name: Name, argv: readonly string[]): void {
    const program: Started = start(this.namespace.enter(argv), { stdio: 'ignore' });
    const close = async () => {
      program.child.kill('SIGTERM');
      await program.ended;
    };
    this.programs.set(name, { pid: program.pid, close });
  }
}

function hasKeepalived(): boolean {
  return (process.env.PATH ?? '').split(':').some(folder => {
    try {
      return readdirSync(folder).includes('keepalived');
    } catch {
      // A folder of PATH that does not exist.
      return false;
    }
  });
}

/** Of all threads of a process and of its children: keepalived's work is done by one. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const own = threads.reduce((sum, thread) => {
    try {
      return sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
    } catch {
      // It has just ended.
      return sum;
    }
  }, 0);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children.split(' ').reduce((sum, child) => sum + (child === '' ? 0 : cpuMs(Number(child))), own);
}

function routesOf(count: number, verb: 'add' | 'del'): string[] {
  return Array.from(
    { length: Math.max(0, count) },
    (_, n) => `route ${verb} 10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}/32 via 192.0.2.1`,
  );
}

/** One row beside each rival that is there. */
function rowsOf(name: string, took: ReadonlyMap<Name, number>, count: number, atMost: number): Row[] {
  const each = (who: Name) => [(took.get(who) ?? Number.NaN) / count];
  const rivals = (['ip monitor', 'keepalived'] as const).filter(who => took.has(who));
  return rivals.map((who, i) =>
    row(
      i === 0 ? name : '  the same',
      'ms',
      each('sockmon'),
      { name: who, samples: each(who) },
      i === 0 ? { kind: 'value', atMost } : null,
    ),
  );
}

async function pairRows(listeners: Listeners, routes: number, atMost: number): Promise<Row[]> {
  const took = await listeners.during(async () => {
    for (let i = 0; i < pairs; i++) await listeners.batch([`link add x${i} type veth peer name y${i}`]);
  });
  return rowsOf(`CPU per pair of links made, ${routes} routes`, took, pairs, atMost);
}

/** `rounds`: of deaths in quiet, and of deaths meanwhile. */
export async function networkRows(rounds: number): Promise<Row[]> {
  if (!hasKeepalived()) process.stderr.write('bench: keepalived is not installed, so it is not measured\n');
  const rows: Row[] = [];
  const few = await Listeners.open(1);
  try {
    rows.push(...(await pairRows(few, 1, 0.2)));
    const made = await few.during(() =>
      few.batch(Array.from({ length: links / 2 }, (_, i) => `link add vx${i} type veth peer name vy${i}`)),
    );
    rows.push(...rowsOf(`CPU of ${links} links made in one batch`, made, 1, 45));
    const containers = await few.during(async () => {
      for (let i = 0; i < pairs; i++)
        await few.batch([`link add c${i} type veth peer name d${i}`, `link del c${i}`]);
    });
    rows.push(...rowsOf(`CPU per container started and stopped at ${links} links`, containers, pairs, 0.4));
    const flood = await few.during(async () => {
      await few.batch(routesOf(many, 'add'));
      await few.batch(routesOf(many, 'del'));
    });
    rows.push(
      ...rowsOf(`CPU per 1000 changes of ${many} routes, added and removed`, flood, (2 * many) / 1000, 3),
    );
    const comeAndGo = async (isOver: () => boolean) => {
      while (!isOver()) {
        await few.batch(routesOf(part, 'add'));
        await few.batch(routesOf(part, 'del'));
      }
    };
    rows.push(...(await floodRows(rounds, few.namespace, comeAndGo)));
  } finally {
    await few.close();
  }
  const full = await Listeners.open(many);
  try {
    rows.push(...(await pairRows(full, many, 0.3)));
  } finally {
    await full.close();
  }
  return rows;
}
