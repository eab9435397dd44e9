/** What it costs to seek what is absent, beside 400 processes that are something else. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { bootTimeMs } from '../test/lab/paths.js';
import { until } from '../test/lab/wait.js';
import { difference, leastAgeMs, usageOf } from './idle.js';
import { cProgram, LineProgram, watchHost } from './programs.js';
import { type Row, row } from './stats.js';

const others = 400;
const absent = 20;
const atStart = 1000;
const names = 'nobody-';
/** Within the first minute, when it looks every 0.9 s. */
const firstMs = 30_000;
const minuteMs = 60_000;
/** Two looks at least. */
const laterMs = 60_000;

/** In another network namespace, as of a container, the kernel does not tell of every execve(2). */
export const variants = {
  'proc connector': [],
  'no proc connector': ['unshare', '--net'],
} as const;

export async function herdOf(count: number, folder: readonly string[] = []): Promise<LineProgram> {
  const herd = new LineProgram([cProgram('herd'), String(count), ...folder]);
  await herd.next('alive');
  return herd;
}

export async function namesRows(): Promise<Row[]> {
  const herd = await herdOf(others);
  const samples: number[] = [];
  try {
    for (let round = 0; round < 5; round++) {
      const host = watchHost();
      host.send(`absent ${names} ${atStart}`);
      samples.push(await host.next('watched'));
      await host.close();
    }
    return [
      row(`watch() of ${atStart} absent names beside ${others} processes`, 'ms', samples, null, {
        kind: 'value',
        atMost: 300,
      }),
    ];
  } finally {
    await herd.close();
  }
}

export async function absentRows(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const herd = await herdOf(others);
  const hosts = Object.entries(variants).map(([variant, by]) => ({ variant, host: watchHost(by) }));
  const bare = watchHost();
  const all = [...hosts.map(({ host }) => host), bare];
  const come: LineProgram[] = [];
  try {
    await settled(all);
    for (const { host } of hosts) {
      host.send(`absent ${names} ${absent}`);
      await host.next('watched');
    }
    const sinceMs = performance.now();
    const first = await perSecond(all, firstMs);
    await until('the first minute to be over', () => performance.now() > sinceMs + minuteMs + 2000, {
      deadlineMs: minuteMs * 2,
    });
    const later = await perSecond(all, laterMs);
    const late = await comeLate(hosts, folder, come);
    return hosts.flatMap(({ variant }, i) => [
      row(
        `CPU a second of ${absent} absent names, ${variant}`,
        'ms',
        [later[i] ?? Number.NaN],
        bareBeside(later),
        {
          kind: 'value',
          atMost: 0.5,
        },
      ),
      row('the same in the first minute', 'ms', [first[i] ?? Number.NaN], bareBeside(first), null),
      row(
        'after the first minute: comes -> seen, the slowest of 20',
        'ms',
        [Math.max(...(late[i] ?? []))],
        null,
        {
          kind: 'value',
          atMost: variant === 'proc connector' ? 100 : 30_000,
        },
      ),
    ]);
  } finally {
    for (const program of [...all, ...come, herd]) await program.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** V8's own work at the start is over. */
async function settled(hosts: readonly LineProgram[]): Promise<void> {
  const openedMs = performance.now();
  for (const host of hosts) {
    host.send('settle');
    await host.next('settled');
  }
  await until('the hosts to have settled', () => performance.now() > openedMs + leastAgeMs, {
    deadlineMs: leastAgeMs * 2,
  });
}

async function perSecond(hosts: readonly LineProgram[], durationMs: number): Promise<number[]> {
  const before = hosts.map(host => usageOf(host.pid));
  // The measurement is the time itself: nothing to wait for.
  await pause(durationMs);
  return hosts.map((host, i) => (difference(usageOf(host.pid), before[i]).cpuMs / durationMs) * 1000);
}

/** What a process with the monitor takes that seeks nothing. */
function bareBeside(cpu: readonly number[]): { name: string; samples: number[] } {
  return { name: 'with nothing watched', samples: [cpu.at(-1) ?? Number.NaN] };
}

/** All of them come, one after the other within half a minute; for each host how long each took to be seen. */
async function comeLate(
  hosts: readonly { host: LineProgram }[],
  folder: string,
  come: LineProgram[],
): Promise<number[][]> {
  const beganMs: number[] = [];
  for (let i = 0; i < absent; i++) {
    const name = `${names}${i}`;
    copyFileSync(cProgram('victim'), join(folder, name));
    beganMs.push(bootTimeMs());
    come.push(new LineProgram([join(folder, name)]));
    await pause(28_000 / absent);
  }
  const tookMs: number[][] = hosts.map(() => []);
  for (const [h, { host }] of hosts.entries()) {
    for (let i = 0; i < absent; i++) {
      const seenMs = await host.next(`come-${names}${i} `);
      tookMs[h]?.push(seenMs - (beganMs[i] ?? Number.NaN));
    }
  }
  return tookMs;
}
