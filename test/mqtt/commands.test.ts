/** Commands: what any bytes are taken for, and which flags a real broker lets us see. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { SockmonError } from '../../src/base/errors.js';
import type { ReceivedCommand } from '../../src/core/ports.js';
import { actions } from '../../src/core/records.js';
import { type CommandPacket, commandOf, maxCommandBytes } from '../../src/mqtt/commands.js';
import { startEmbeddedBroker } from '../../src/mqtt/embedded-broker.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const packet = (topic: string, payload: string | Uint8Array, more: Partial<CommandPacket> = {}) => ({
  topic,
  payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
  retained: false,
  duplicate: false,
  sinceConnectMs: 60_000,
  ...more,
});
const parse = (topic: string, payload: string | Uint8Array, more: Partial<CommandPacket> = {}) =>
  commandOf(packet(topic, payload, more), topics, () => 'new-id');
const run = (body: unknown) => parse(topics.run, JSON.stringify(body));
const good = { v: 1, id: 'ha-12345678', action: 'restart', issued_at: '2026-01-02T03:04:05Z' };

describe('commands by payload', () => {
  it('takes PRESS for a reboot, and nothing else on that topic', () => {
    assert.deepEqual(parse(topics.reboot, 'PRESS', { retained: true, duplicate: true, sinceConnectMs: 5 }), {
      id: 'press-new-id',
      action: 'reboot',
      origin: 'mqtt:press',
      press: true,
      retained: true,
      duplicate: true,
      sinceConnectMs: 5,
    });
    for (const payload of ['press', 'PRESS ', ' PRESS', 'PRESS\n', 'PRESSED', '{}', '\ufeffPRESS', 'ON']) {
      assert.equal(parse(topics.reboot, payload)?.action, null, JSON.stringify(payload));
    }
  });

  it('takes a full command with its times', () => {
    const body = {
      ...good,
      target: 'dnsmasq',
      reason: 'because',
      expires_at: '2026-01-02T04:05:05.123456+01:00',
      dry_run: true,
    };
    assert.deepEqual(run(body), {
      id: good.id,
      action: 'restart',
      target: 'dnsmasq',
      detail: 'because',
      origin: 'mqtt:run',
      press: false,
      retained: false,
      duplicate: false,
      sinceConnectMs: 60_000,
      issuedWallMs: Date.UTC(2026, 0, 2, 3, 4, 5),
      expiresWallMs: Date.UTC(2026, 0, 2, 3, 5, 5, 123),
      dryRun: true,
    });
  });

  it('takes pause, resume, drill and the time of a pause, with or without a target', () => {
    const cases: [object, Partial<ReceivedCommand>][] = [
      [
        { action: 'pause', for: '1h30m' },
        { action: 'pause', forMs: 5_400_000 },
      ],
      [
        { action: 'pause', for_s: 0.5, target: 'dns' },
        { action: 'pause', forMs: 500, target: 'dns' },
      ],
      [{ action: 'pause' }, { action: 'pause' }],
      [
        { action: 'pause_time', for_s: 900 },
        { action: 'pause_time', forMs: 900_000 },
      ],
      [{ action: 'resume' }, { action: 'resume' }],
      [
        { action: 'drill', target: 'dns' },
        { action: 'drill', target: 'dns' },
      ],
    ];
    for (const [body, expected] of cases) {
      const command = run({ ...good, ...body });
      assert.deepEqual(
        { action: command?.action, forMs: command?.forMs, target: command?.target },
        { forMs: undefined, target: undefined, ...expected },
      );
    }
  });

  it('refuses a pause with two ends, an end without a pause, and no pause time at all', () => {
    const cases: [object, RegExp][] = [
      [{ action: 'pause_time' }, /^for: pause_time needs for/],
      [{ action: 'pause', for: '10m', for_s: 600 }, /one of the two/],
      [{ action: 'pause', for: 'ever' }, /^for: expected a duration such as 10m/],
      [{ action: 'pause', for: 600 }, /^for: expected a duration/],
      [{ action: 'pause', for_s: '600' }, /^for_s: expected number/],
      [
        { action: 'restart', target: 'dns', for: '10m' },
        /^for: goes with pause and pause_time only, not with restart/,
      ],
    ];
    for (const [body, detail] of cases) {
      const command = run({ ...good, ...body });
      assert.deepEqual([command?.action, command?.id], [null, good.id]);
      assert.match(command?.detail ?? '', detail);
    }
  });

  it('refuses with the key and what was expected, under the sender’s id where it has one', () => {
    const cases: [unknown, string, RegExp][] = [
      [{ ...good, action: 'explode' }, good.id, /^action: .*"reboot"\|"restart"/],
      [{ ...good, v: 2 }, good.id, /^v: /],
      [{ ...good, issued_at: 'yesterday' }, good.id, /^issued_at: expected a time/],
      [{ ...good, issued_at: '2026-02-30T03:04:05Z' }, good.id, /^issued_at: expected a time/],
      [{ ...good, extra: 1 }, good.id, /"extra"/],
      [{ ...good, id: 'short' }, 'invalid-new-id', /^id: expected 8 to 64/],
      [{ ...good, id: 'with/slash+and#' }, 'invalid-new-id', /^id: /],
      [{ ...good, id: 7 }, 'invalid-new-id', /^id: /],
      [[], 'invalid-new-id', /expected object/],
      [null, 'invalid-new-id', /expected object/],
    ];
    for (const [body, id, detail] of cases) {
      const command = run(body);
      assert.equal(command?.action, null);
      assert.equal(command?.id, id);
      assert.match(command?.detail ?? '', detail);
    }
  });

  it('refuses what is no JSON, no UTF-8 or too long, before looking closer', () => {
    for (const payload of [
      'nonsense',
      Buffer.from([0xff, 0xfe, 0x7b]),
      `${'['.repeat(1000)}${']'.repeat(1000)}`,
      JSON.stringify({ ...good, reason: 'x'.repeat(maxCommandBytes) }),
      Buffer.alloc(1_000_000, 0x7b),
    ]) {
      assert.equal(parse(topics.run, payload)?.action, null);
    }
  });

  it('is silent on empty payloads and on foreign topics', () => {
    assert.equal(parse(topics.reboot, '', { retained: true }), null);
    assert.equal(parse(topics.run, ''), null);
    for (const topic of ['sockmon/gw1/cmd/other', 'sockmon/gw1/cmd', 'sockmon/gw2/cmd/reboot', '', 'x']) {
      assert.equal(parse(topic, 'PRESS'), null);
    }
  });

  it('never throws and never acts on any bytes but its own words', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.json().map(text => Buffer.from(text)),
      fc
        .record({
          v: fc.oneof(fc.constant(1), fc.anything()),
          id: fc.oneof(fc.constant('id-of-a-sender'), fc.string()),
          action: fc.oneof(fc.constantFrom(...actions), fc.anything()),
          for: fc.oneof(fc.constantFrom('10m', undefined), fc.anything()),
          for_s: fc.oneof(fc.constant(undefined), fc.anything()),
          target: fc.oneof(fc.string(), fc.anything()),
          issued_at: fc.oneof(fc.constant('2026-01-01T00:00:00Z'), fc.string()),
          ['__proto__']: fc.anything(),
        })
        .map(body => Buffer.from(toJson(body))),
    );
    fc.assert(
      fc.property(fc.constantFrom(topics.reboot, topics.run), bytes, (topic, payload) => {
        const command = parse(topic, payload);
        if (command === null) return payload.length === 0;
        assert.match(command.id, /^[A-Za-z0-9._-]{8,64}$/);
        assert.ok((command.detail ?? '').length <= 300);
        if (command.action === null) return (command.detail ?? '').length > 0;
        if (command.press) return Buffer.from(payload).toString() === 'PRESS';
        return Number.isFinite(command.issuedWallMs) && Number.isFinite(command.forMs ?? 0);
      }),
      { numRuns: 5000 },
    );
  });
});

function toJson(body: unknown): string {
  try {
    return JSON.stringify(body) ?? '';
  } catch {
    // BigInts and cycles.
    return 'null';
  }
}

interface Stage {
  broker: { host: string; port: number };
  listener: Listener;
  telling: FakeTelling;
  log: MemoryLog;
  reporter: MqttReporter;
}

async function brokerOf(t: TestContext, version: 4 | 5) {
  const broker =
    version === 5 ? await startMosquitto() : await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
  t.after(() => broker.stop());
  return broker;
}

/** @param on 4 = one that speaks 3.1.1 only, 5 = a mosquitto. */
async function stage(
  t: TestContext,
  prepare = async (_: Listener) => {},
  on: 4 | 5 | { host: string; port: number } = 5,
): Promise<Stage> {
  const broker = typeof on === 'object' ? on : await brokerOf(t, on);
  const version = on === 4 ? 4 : 5;
  const listener = await Listener.on(broker, { protocolVersion: version });
  t.after(() => listener.close());
  await prepare(listener);
  const telling = new FakeTelling();
  const log = new MemoryLog();
  const reporter = new MqttReporter({ settings: settingsFor(broker.port), node: 'gw1', log });
  t.after(() => reporter.stop());
  reporter.start(telling);
  await listener.untilLast(topics.status, 'online');
  return { broker, listener, telling, log, reporter };
}

