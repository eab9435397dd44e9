/**
 * A process with nothing but the native monitor in it, for the benchmark: as pidfd_watch.c, but ours.
 * Lines in: `watch PIDFILE [SCRIPT]`, `hold ADDRESS [SCRIPT]`, `crowd ADDRESS N`, `pidfiles FOLDER N`, `absent PREFIX N`, `forget NAME`,
 * `network`, `settle`, `busy`, `idle`.
 * Lines out: `armed 0`, `seen MS`, `watched MS`, `forgotten 0`, `come-NAME MS`, `settled 0`.
 */
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Monitor, NativeEvent, SensorSpec } from '../native/index.js';
import { repository } from '../test/lab/paths.js';

const addon: { Monitor: typeof Monitor; bootTimeMs: () => number } = createRequire(import.meta.url)(
  `${repository}native/build/sockmon.node`,
);
const resource = 'victim';

const monitor = new addon.Monitor((events: NativeEvent[]) => {
  for (const event of events) {
    if (event.type === 'sensor' && event.state === 'up')
      process.stdout.write(`come-${event.resource} ${event.atMs}\n`);
    if (event.type !== 'sensor' || event.state !== 'down' || event.resource !== resource) continue;
    process.stdout.write(`seen ${event.atMs}\n`);
    monitor.unwatch(resource);
  }
});

let round = 0;
function watch(sensor: SensorSpec, script: string | undefined): void {
  const [report] = monitor.watch(resource, [sensor]);
  if (report?.state !== 'up') throw new Error(`the victim is not there: ${report?.detail}`);
  if (script !== undefined) {
    const env = { PATH: process.env.PATH ?? '' };
    monitor.armReflex(resource, { id: `round-${round++}`, argv: [script], env, timeoutMs: 0, graceMs: 0 });
    // armReflex returns before the thread has taken the order; a snapshot is answered after it.
    monitor.snapshot(resource);
  }
  process.stdout.write('armed 0\n');
}

let held = 0;
/** Tells how long it took. */
function hold(to: string, count: number): void {
  const beganMs = addon.bootTimeMs();
  for (let i = 0; i < count; i++) monitor.watch(`held-${held++}`, [{ kind: 'connection', to }]);
  process.stdout.write(`watched ${addon.bootTimeMs() - beganMs}\n`);
}

/** The same for processes by the pidfiles 0.pid, 1.pid, …, and for names that nobody bears: PREFIX0, PREFIX1, …. */
function watchMany(count: number, nameOf: (i: number) => string, specOf: (name: string) => SensorSpec): void {
  const beganMs = addon.bootTimeMs();
  for (let i = 0; i < count; i++) monitor.watch(nameOf(i), [specOf(nameOf(i))]);
  process.stdout.write(`watched ${addon.bootTimeMs() - beganMs}\n`);
}

const periodMs = 40;
const blockedMs = 20;
let timer: NodeJS.Timeout | undefined;

/** Blocks JavaScript for 20 of every 40 ms, as a slow handler or a garbage collection would. */
function block(): void {
  const endAt = performance.now() + blockedMs;
  while (performance.now() < endAt);
}

createInterface({ input: process.stdin }).on('line', line => {
  const [word, value = '', script] = line.split(' ');
  if (word === 'watch') watch({ kind: 'process', pidfile: value }, script);
  if (word === 'hold') watch({ kind: 'connection', to: value }, script);
  if (word === 'network') {
    monitor.watch('network', [{ kind: 'uplink' }, { kind: 'stack' }]);
    process.stdout.write('watched 0\n');
  }
  if (word === 'crowd') hold(value, Number(script));
  if (word === 'pidfiles')
    watchMany(
      Number(script),
      i => `${value}/${i}.pid`,
      pidfile => ({ kind: 'process', pidfile }),
    );
  if (word === 'absent')
    watchMany(
      Number(script),
      i => `${value}${i}`,
      name => ({ kind: 'process', name, namespace: 'any' }),
    );
  if (word === 'forget') {
    monitor.unwatch(value);
    process.stdout.write('forgotten 0\n');
  }
  if (word === 'settle') {
    globalThis.gc?.();
    process.stdout.write('settled 0\n');
  }
  if (word === 'busy') timer = setInterval(block, periodMs);
  if (word === 'idle') clearInterval(timer);
});
process.stdin.on('end', () => process.exit(0));
