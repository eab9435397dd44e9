/** The pure parts of talking: what may be in flight, how long to wait, what things are called. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { RefusalRun, refusalIsShortMs, retryDelayMs, type Trouble } from '../../src/mqtt/backoff.js';
import { endpointName, endpointOf } from '../../src/mqtt/endpoint.js';
import { LeftOut } from '../../src/mqtt/left-out.js';
import { inFlightLimit, type Message, Outbox, type Settled } from '../../src/mqtt/outbox.js';
import { Replay } from '../../src/mqtt/replay.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { overdueMs, Unacknowledged } from '../../src/mqtt/unacknowledged.js';
import { FakeTelling, MemoryLog } from './telling.js';

class Wire {
  readonly sent: { message: Message; settled: Settled }[] = [];
  acked = 0;
  readonly publish = (message: Message, settled: Settled): void => {
    this.sent.push({ message, settled });
  };
  ack(error: Error | null = null): void {
    const one = this.sent[this.acked];
    assert.ok(one);
    this.acked += 1;
    one.settled(error);
  }
  get inFlight(): number {
    return this.sent.length - this.acked;
  }
}

const message = (payload: string): Message => ({ topic: 't', payload, retain: false });

describe('outbox', () => {
  it('holds back in the first flight, leaves one place free afterwards, and keeps the order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 60 }), (limit, count) => {
        const wire = new Wire();
        const outbox = new Outbox(wire.publish, limit);
        const full = Math.max(1, limit - 1);
        for (let i = 0; i < count; i++) outbox.add(() => message(String(i)));
        assert.equal(wire.inFlight, Math.min(4, full, count));
        while (wire.inFlight > 0) {
          wire.ack();
          assert.equal(wire.inFlight, Math.min(full, count - wire.acked));
        }
        assert.deepEqual(
          wire.sent.map(one => one.message.payload),
          Array.from({ length: count }, (_, i) => String(i)),
        );
      }),
    );
  });

  it('gives that place to what is urgent, or the next one, and never has more in flight than its limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.constantFrom('add', 'urgent', 'ack')),
        (limit, story) => {
          const wire = new Wire();
          const outbox = new Outbox(wire.publish, limit);
          const urgent: string[] = [];
          for (const [i, what] of story.entries()) {
            const waitsForUrgent = urgent.length > 0;
            if (what === 'add') outbox.add(() => message(`usual ${i}`));
            else if (what === 'urgent') {
              outbox.addUrgent(() => message(`urgent ${i}`));
              urgent.push(`urgent ${i}`);
            } else if (wire.inFlight > 0) wire.ack();
            assert.ok(wire.inFlight <= limit);
            const last = wire.sent.at(-1)?.message.payload ?? '';
            if (last === urgent[0]) urgent.shift();
            else if (waitsForUrgent) assert.equal(wire.inFlight, limit, 'nothing else goes before it');
          }
          while (wire.inFlight > 0) wire.ack();
          assert.equal(outbox.waiting, 0);
        },
      ),
    );
  });

  it('forgets what waits when it is drained, and says when what is under way has been answered', () => {
    for (const count of [0, 1, 5]) {
      const wire = new Wire();
      const outbox = new Outbox(wire.publish, 3);
      for (let i = 0; i < count; i++) outbox.add(() => message('x'));
      let isDrained = false;
      outbox.drain(() => {
        isDrained = true;
      });
      assert.equal(isDrained, count === 0);
      const sent = wire.sent.length;
      while (wire.inFlight > 0) wire.ack();
      assert.ok(isDrained);
      assert.equal(wire.sent.length, sent);
    }
  });

  it('has at most ten in flight, fewer where the broker says so, and five behind 3.1.1', () => {
    assert.deepEqual(
      [65_535, 20, 10, 3, 1].map(receiveMaximum => inFlightLimit(5, receiveMaximum)),
      [10, 10, 10, 3, 1],
    );
    assert.equal(inFlightLimit(4, 65_535), 5);
  });

  it('makes a message when its turn has come, and passes over what is void by then', () => {
    const wire = new Wire();
    const outbox = new Outbox(wire.publish, 1);
    let word: string | null = 'early';
    const settled: (Error | null)[] = [];
    outbox.add(() => message('first'));
    outbox.add(
      () => (word === null ? null : message(word)),
      error => settled.push(error),
    );
    outbox.add(() => message('last'));
    word = null;
    wire.ack();
    assert.deepEqual(
      wire.sent.map(one => one.message.payload),
      ['first', 'last'],
    );
    assert.deepEqual(settled, []);
  });

  it('hands errors on and goes on', () => {
    const wire = new Wire();
    const outbox = new Outbox(wire.publish, 1);
    const settled: (string | undefined)[] = [];
    outbox.add(
      () => message('a'),
      error => settled.push(error?.message),
    );
    outbox.add(() => message('b'));
    wire.ack(new Error('no'));
    assert.deepEqual(settled, ['no']);
    assert.equal(wire.sent.length, 2);
  });

  it('forgets everything when it is closed', () => {
    const wire = new Wire();
    const outbox = new Outbox(wire.publish, 3);
    let settled = 0;
    for (let i = 0; i < 5; i++)
      outbox.add(
        () => message('x'),
        () => {
          settled += 1;
        },
      );
    outbox.close();
    wire.ack();
    outbox.add(() => message('y'));
    assert.equal(settled, 0);
    assert.equal(wire.sent.length, 2);
  });
});

describe('replay', () => {
  const turn = () => new Promise(resolve => setImmediate(resolve));

  it('writes the cursor once for the acknowledgements that come together, and never past a gap', async () => {
    const wire = new Wire();
    const telling = new FakeTelling();
    const replay = new Replay({
      telling,
      outbox: new Outbox(wire.publish, 16),
      topic: 'event',
      log: new MemoryLog(),
      maximumBytes: () => Number.POSITIVE_INFINITY,
    });
    const seqs = Array.from({ length: 8 }, () => telling.outage()).flatMap(({ begin, end }) => [
      begin.seq,
      end.seq,
    ]);
    replay.sync();
    for (let i = 0; i < 7; i++) wire.ack();
    assert.deepEqual(telling.acknowledged, []);
    await turn();
    assert.deepEqual(telling.acknowledged, [seqs[6]]);
    wire.sent[8]?.settled(null);
    await turn();
    assert.deepEqual(telling.acknowledged, [seqs[6]]);
    wire.ack();
    await turn();
    assert.deepEqual(telling.acknowledged, [seqs[6], seqs[8]]);
  });
});

describe('retry', () => {
  const troubles: readonly [Trouble, number, number, number][] = [
    ['kicked', 0, 100, 8000],
    ['lost', 0, 1000, 8000],
    ['refused_after_work', 2000, 4000, 60_000],
    ['refused', 30_000, 60_000, 60_000],
    ['refused_long', 60_000, 60_000, 300_000],
    ['taken_over', 60_000, 60_000, 60_000],
  ];
  for (const [trouble, leastMs, firstMs, maxMs] of troubles) {
    it(`${trouble}: from ${leastMs}..${firstMs} ms, doubled up to ${maxMs} ms`, () => {
      assert.equal(retryDelayMs(trouble, 0, 0), leastMs);
      assert.equal(retryDelayMs(trouble, 0, 1), firstMs);
      assert.equal(retryDelayMs(trouble, 1, 1), Math.min(maxMs, firstMs * 2));
      assert.equal(retryDelayMs(trouble, 1_000_000, 1), maxMs);
    });
  }

  /** When the attempts are made, for a refusal that does not end. @param random The lot, the same each time. */
  function refusedAt(refusals: RefusalRun, random: number, untilMs: number): number[] {
    const times: number[] = [];
    for (let atMs = 0; atMs < untilMs; ) {
      times.push(atMs);
      atMs += retryDelayMs(...refusals.refused(atMs), random);
    }
    return times;
  }
  const gapsOf = (times: number[]) => times.slice(1).map((at, i) => at - (times[i] ?? 0));

  for (const random of [0, 0.5, 0.999]) {
    it(`a refusal after a connection is tried again within seconds, within a minute for ten minutes, then seldom (${random})`, () => {
      const refusals = new RefusalRun();
      refusals.connected();
      const times = refusedAt(refusals, random, 3_600_000);
      const gaps = gapsOf(times);
      assert.ok((gaps[0] ?? 0) <= 4000 && (gaps[1] ?? 0) <= 8000);
      for (const [i, gap] of gaps.entries()) {
        if ((times[i] ?? 0) < refusalIsShortMs) assert.ok(gap <= 60_000, `${gap} ms`);
        else assert.ok(gap >= 60_000, `${gap} ms`);
      }
      // A user who is known again eight seconds after the first refusal is connected within sixteen more.
      const later = times.find(at => at >= 8000) ?? 0;
      assert.ok(later <= 24_000, `${later} ms`);
    });
  }

  it('a password that has never been right is tried twice a minute at most, and seldom after ten minutes', () => {
    const gaps = gapsOf(refusedAt(new RefusalRun(), 0, 3_600_000));
    assert.ok(gaps.every(gap => gap >= 30_000 && gap <= 300_000));
    assert.ok(gapsOf(refusedAt(new RefusalRun(), 0.999, 7_200_000)).some(gap => gap > 290_000));
  });

  it('a connection ends the run: the next refusal is a new one', () => {
    const refusals = new RefusalRun();
    refusals.refused(0);
    assert.deepEqual(refusals.refused(700_000), ['refused_long', 0]);
    refusals.connected();
    assert.deepEqual(refusals.refused(800_000), ['refused_after_work', 0]);
    assert.deepEqual(refusals.refused(801_000), ['refused_after_work', 1]);
  });
});

