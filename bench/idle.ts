/** A daemon that watches ten resources and has nothing to do: CPU, context switches, memory; without MQTT and with it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Daemon } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { cProgram, LineProgram } from './programs.js';
import { type Row, row } from './stats.js';

const idleMs = 30_000;
/** V8 collects garbage once some 20 s after the start: that is not idleness yet. */
export const leastAgeMs = 25_000;
const resources = 10;

export interface Usage {
  readonly cpuMs: number;
  readonly switches: number;
}

interface Stand {
  readonly lab: Lab;
  readonly daemon: Daemon;
}

export async function idleRows(which: { idle: boolean; memory: boolean }): Promise<Row[]> {
  const stands: Stand[] = [];
  const bare = start([process.execPath, '--max-semi-space-size=1', '-e', 'setInterval(() => {}, 1e9)'], {
    stdio: 'ignore',
  });
  try {
    for (const withMqtt of [false, true]) stands.push(await open(withMqtt));
    const openedAt = performance.now();
    await until('the daemons to have settled', () => performance.now() > openedAt + leastAgeMs, {
      deadlineMs: 60_000,
    });
    const before = stands.map(({ daemon }) => usageOf(daemon.pid));
    // The measurement is the time itself: nothing to wait for.
    await pause(which.idle ? idleMs : 0);
    const used = stands.map(({ daemon }, i) => difference(usageOf(daemon.pid), before[i]));
    const memory = stands.map(({ daemon }) => residentMb(daemon.pid));
    return rowsOf(used, memory, residentMb(bare.pid), which);
  } finally {
    bare.child.kill('SIGKILL');
    await bare.ended;
    for (const { lab } of stands) await lab.close();
  }
}

/** What a process that holds thousands does with nothing to do: V8 collects their garbage up to 15 s after the last one. */
export async function stillRows(pid: number): Promise<Row[]> {
  const beganMs = performance.now();
  await until('the host to have settled', () => performance.now() > beganMs + leastAgeMs, {
    deadlineMs: leastAgeMs * 2,
  });
  const before = usageOf(pid);
  // The measurement is the time itself: nothing to wait for.
  await pause(idleMs);
  const used = difference(usageOf(pid), before);
  const seconds = idleMs / 1000;
  return [
    row(`context switches in ${seconds} idle s of them`, 'count', [used.switches], null, {
      kind: 'value',
      atMost: 0,
    }),
    row(`CPU in ${seconds} idle s of them`, 'ms', [used.cpuMs], null, null),
  ];
}

function rowsOf(
  used: readonly Usage[],
  memory: readonly number[],
  bareMb: number,
  which: { idle: boolean; memory: boolean },
): Row[] {
  const [alone, connected] = used;
  const [aloneMb = 0, connectedMb = 0] = memory;
  const rows: Row[] = [];
  if (which.idle && alone !== undefined && connected !== undefined) {
    const seconds = idleMs / 1000;
    // MQTT's own part: a PINGREQ and its answer per 15 s, each of which wakes a thread or two.
    rows.push(
      row(`CPU in ${seconds} idle s, ${resources} resources`, 'ms', [alone.cpuMs], null, {
        kind: 'value',
        atMost: 0,
      }),
      row(`context switches in ${seconds} idle s`, 'count', [alone.switches], null, {
        kind: 'value',
        atMost: 0,
      }),
      row(`CPU in ${seconds} idle s, connected to a broker`, 'ms', [connected.cpuMs], null, null),
      row(`context switches in ${seconds} idle s, connected`, 'count', [connected.switches], null, null),
    );
  }
  if (which.memory) {
    const rival = { name: 'node that does nothing', samples: [bareMb] };
    rows.push(
      row('resident memory without MQTT', 'MB', [aloneMb], rival, null),
      row('resident memory, connected', 'MB', [connectedMb], rival, { kind: 'value', atMost: 62 }),
    );
  }
  return rows;
}

async function open(withMqtt: boolean): Promise<Stand> {
  const lab = await Lab.open();
  const broker = await lab.startBroker();
  const daemon = lab.run({
    log: { level: 'info' },
    resources: { ...(await victims(lab)), link: { watch: [{ link: { interface: 'tap0' } }] } },
    ...(withMqtt ? { mqtt: { url: lab.brokerUrl(broker), keepalive: '15s' } } : {}),
  });
  await daemon.watching('link');
  if (withMqtt) {
    const recorder = await lab.record(broker.port);
    await recorder.until('online', ({ payload }) => payload === 'online');
    await recorder.close();
  }
  return { lab, daemon };
}

async function victims(lab: Lab): Promise<Record<string, unknown>> {
  const specs: Record<string, unknown> = {};
  for (let i = 1; i < resources; i++) {
    const victim = new LineProgram([cProgram('victim')]);
    lab.onClose(() => victim.close());
    await victim.next('alive');
    const pidfile = `${lab.directory}/victim-${i}.pid`;
    writeFileSync(pidfile, `${victim.pid}\n`);
    specs[`victim-${i}`] = { watch: [{ process: { pidfile } }] };
  }
  return specs;
}

/** All threads of a process: time on a CPU (schedstat) and context switches (proc_pid_status(5)). */
export function usageOf(pid: number): Usage {
  let cpuMs = 0;
  let switches = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const folder = `/proc/${pid}/task/${thread}`;
    cpuMs += Number(readFileSync(`${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
    const status = readFileSync(`${folder}/status`, 'utf8');
    for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) switches += Number(count);
  }
  return { cpuMs, switches };
}

export function difference(after: Usage, before: Usage | undefined): Usage {
  if (before === undefined) throw new Error('not measured before');
  return { cpuMs: after.cpuMs - before.cpuMs, switches: after.switches - before.switches };
}

export function residentMb(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
