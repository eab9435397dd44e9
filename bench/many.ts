/** Very many resources: how long until all are watched, until the last of as many deaths is on the disk, and what they weigh. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../test/lab/paths.js';
import { type Started, start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { startMosquitto } from '../test/mqtt/mosquitto.js';
import { herdOf } from './absent.js';
import { leastAgeMs, residentMb, usageOf } from './idle.js';
import { interleave, type Row, row } from './stats.js';

interface Burst {
  readonly startMs: number;
  readonly deathsMs: number;
  readonly cpuMs: number;
}

/** Counts with their goals; a rival of before the resources were one table takes minutes for the last. */
const bursts = [
  { count: 300, goalMs: null, rivals: true },
  { count: 1000, goalMs: null, rivals: true },
  { count: 3000, goalMs: 500, rivals: true },
  { count: 10_000, goalMs: 1500, rivals: false },
] as const;
const startGoalMs = 1000;
const weights = [
  { count: 1, goalMb: 54 },
  { count: 3000, goalMb: 64 },
] as const;
/** A rival may take half a minute for each. */
const longestMs = 180_000;
/** What is found out about the deaths, and the log, come behind the records. */
const afterMs = 1000;

/** @param rival The folder of a built clone of another commit; null = none. */
export async function manyRows(rounds: number, rival: string | null): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { count, goalMs, rivals } of bursts)
    rows.push(...(await burstRows(count, goalMs, rounds, rivals ? rival : null)));
  for (const { count, goalMb } of weights) rows.push(await weightRow(count, goalMb, rival));
  return rows;
}

async function burstRows(
  count: number,
  goalMs: number | null,
  rounds: number,
  rival: string | null,
): Promise<Row[]> {
  const own: Burst[] = [];
  const others: Burst[] = [];
  const variants = rival === null ? (['own'] as const) : (['own', 'other'] as const);
  await interleave(variants, rounds, async variant => {
    // Each of the rival's takes half a minute.
    if (variant === 'other' && others.length > 0 && count > 1000) return;
    const samples = variant === 'own' ? own : others;
    samples.push(await burst(variant === 'own' ? repository : (rival ?? ''), count));
  });
  const beside = (of: (one: Burst) => number) =>
    others.length === 0 ? null : { name: 'the rival clone', samples: others.map(of) };
  const line = (name: string, of: (one: Burst) => number, atMost: number | null) =>
    row(name, 'ms', own.map(of), beside(of), atMost === null ? null : { kind: 'value', atMost });
  return [
    line(
      `${count} resources: exec -> all seen alive`,
      ({ startMs }) => startMs,
      count === 3000 ? startGoalMs : null,
    ),
    line(`${count} killed at once: the first kill -> the last record`, ({ deathsMs }) => deathsMs, goalMs),
    line(`CPU of the daemon for them`, ({ cpuMs }) => cpuMs, null),
  ];
}

async function burst(clone: string, count: number): Promise<Burst> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  mkdirSync(`${folder}/pids`);
  const herd = await herdOf(count, [`${folder}/pids`]);
  const beganAt = performance.now();
  const daemon = startDaemon(clone, folder, count, null);
  try {
    await recorded(folder, 'seen', count);
    const startMs = performance.now() - beganAt;
    // The start is over with the CPU at rest.
    await untilIdle(daemon.pid);
    const before = usageOf(daemon.pid);
    const pids = Array.from({ length: count }, (_, i) =>
      Number(readFileSync(`${folder}/pids/${i}.pid`, 'utf8')),
    );
    const killedAt = performance.now();
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    await recorded(folder, 'outage_begin', count);
    const deathsMs = performance.now() - killedAt;
    const told = performance.now() + afterMs;
    await until('the rest to be told', () => performance.now() > told);
    return { startMs, deathsMs, cpuMs: usageOf(daemon.pid).cpuMs - before.cpuMs };
  } finally {
    daemon.child.kill('SIGKILL');
    await daemon.ended;
    await herd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function weightRow(count: number, atMost: number, rival: string | null): Promise<Row> {
  const own = await weight(repository, count);
  const beside = rival === null ? null : { name: 'the rival clone', samples: [await weight(rival, count)] };
  const name = `resident, connected, ${count} ${count === 1 ? 'resource' : 'resources'}`;
  return row(name, 'MB', [own], beside, { kind: 'value', atMost });
}

async function weight(clone: string, count: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  mkdirSync(`${folder}/pids`);
  const herd = await herdOf(count, [`${folder}/pids`]);
  const broker = await startMosquitto();
  const daemon = startDaemon(clone, folder, count, broker.port);
  try {
    await recorded(folder, 'seen', count);
    const beganMs = performance.now();
    await until('the daemon to have settled', () => performance.now() > beganMs + leastAgeMs + 10_000, {
      deadlineMs: 60_000,
    });
    return residentMb(daemon.pid);
  } finally {
    daemon.child.kill('SIGKILL');
    await daemon.ended;
    await broker.stop('SIGKILL');
    await herd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** So many entries of a type are on the disk. */
async function recorded(folder: string, type: string, count: number): Promise<void> {
  const wanted = Buffer.from(`"type":"${type}"`);
  let [found, read] = [0, 0];
  const all = () => {
    let bytes: Buffer;
    try {
      bytes = readFileSync(`${folder}/state/journal`);
    } catch {
      return false;
    }
    // What is compacted is another file, and shorter.
    if (bytes.length < read) [found, read] = [0, 0];
    for (let at = bytes.indexOf(wanted, read); at !== -1; at = bytes.indexOf(wanted, read)) {
      found++;
      read = at + wanted.length;
    }
    return found >= count;
  };
  await until(`${count} entries of type ${type}`, all, { deadlineMs: longestMs, pollMs: 20 });
}

async function untilIdle(pid: number): Promise<void> {
  let [last, since] = [-1, performance.now()];
  const isIdle = () => {
    const { cpuMs } = usageOf(pid);
    if (cpuMs - last > 1) [last, since] = [cpuMs, performance.now()];
    return performance.now() > since + afterMs;
  };
  await until('the daemon to be idle', isIdle, { deadlineMs: longestMs, pollMs: 200 });
}

/** With its own options of Node, whatever they were at that commit. */
function startDaemon(clone: string, folder: string, count: number, port: number | null): Started {
  const program = join(clone, 'dist/src/arm.cjs');
  const [firstLine = ''] = readFileSync(program, 'utf8').split('\n', 1);
  const options = firstLine.split(' ').filter(word => word.startsWith('--'));
  const config = join(folder, 'sockmon.yaml');
  const watched = Array.from(
    { length: count },
    (_, i) => `  r${i}: {watch: {process: {pidfile: ${folder}/pids/${i}.pid}}}`,
  );
  const settings = [
    'node: bench',
    `state_dir: ${folder}/state`,
    ...(port === null ? [] : [`mqtt: {url: "mqtt://127.0.0.1:${port}"}`]),
    'log: {level: warn}',
    'resources:',
    ...watched,
  ];
  writeFileSync(config, `${settings.join('\n')}\n`);
  // Each takes a descriptor.
  const limit = ['prlimit', `--nofile=${count + 1000}`];
  return start([...limit, process.execPath, ...options, program, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOCKMON_TEST_NO_REBOOT: '1' },
  });
}