describe('acknowledgements', () => {
  /** When it asks, the answers to the first two questions, 10 s apart from the publish. */
  function asked(all: Unacknowledged, nowMs: number) {
    all.asked();
    return all.answered(nowMs);
  }

  it('that are missing while two questions are answered accuse the oldest topic', () => {
    const all = new Unacknowledged();
    all.sent('a', 0)();
    all.sent('b', 1000);
    all.sent('c', 2000);
    assert.equal(all.askInMs(1000), overdueMs);
    assert.equal(asked(all, overdueMs + 1000), 'ask again', 'it may be the answer to an earlier question');
    assert.deepEqual(asked(all, overdueMs + 1100), { topic: 'b' });
  });

  it('accuse nothing that is young, nor a topic where nothing at all was acknowledged', () => {
    const all = new Unacknowledged();
    assert.equal(all.askInMs(0), null);
    const acknowledged = all.sent('a', 0);
    assert.equal(all.answered(20_000), 'in order', 'an answer to the keepalive');
    assert.equal(asked(all, 9999), 'in order');
    assert.equal(asked(all, 10_000), 'ask again');
    assert.deepEqual(asked(all, 10_000), { topic: null });
    acknowledged();
    assert.equal(asked(all, 20_000), 'in order');
    assert.equal(all.askInMs(20_000), null);
  });

  it('of results, of resources and of entities are left out together, and nothing else with them', () => {
    const { result, resource, entity, state, discovery } = topicsOf('sockmon', 'gw1', 'home/assistant');
    const left = new LeftOut();
    for (const [one, other, group] of [
      [result('one'), result('two'), 'sockmon/gw1/result/+'],
      [resource('one'), resource('two'), 'sockmon/gw1/resource/+'],
      [entity('sensor', 'a'), entity('button', 'b'), 'home/assistant/+/sockmon_gw1/+/config'],
    ] as const) {
      left.add(one);
      assert.ok(left.has(other) && !left.has(state) && !left.has(discovery ?? ''));
      assert.deepEqual(left.topics('unacknowledged'), [group]);
      assert.deepEqual(left.topics('hung_up'), []);
      left.stop();
      assert.ok(!left.has(other));
    }
    left.add(discovery ?? '', 'hung_up');
    assert.deepEqual(left.topics('hung_up'), [discovery]);
    assert.ok(!left.has(entity('sensor', 'a')));
    left.stop();
  });
});

