/** The heartbeat between real threads, while the main thread stands still for longer than it would wait for an answer. */
import assert from 'node:assert/strict';
import { stat } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Heartbeat } from '../../src/daemon/heartbeat.js';
import { openMonitor } from '../native/helpers.js';

const watchdogMs = 3000;
/** A third of the watchdog's time. */
const patienceMs = watchdogMs / 3;

/** As in a system call that does not return: no JavaScript, no event loop. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What comes first: an answer, or the verdict that there is none. */
function verdict(ping: () => Promise<void>): Promise<string> {
  return new Promise(resolve => {
    const end = (words: string): void => {
      heartbeat.stop();
      resolve(words);
    };
    const heartbeat = new Heartbeat({
      watchdogMs,
      tick: () => {},
      ping,
      onAnswer: () => end('alive'),
      onSilence: waitedMs => end(`silent for ${waitedMs}`),
    });
    heartbeat.start();
  });
}

describe('a main thread that stood still', () => {
  it('finds the answer that waits for it, wherever in its loop it was', async t => {
    const { monitor } = openMonitor(t);
    const phases: Record<string, (then: () => void) => void> = {
      timers: then => then(),
      poll: then => void stat('/', then),
      check: then => void setImmediate(then),
    };
    for (const [phase, enter] of Object.entries(phases)) {
      // The monitor thread answers while nobody listens; before the loop polls again it sees that the time is over.
      const ping = (): Promise<void> =>
        new Promise(resolve => {
          enter(() => {
            void monitor.ping().then(resolve);
            standStill(2 * patienceMs);
          });
        });
      assert.equal(await verdict(ping), 'alive', phase);
    }
  });

  it('together with the other thread gives that one time to answer', async t => {
    // Goes on when the main thread does, and answers a moment later.
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      parentPort.once('message', () => {
        Atomics.wait(workerData, 0, 0);
        Atomics.wait(workerData, 1, 0, 50);
        parentPort.postMessage('here');
      });`;
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(source, { eval: true, workerData: gate });
    t.after(() => worker.terminate());
    await new Promise(resolve => worker.once('online', resolve));
    const ping = (): Promise<void> => {
      const answer = new Promise<void>(resolve => worker.once('message', () => resolve()));
      worker.postMessage('are you there?');
      standStill(2 * patienceMs);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      return answer;
    };
    assert.equal(await verdict(ping), 'alive');
  });

  it('once, and then again, does not hide that there is no answer', async () => {
    const ping = (): Promise<void> => {
      standStill(2 * patienceMs);
      setTimeout(() => standStill(2 * patienceMs), 1);
      return new Promise(() => {});
    };
    assert.equal(await verdict(ping), `silent for ${patienceMs}`);
  });
});
