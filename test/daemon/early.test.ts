/** What was watched before the rest of the program was loaded, handed over: how things are by then, not how they were. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { NativeEvent, SensorReport, WatchRequest } from '../../native/index.js';
import type { Input } from '../../src/core/input.js';
import type { Sensor } from '../../src/core/policy.js';
import type { Log, Watcher } from '../../src/core/ports.js';
import { RunFolder } from '../../src/monitor/run-folder.js';
import { startWatcher } from '../../src/monitor/watcher.js';
import { nativeSensor } from '../../src/sensors/kinds.js';
import type { Addon } from '../../src/system/addon.js';

const byPidfile = (pidfile: string): Sensor => ({
  kind: 'process',
  name: `process ${pidfile}`,
  canKill: true,
  fields: { pidfile },
});
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };
const pidfile = byPidfile('/run/nap.pid');
const report = (resource: string, state: SensorReport['state'], atMs: number): SensorReport => ({
  type: 'sensor',
  resource,
  sensor: 0,
  state,
  atMs,
});

/** A watcher that takes over from one that has seen `held` since its first reports of absence. */
function handedOver(held: NativeEvent[]): { watcher: Watcher; batches: string[][]; unwatched: string[] } {
  const batches: string[][] = [];
  const unwatched: string[] = [];
  const monitor = {
    watchAll: (requests: readonly WatchRequest[]) =>
      requests.map(({ resource }) => ({ reports: [report(resource, 'up', 9)], error: null })),
    unwatch: (resource: string) => void unwatched.push(resource),
  };
  const words = (input: Input): string =>
    input.kind === 'sensor' ? `${input.resource} ${input.state} ${input.atMs}` : input.kind;
  const watcher = startWatcher({ bootTimeMs: () => 10 } as Addon, {
    onInputs: inputs => void batches.push(inputs.map(words)),
    environment: {},
    bootBeganMs: 1,
    onEnd: () => {},
    runFolder: new RunFolder(null, log),
    log,
    advisers: {},
    early: {
      monitor: monitor as never,
      watches: ['nap', 'dns'].map(resource => ({
        resource,
        sensors: [nativeSensor(pidfile)],
        reports: [report(resource, 'absent', 2)],
      })),
      runs: [],
      takeOver: handler => handler(held),
    },
  });
  return { watcher, batches, unwatched };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

describe('the hand-over from arm.cjs', () => {
  it('gives each resource its first report and what has come since in one', async () => {
    const { watcher, batches } = handedOver([report('nap', 'up', 3), report('dns', 'up', 4)]);
    watcher.watch([{ resource: 'nap', sensors: [pidfile] }]);
    watcher.watch([{ resource: 'dns', sensors: [pidfile] }]);
    await turn();
    assert.deepEqual(batches, [
      ['nap absent 1', 'nap up 2'],
      ['dns absent 1', 'dns up 3'],
    ]);
  });

  it('forgets what other sensors have seen', async () => {
    const { watcher, batches, unwatched } = handedOver([report('nap', 'down', 3)]);
    watcher.watch([{ resource: 'nap', sensors: [byPidfile('/run/other.pid')] }]);
    await turn();
    assert.deepEqual([batches, unwatched], [[['nap up 8']], ['nap']]);
  });
});
