/**
 * A process with nothing but the native monitor in it, for the benchmark: as pidfd_watch.c, but ours.
 * Lines in: `watch PIDFILE [SCRIPT]`, `hold ADDRESS [SCRIPT]`, `crowd ADDRESS N`, `settle`, `busy`, `idle`.
 * Lines out: `armed 0`, `seen MS`, `watched MS`, `settled 0`.
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
    if (event.type !== 'sensor' || event.state !== 'down') continue;
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
  if (word === 'crowd') hold(value, Number(script));
  if (word === 'settle') {
    globalThis.gc?.();
    process.stdout.write('settled 0\n');
  }
  if (word === 'busy') timer = setInterval(block, periodMs);
  if (word === 'idle') clearInterval(timer);
});
process.stdin.on('end', () => process.exit(0));