describe('endpoint', () => {
  it('knows every way, its default port and its name for people', () => {
    for (const [url, name] of [
      ['mqtt://broker', 'mqtt://broker:1883'],
      ['mqtts://broker', 'mqtts://broker:8883'],
      ['mqtt://[::1]:99', 'mqtt://[::1]:99'],
      ['ws://broker/mqtt?a=1', 'ws://broker:80/mqtt?a=1'],
      ['wss://broker', 'wss://broker:443/'],
      ['mqtt+unix:///run/mosquitto%20x.sock', 'mqtt+unix:///run/mosquitto x.sock'],
      ['mqtt://user:secret@broker', 'mqtt://broker:1883'],
    ] as const) {
      assert.equal(endpointName(endpointOf(url)), name);
    }
  });

  it('refuses everything else with the same sentence, whatever it is', () => {
    for (const url of ['mqtt+unix:///run/%zz', 'mqtt+unix://', 'mqtt://h:0', 'mqtt://', 'http://h', '']) {
      assert.throws(() => endpointOf(url), { code: 'CONFIG' }, url);
    }
    const scheme = fc.constantFrom('mqtt://', 'mqtt+unix:///', 'ws://', 'wss:', '');
    fc.assert(
      fc.property(scheme, fc.string(), (scheme, rest) => {
        const text = scheme + rest;
        try {
          endpointName(endpointOf(text));
        } catch (error) {
          assert.equal((error as { code?: unknown }).code, 'CONFIG');
        }
      }),
    );
  });
});