const received = (telling: FakeTelling, count: number): Promise<ReceivedCommand[]> =>
  eventually(`${count} commands`, () => (telling.commands.length >= count ? telling.commands : null));

describe('commands through mosquitto', { skip: skipWithoutMosquitto }, () => {
  it('hands over a press with the time since the connection, and tells the result', async t => {
    const { listener, telling } = await stage(t);
    telling.nowMs += 12_345;
    await listener.publish(topics.reboot, 'PRESS');
    const [command] = await received(telling, 1);
    assert.ok(command);
    assert.equal(command.press, true);
    assert.equal(command.retained, false);
    assert.equal(command.duplicate, false);
    assert.equal(command.sinceConnectMs, 12_345);
    const topic = topics.result(command.id);
    const [result] = await eventually('the result', () => {
      const all = listener.on(topic);
      return all.length > 0 ? all : null;
    });
    assert.equal(result?.retain, false);
    assert.ok(result?.expiryS !== undefined && result.expiryS > 3500 && result.expiryS <= 3600);
    assert.deepEqual(JSON.parse(result?.payload ?? ''), telling.judge(command));
  });

  it('sees that a live press was sent retained, and takes it off the broker', async t => {
    const { broker, listener, telling } = await stage(t);
    await listener.publish(topics.reboot, 'PRESS', true);
    const [command] = await received(telling, 1);
    assert.equal(command?.retained, true);
    await eventually('it is cleared', () => listener.last(topics.reboot) === '');
    const late = await Listener.on(broker, {}, topics.reboot);
    t.after(() => late.close());
    await listener.settle();
    assert.deepEqual(late.heard, []);
    assert.equal(telling.commands.length, 1, 'the clearing is no command');
  });

  it('refuses what was retained before it came, answers it, and takes it off the broker', async t => {
    const stored = { ...good, id: 'stored-12345' };
    const { broker, listener, telling } = await stage(t, async listener => {
      await listener.publish(topics.reboot, 'PRESS', true);
      await listener.publish(topics.run, JSON.stringify(stored), true);
    });
    const commands = await received(telling, 2);
    assert.ok(commands.every(({ retained }) => retained));
    await eventually('an answer', () => listener.on(topics.result(stored.id)).length === 1);
    await eventually('both are cleared', () =>
      [topics.reboot, topics.run].every(topic => listener.last(topic) === ''),
    );
    const late = await Listener.on(broker, {}, topics.commands);
    t.after(() => late.close());
    await listener.publish(topics.run, JSON.stringify(good));
    const [, , live] = await received(telling, 3);
    assert.deepEqual([live?.id, live?.retained, live?.mayBeStored], [good.id, false, undefined]);
    await eventually('heard', () => late.heard.length > 0);
    assert.deepEqual(
      late.heard.map(({ retain }) => retain),
      [false],
    );
  });

  it('hears commands of every QoS', async t => {
    const { listener, telling } = await stage(t);
    for (const qos of [0, 1, 2] as const) {
      await listener.publish(topics.run, JSON.stringify({ ...good, id: `qos-${qos}-12345` }), false, qos);
    }
    const commands = await received(telling, 3);
    assert.deepEqual(commands.map(command => command.id).sort(), [
      'qos-0-12345',
      'qos-1-12345',
      'qos-2-12345',
    ]);
  });

  it('judges before the broker may forget: the verdict leaves before the PUBACK', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop());
    const { listener } = await stage(t, undefined, broker);
    await listener.publish(topics.run, JSON.stringify(good));
    await eventually('the result', () => listener.on(topics.result(good.id)).length === 1);
    const delivery = /Sending PUBLISH to sockmon-gw1 \(d0, q1, r0, m(\d+), 'sockmon\/gw1\/cmd\/run'/;
    const mid = delivery.exec(broker.log())?.[1];
    const puback = `Received PUBACK from sockmon-gw1 (Mid: ${mid}, RC:0)`;
    await eventually('the PUBACK', () => broker.log().includes(puback));
    const result = broker.log().indexOf(`'${topics.result(good.id)}'`);
    assert.ok(result > 0 && result < broker.log().indexOf(puback));
  });

  it('refuses a command that cannot be written down, and goes on', async t => {
    const { listener, telling, log } = await stage(t);
    const judge = telling.judge;
    telling.judge = () => {
      throw new SockmonError('JOURNAL_WRITE', 'The journal cannot be written: the disk is full.');
    };
    await listener.publish(topics.run, JSON.stringify(good));
    const result = await eventually('refused', () => listener.json(topics.result(good.id))[0]);
    assert.equal(result.status, 'rejected');
    assert.equal(result.code, 'journal_failed');
    assert.match(String(result.detail), /disk is full/);
    assert.ok(log.find(/could not be judged/));
    telling.judge = () => {
      throw new TypeError('a bug');
    };
    await listener.publish(topics.run, JSON.stringify({ ...good, id: 'second-1234' }));
    const second = await eventually('refused', () => listener.json(topics.result('second-1234'))[0]);
    assert.deepEqual([second.status, second.code], ['rejected', null]);
    telling.judge = judge;
    await listener.publish(topics.run, JSON.stringify({ ...good, id: 'third-12345' }));
    await eventually('accepted', () => listener.json(topics.result('third-12345'))[0]);
  });

  it('tells a later fate, also one that was known before there was a broker', async t => {
    const { broker, listener, telling, reporter } = await stage(t);
    const at = '2026-01-01T00:00:00.000Z';
    const done = { id: 'from-before', action: 'reboot', status: 'done', code: null, detail: '', at } as const;
    reporter.answer(done);
    await eventually('told', () => listener.on(topics.result('from-before')).length === 1);
    await reporter.stop();
    const next = new MqttReporter({ settings: settingsFor(broker.port), node: 'gw1', log: new MemoryLog() });
    t.after(() => next.stop());
    next.answer({ ...done, id: 'after-boot-1' });
    next.start(telling);
    await eventually('told', () => listener.on(topics.result('after-boot-1')).length === 1);
    await listener.settle();
    assert.equal(listener.on(topics.result('from-before')).length, 1);
  });

  it('survives hostile messages on every topic it listens to', async t => {
    const { listener, telling, log } = await stage(t);
    const listened = [
      topics.reboot,
      topics.run,
      topics.status,
      'homeassistant/status',
      'sockmon/gw1/cmd/a/b',
    ];
    const hostile = fc.sample(
      fc.tuple(fc.constantFrom(...listened), fc.uint8Array({ maxLength: 4000 })),
      300,
    );
    await Promise.all(hostile.map(([topic, bytes]) => listener.publish(topic, Buffer.from(bytes))));
    await listener.publish(topics.run, Buffer.alloc(60_000, 0x5b));
    await listener.publish(topics.run, JSON.stringify({ ...good, id: 'the-last-one' }));
    await eventually('still there', () => telling.commands.some(command => command.id === 'the-last-one'));
    assert.equal(log.find(/fault/i), undefined);
  });
});

describe('commands through a 3.1.1 broker', () => {
  it('refuses what was retained before, as the broker marks it, and takes it off', async t => {
    const { listener, telling } = await stage(
      t,
      async listener => {
        await listener.publish(topics.reboot, 'PRESS', true);
      },
      4,
    );
    const [command] = await received(telling, 1);
    assert.equal(command?.retained, true);
    await eventually('it is cleared', () => listener.last(topics.reboot) === '');
    assert.equal(telling.commands.length, 1);
  });

  it('hands over live commands', async t => {
    const { listener, telling } = await stage(t, undefined, 4);
    await listener.publish(topics.reboot, 'PRESS');
    const [command] = await received(telling, 1);
    assert.equal(command?.retained, false);
    assert.ok(command);
    await eventually('the result', () => listener.on(topics.result(command.id)).length === 1);
  });
});
