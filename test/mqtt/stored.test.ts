/** Commands that lay at the broker before we came, where the broker does not mark them as stored (moquette): never run, and taken away. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { judgeCommand } from '../../src/core/guard.js';
import { History } from '../../src/core/history.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { type BothClocks, Stored } from '../../src/mqtt/stored.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { policy } from '../core/world.js';
import { eventually } from './eventually.js';
import { type Give, StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');

describe('what may have been stored', () => {
  const at = (ms: number, synced = true): BothClocks => ({ bootMs: ms, wallMs: 1_000_000 + ms, synced });
  const subscribed = (synced = true) => {
    const stored = new Stored();
    stored.subscribed(at(0, synced));
    stored.acknowledged(at(10, synced));
    return stored;
  };

  it('is all that comes before a second after the SUBACK, and later what was issued before', () => {
    const early = new Stored();
    assert.ok(early.mayHold(at(5).wallMs, at(5)), 'before anything was subscribed');
    early.subscribed(at(0));
    assert.ok(early.mayHold(at(3_600_000).wallMs, at(3_600_000)), 'no SUBACK has come');
    const stored = subscribed();
    assert.ok(stored.mayHold(at(999).wallMs, at(1009)));
    assert.ok(!stored.mayHold(at(999).wallMs, at(1010)));
    assert.ok(stored.mayHold(at(-1).wallMs, at(30_000)));
    assert.ok(!stored.mayHold(undefined, at(30_000)));
  });

  it('is not looked for by the clock while that is not known to be right', () => {
    assert.ok(!subscribed(false).mayHold(at(-1).wallMs, at(30_000)));
    assert.ok(!subscribed().mayHold(at(-1).wallMs, at(30_000, false)));
    assert.ok(subscribed(false).mayHold(at(500).wallMs, at(500)));
  });

  it('is none once the broker has shown that it marks what it has stored', () => {
    const stored = subscribed();
    stored.sawMark();
    assert.ok(!stored.mayHold(at(-1).wallMs, at(11)));
  });
});

/** @param isMarked Whether the broker sets the retain flag of what it has stored. */
async function stage(t: TestContext, protocol: '5' | '3.1.1', isMarked: boolean, command: object | 'PRESS') {
  const kept = new Map([
    command === 'PRESS' ? [topics.reboot, command] : [topics.run, JSON.stringify(command)],
  ]);
  let give: Give = () => {};
  const broker = await StandIn.start(t, {
    told: ({ topic, payload, retain }) => {
      if (!retain) return;
      if (payload.length === 0) kept.delete(topic);
      else kept.set(topic, payload.toString());
    },
    subscribed: (one, filters) => {
      give = one;
      for (const topic of [topics.status, topics.run, topics.reboot].filter(each => filters.includes(each))) {
        const payload = kept.get(topic);
        if (payload !== undefined) one(topic, payload, isMarked);
      }
    },
  });
  const telling = new FakeTelling();
  const history = new History();
  telling.judge = received => {
    const verdict = judgeCommand(received, policy(), history, telling.now());
    const { id, action } = received;
    const at = new Date(telling.now().wallMs).toISOString();
    return verdict.allowed
      ? { id, action, status: 'accepted', code: null, detail: '', at }
      : { id, action, status: 'rejected', code: verdict.code, detail: verdict.detail, at };
  };
  const reporter = new MqttReporter({
    settings: settingsFor(broker.port, { protocol }),
    node: 'gw1',
    log: new MemoryLog(),
  });
  t.after(() => reporter.stop());
  reporter.start(telling);
  const result = async (id: string) => {
    const text = await eventually(`the result of ${id}`, () => broker.on(topics.result(id)).at(-1));
    return JSON.parse(text) as { status: string; code: string | null; detail: string };
  };
  return {
    broker,
    telling,
    kept,
    result,
    send: (one: object) => give(topics.run, JSON.stringify(one), false),
  };
}

describe('a command that is stored at the broker', () => {
  const commandAt = (wallMs: number, id: string) => ({
    v: 1,
    id,
    action: 'restart',
    target: 'tcpip',
    issued_at: new Date(wallMs).toISOString(),
  });
  const { wallMs: nowMs } = new FakeTelling().now();

  for (const protocol of ['5', '3.1.1'] as const)
    for (const isMarked of [true, false])
      it(`and comes ${isMarked ? 'with' : 'without'} the retain flag is refused and taken away (${protocol})`, async t => {
        // Its sender's clock is some seconds ahead: by the time alone it would be fresh.
        const { broker, kept, result } = await stage(
          t,
          protocol,
          isMarked,
          commandAt(nowMs + 9000, 'stored-12345'),
        );
        const { status, code, detail } = await result('stored-12345');
        assert.deepEqual([status, code], ['rejected', 'retained']);
        assert.equal(/may have been stored/.test(detail), !isMarked);
        await eventually('it is taken away', () => !kept.has(topics.run));
        assert.equal(broker.on(topics.result('stored-12345')).length, 1);
      });

  for (const isMarked of [true, false])
    it(`and has no time in it, a PRESS ${isMarked ? 'with' : 'without'} the retain flag, reboots nothing`, async t => {
      const { broker, kept } = await stage(t, '3.1.1', isMarked, 'PRESS');
      const answers = () => broker.published.filter(({ topic }) => topic.includes('/result/press-'));
      await eventually('its answer', () => answers().length > 0);
      const codes = answers().map(({ payload }) => JSON.parse(payload).code);
      assert.deepEqual(codes, ['retained']);
      await eventually('it is taken away', () => !kept.has(topics.reboot));
    });

  it('is told from a live one at once by a broker that marks what it has stored', async t => {
    const { send, result } = await stage(t, '3.1.1', true, commandAt(nowMs, 'stored-12345'));
    await result('stored-12345');
    send(commandAt(nowMs, 'live-123456'));
    assert.equal((await result('live-123456')).status, 'accepted');
  });

  it('is told from a live one by its time, after the first second, where the broker marks nothing', async t => {
    const { send, result, telling, kept } = await stage(t, '3.1.1', false, commandAt(nowMs, 'stored-12345'));
    await result('stored-12345');
    await eventually('it is taken away', () => !kept.has(topics.run));
    send(commandAt(nowMs, 'at-once-1234'));
    const early = await result('at-once-1234');
    assert.deepEqual([early.status, early.code], ['rejected', 'retained']);
    assert.match(early.detail, /send it again with a new id/);
    telling.nowMs += 2000;
    send(commandAt(nowMs - 1000, 'before-12345'));
    assert.equal((await result('before-12345')).code, 'retained');
    send(commandAt(nowMs + 1500, 'live-123456'));
    assert.equal((await result('live-123456')).status, 'accepted');
  });
});
