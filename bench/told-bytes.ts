/** One death among a thousand watched processes: what is sent to the broker for it, from the kill to the verified recovery, and the CPU of that. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { nodeOptions } from '../test/lab/daemon.js';
import { repository } from '../test/lab/paths.js';
import { type Started, start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { Listener } from '../test/mqtt/listener.js';
import { type Mosquitto, startMosquitto } from '../test/mqtt/mosquitto.js';
import { herdOf } from './absent.js';
import { difference, usageOf } from './idle.js';
import { type Row, row } from './stats.js';

const resources = 1000;
const settleMs = 2000;
/** Nothing is said for so long: all that belongs together has been told. */
const quietMs = 3000;

interface Sample {
  readonly kilobytes: number;
  readonly cpuMs: number;
}

/** @param rival The folder of a built clone of another commit; null = none. */
export async function toldBytesRows(rounds: number, rival: string | null): Promise<Row[]> {
  const own = await measure(repository, rounds);
  const other = rival === null ? null : { name: 'the rival clone', samples: await measure(rival, rounds) };
  const beside = (of: (sample: Sample) => number) =>
    other === null ? null : { name: other.name, samples: other.samples.map(of) };
  const kilobytes = ({ kilobytes }: Sample) => kilobytes;
  const cpuMs = ({ cpuMs }: Sample) => cpuMs;
  return [
    row(
      `to the broker for one death among ${resources} resources`,
      'KB',
      own.map(kilobytes),
      beside(kilobytes),
      { kind: 'value', atMost: 4 },
    ),
    row(`CPU of the daemon for it`, 'ms', own.map(cpuMs), beside(cpuMs), null),
  ];
}

async function measure(clone: string, rounds: number): Promise<Sample[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const closers: (() => unknown)[] = [
    () => endSuccessors(folder, rounds),
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  try {
    const herd = await herdOf(resources, [folder]);
    closers.unshift(() => herd.close());
    const broker = await startMosquitto();
    closers.unshift(() => broker.stop('SIGKILL'));
    const meter = await Meter.before(broker);
    closers.unshift(() => meter.close());
    const listener = await Listener.on(broker, {}, 'sockmon/bench/event');
    closers.unshift(() => listener.close());
    const daemon = startDaemon(clone, folder, meter.port);
    closers.unshift(async () => {
      daemon.child.kill('SIGTERM');
      await daemon.ended;
    });
    await meter.quiet();
    const samples: Sample[] = [];
    for (let round = 0; round < rounds; round++)
      samples.push(await oneDeath(round, { folder, meter, listener, pid: daemon.pid }));
    return samples;
  } finally {
    for (const close of closers) await close();
  }
}

interface Stand {
  readonly folder: string;
  readonly meter: Meter;
  readonly listener: Listener;
  readonly pid: number;
}

async function oneDeath(round: number, { folder, meter, listener, pid }: Stand): Promise<Sample> {
  listener.heard.length = 0;
  const beforeBytes = meter.bytes;
  const before = usageOf(pid);
  process.kill(Number(readFileSync(`${folder}/${round}.pid`, 'utf8')), 'SIGKILL');
  await until('the recovery to be told', () =>
    listener.heard.some(({ payload }) => payload.includes('"service_recovered"')),
  );
  // The measurement is of what is said afterwards as well.
  await pause(settleMs);
  await meter.quiet();
  const { cpuMs } = difference(usageOf(pid), before);
  return { kilobytes: (meter.bytes - beforeBytes) / 1024, cpuMs };
}

/** What the scripts have started does not end with the herd. */
function endSuccessors(folder: string, rounds: number): void {
  for (let round = 0; round < rounds; round++) {
    try {
      process.kill(Number(readFileSync(`${folder}/${round}.pid`, 'utf8')), 'SIGKILL');
    } catch {
      // It has not come that far, or it has ended.
    }
  }
}

function startDaemon(clone: string, folder: string, port: number): Started {
  const script = join(folder, 'restart');
  const lines = [
    '#!/bin/sh',
    'sleep 1000000 >/dev/null 2>&1 &',
    'echo $! >"$(dirname "$0")/$(expr "$SOCKMON_RESOURCE" : "r\\(.*\\)").pid"',
  ];
  writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 });
  const watched = Array.from({ length: resources }, (_, i) => {
    const pidfile = `${folder}/${i}.pid`;
    return `  r${i}: {watch: {process: {pidfile: ${pidfile}}}, restart: ${script}, settle: ${settleMs}ms}`;
  });
  const config = join(folder, 'sockmon.yaml');
  const settings = [
    'node: bench',
    `state_dir: ${folder}/state`,
    `mqtt: {url: "mqtt://127.0.0.1:${port}"}`,
    'log: {level: warn}',
    'resources:',
    ...watched,
  ];
  writeFileSync(config, `${settings.join('\n')}\n`);
  const program = [process.execPath, ...nodeOptions, join(clone, 'dist/src/arm.cjs')];
  return start([...program, 'run', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOCKMON_TEST_NO_REBOOT: '1' },
  });
}

/** Stands before the broker and counts what it is sent. */
class Meter {
  bytes = 0;
  #lastMs = performance.now();
  readonly #sockets = new Set<Socket>();

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async before({ host, port }: Mosquitto): Promise<Meter> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const meter = new Meter(address.port, server);
    server.on('connection', near => {
      const far = connect({ host, port });
      for (const socket of [near, far]) meter.#sockets.add(socket.on('error', () => {}));
      near.on('data', chunk => {
        meter.bytes += chunk.length;
        // A PINGREQ is no news.
        if (chunk.length > 2) meter.#lastMs = performance.now();
      });
      near.pipe(far);
      far.pipe(near);
    });
    return meter;
  }

  async quiet(): Promise<void> {
    const isQuiet = () => this.bytes > 0 && performance.now() > this.#lastMs + quietMs;
    await until('nothing more to be told', isQuiet, { deadlineMs: 120_000, pollMs: 50 });
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.server.close();
  }
}
