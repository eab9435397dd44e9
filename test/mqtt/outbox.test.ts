/** The pure parts of talking: what may be in flight, how long to wait, what things are called. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { endpointName, endpointOf } from '../../src/mqtt/endpoint.js';
import { type Message, Outbox, type Settled } from '../../src/mqtt/outbox.js';
import { Replay } from '../../src/mqtt/replay.js';
import { retryDelayMs, type Trouble } from '../../src/mqtt/retry.js';
import { topicsOf } from '../../src/mqtt/topics.js';
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
  it('holds back in the first flight, fills the window afterwards, never exceeds it and keeps the order', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1, max: 20 }), fc.integer({ min: 0, max: 60 }), (window, count) => {
        const wire = new Wire();
        const outbox = new Outbox(wire.publish, window);
        const full = Math.max(1, window);
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
    const outbox = new Outbox(wire.publish, 2);
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
    const replay = new Replay(telling, new Outbox(wire.publish, 16), 'event', new MemoryLog());
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
    ['refused', 60_000, 60_000, 300_000],
    ['taken_over', 60_000, 60_000, 60_000],
  ];
  for (const [trouble, floorMs, firstMs, maxMs] of troubles) {
    it(`${trouble}: from ${floorMs}..${firstMs} ms, doubled up to ${maxMs} ms`, () => {
      assert.equal(retryDelayMs(trouble, 0, 0), floorMs);
      assert.equal(retryDelayMs(trouble, 0, 1), firstMs);
      assert.equal(retryDelayMs(trouble, 1, 1), Math.min(maxMs, firstMs * 2));
      assert.equal(retryDelayMs(trouble, 1_000_000, 1), maxMs);
    });
  }
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
    const { result, ...topics } = topicsOf('sockmon', 'gw1', 'homeassistant');
    assert.deepEqual(topics, {
      status: 'sockmon/gw1/status',
      state: 'sockmon/gw1/state',
      event: 'sockmon/gw1/event',
      lastOutage: 'sockmon/gw1/last_outage',
      reboot: 'sockmon/gw1/cmd/reboot',
      run: 'sockmon/gw1/cmd/run',
      commands: 'sockmon/gw1/cmd/#',
      discovery: 'homeassistant/device/sockmon_gw1/config',
      birth: 'homeassistant/status',
    });
    assert.equal(result('id-1'), 'sockmon/gw1/result/id-1');
    assert.equal(topicsOf('a', 'b', null).discovery, null);
    assert.equal(topicsOf('a', 'b', null).birth, null);
  });
});
