/** What the service manager is told, word by word, and when the watchdog is fed. Time and the socket are in the test's hand. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Heartbeat } from '../../src/daemon/heartbeat.js';
import { ServiceManager, statusSentence } from '../../src/daemon/service-manager.js';
import { longestList, type ResourceStateName } from '../../src/report/views.js';

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

function manager(environment: Record<string, string>) {
  const sent: string[] = [];
  const send = (message: string): boolean => sent.push(message) > 0;
  return { sent, manager: new ServiceManager({ send, environment, pid: 42 }) };
}

describe('the service manager', () => {
  it('that is not there is told nothing', async () => {
    const { sent, manager: none } = manager({ WATCHDOG_USEC: '60000000' });
    none.ready();
    none.alive();
    none.status(() => 'x');
    none.lastWords('x');
    await turn();
    assert.deepEqual(sent, []);
    assert.deepEqual([none.listens, none.watchdogMs], [false, null]);
  });

  it('hears each status once, the last of those in one turn', async () => {
    const { sent, manager: there } = manager({ NOTIFY_SOCKET: '/x' });
    there.status(() => 'a');
    there.status(() => 'b\nREADY=1');
    await turn();
    there.status(() => 'b READY=1');
    await turn();
    there.status(() => 'c');
    await turn();
    assert.deepEqual(sent, ['STATUS=b READY=1', 'STATUS=c']);
  });

  it('hears of a reload with the monotonic clock', () => {
    const { sent, manager: there } = manager({ NOTIFY_SOCKET: '/x' });
    there.reloading();
    const usec = Number(/^RELOADING=1\nMONOTONIC_USEC=(\d+)$/.exec(sent[0] ?? '')?.[1]);
    assert.ok(Math.abs(usec / 1000 - Number(process.hrtime.bigint() / 1_000_000n)) < 60_000);
  });

  for (const [what, environment, expected] of [
    ['for this process', { WATCHDOG_USEC: '60000000', WATCHDOG_PID: '42' }, 60_000],
    ['for whoever listens', { WATCHDOG_USEC: '3000000' }, 3000],
    ['for another process', { WATCHDOG_USEC: '60000000', WATCHDOG_PID: '43' }, null],
    ['that is none', { WATCHDOG_USEC: '0' }, null],
    ['that is nonsense', { WATCHDOG_USEC: 'soon' }, null],
  ] as const) {
    it(`has a watchdog ${what}: ${expected} ms`, () => {
      assert.equal(manager({ NOTIFY_SOCKET: '/x', ...environment }).manager.watchdogMs, expected);
    });
  }

  it('is told in a sentence how things are', () => {
    const words = (...states: ResourceStateName[]): string => {
      const named = states.map((state, i) => [`r${i}`, state] as const);
      const down = named.filter(([, state]) => state !== 'up');
      const up = states.length - down.length;
      const not_up = Object.fromEntries(down.slice(0, longestList));
      const resources = { watched: states.length, up, not_up, network: {} };
      return statusSentence({
        together: () => resources,
        watched: () => named.map(([id]) => ({ id, role: 'service', restartable: false })),
      });
    };
    assert.equal(words('up'), 'r0 is up');
    assert.equal(words('up', 'up', 'up'), '3 resources are up');
    assert.equal(words('up', 'restarting', 'up'), 'r1 is restarting; 2 others are up');
    assert.equal(words('up', 'held'), 'r1 is held; 1 other is up');
    assert.equal(words('absent', 'held'), 'r0 is absent, r1 is held');
    const many = words(...Array<ResourceStateName>(longestList + 5).fill('held'), 'up');
    assert.match(many, /, r19 is held, 5 more are not up; 1 other is up$/);
  });
});

describe('the heartbeat', () => {
  function heart(watchdogMs: number | null) {
    const log: string[] = [];
    const pings: (() => void)[] = [];
    const heartbeat = new Heartbeat({
      watchdogMs,
      tick: () => log.push('tick'),
      ping: () => new Promise(resolve => pings.push(resolve)),
      onAnswer: () => log.push('alive'),
      onSilence: waitedMs => log.push(`silent for ${waitedMs}`),
    });
    heartbeat.start();
    return { log, pings, heartbeat };
  }

  /** The wait for an answer is made of parts, each with a turn of the loop after it. */
  async function pass(tick: (ms: number) => void, ...parts: number[]): Promise<void> {
    for (const ms of parts) {
      tick(ms);
      await turn();
    }
  }

  it('feeds the watchdog thrice in its time, each time after a tick and an answer', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log, pings } = heart(60_000);
    for (let beat = 1; beat <= 3; beat++) {
      t.mock.timers.tick(beat === 1 ? 15_000 : 20_000);
      assert.equal(log.at(-1), 'tick');
      pings.at(-1)?.();
      await turn();
      assert.equal(log.at(-1), 'alive');
    }
    assert.equal(log.length, 6);
  });

  it('does not feed it while the thread is silent, and says so once', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log, pings } = heart(60_000);
    t.mock.timers.tick(15_000);
    const tick = (ms: number): void => t.mock.timers.tick(ms);
    await pass(tick, 5000, 4999);
    assert.deepEqual(log, ['tick']);
    await pass(tick, 1);
    assert.deepEqual(log, ['tick', 'silent for 10000']);
    pings[0]?.();
    await turn();
    t.mock.timers.tick(600_000);
    assert.equal(log.length, 2);
  });

  it('leaves a short watchdog a third of its time for the alarm', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log } = heart(3000);
    t.mock.timers.tick(1000);
    await pass(ms => t.mock.timers.tick(ms), 500, 500);
    assert.deepEqual(log, ['tick', 'silent for 1000']);
  });

  it('looks once a minute where no watchdog wants more, and not within half a minute after the first look', async t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { log, pings, heartbeat } = heart(null);
    t.mock.timers.tick(15_000);
    pings[0]?.();
    await turn();
    t.mock.timers.tick(59_999);
    assert.deepEqual(log, ['tick', 'alive']);
    t.mock.timers.tick(1);
    assert.equal(log.length, 3);
    heartbeat.stop();
    pings[1]?.();
    await turn();
    t.mock.timers.tick(600_000);
    assert.equal(log.length, 3);
  });
});