describe('topics', () => {
  it('are the contract', () => {
    const { result, resource, entity, ...topics } = topicsOf('sockmon', 'gw1', 'homeassistant');
    assert.deepEqual(topics, {
      root: 'sockmon/gw1',
      discoveryRoot: 'homeassistant',
      status: 'sockmon/gw1/status',
      state: 'sockmon/gw1/state',
      about: 'sockmon/gw1/about',
      event: 'sockmon/gw1/event',
      lastOutage: 'sockmon/gw1/last_outage',
      reboot: 'sockmon/gw1/cmd/reboot',
      run: 'sockmon/gw1/cmd/run',
      commands: 'sockmon/gw1/cmd/#',
      discovery: 'homeassistant/device/sockmon_gw1/config',
      birth: 'homeassistant/status',
    });
    assert.equal(result('id-1'), 'sockmon/gw1/result/id-1');
    assert.equal(resource('wan_1'), 'sockmon/gw1/resource/wan_1');
    assert.equal(entity('sensor', 'recovery'), 'homeassistant/sensor/sockmon_gw1/recovery/config');
    // The longest base and prefix that `check` lets through.
    const deep = topicsOf('a/b/c/d/e', 'gw-1', 'p/q/r/s');
    const { result: _1, resource: _2, entity: _3, ...fixed } = deep;
    const made = [deep.result('0123abcd'), deep.resource('wan'), deep.entity('sensor', 'recovery')];
    for (const topic of [...made, ...Object.values(fixed)])
      assert.match(String(topic).replace(/#$/, 'x'), /^[\w-]+(\/[\w-]+){0,7}$/);
    assert.equal(topicsOf('a', 'b', null).discovery, null);
    assert.equal(topicsOf('a', 'b', null).birth, null);
  });
});
