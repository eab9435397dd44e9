/** Answers on the sender's own topic: where they may go, and that they arrive there. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { replyToOf } from '../../src/mqtt/answers.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const prefix = 'sockmon/gw1/result/';

describe('a response topic', () => {
  const where = (responseTopic: string, allowed: string | null = prefix, correlationData?: Buffer) =>
    replyToOf({ responseTopic, correlationData }, allowed, topics)?.topic ?? null;

  it('is taken below the prefix', () => {
    assert.equal(where(`${prefix}me`), `${prefix}me`);
    assert.equal(where(`${prefix}a/b c/ü`), `${prefix}a/b c/ü`);
    assert.equal(where(`${prefix}${'x'.repeat(256 - prefix.length)}`)?.length, 256);
    assert.equal(where('answers/me', 'answers/'), 'answers/me');
  });

  it('is ignored elsewhere, with wildcards, too long, and on our own topics', () => {
    const bad = [
      '',
      prefix,
      'sockmon/gw1/result',
      'sockmon/gw2/result/me',
      'x/sockmon/gw1/result/me',
      `${prefix}+`,
      `${prefix}a/#`,
      `${prefix}$SYS`,
      `${prefix}a\0`,
      `${prefix}a\n`,
      `${prefix}${'x'.repeat(257 - prefix.length)}`,
      `${prefix}${'ü'.repeat(130)}`,
    ];
    for (const topic of bad) assert.equal(where(topic), null, JSON.stringify(topic));
    const own = [topics.status, topics.state, topics.run, topics.reboot, 'sockmon/gw1/cmd/x', topics.event];
    own.push(topics.about, topics.resource('tcpip'), topics.lastOutage, 'sockmon/gw1/of a later version');
    for (const topic of own) assert.equal(where(topic, 'sockmon/'), null, topic);
    assert.equal(where('sockmon/gw10/me', 'sockmon/'), 'sockmon/gw10/me');
    for (const topic of [topics.birth, topics.discovery, topics.entity('sensor', 'recovery')])
      assert.equal(where(topic ?? '', 'homeassistant/'), null, String(topic));
    assert.equal(where(`${prefix}me`, null), null);
    assert.equal(replyToOf(undefined, prefix, topics), null);
  });

  it('is ignored with more correlation data than we would keep: the answer could not be told from others', () => {
    assert.equal(where(`${prefix}me`, prefix, Buffer.alloc(256)), `${prefix}me`);
    assert.equal(where(`${prefix}me`, prefix, Buffer.alloc(257)), null);
  });
});

/** A loss of the network that the connection has not outlived. */
async function replaced(broker: StandIn, reporter: MqttReporter): Promise<void> {
  broker.freeze();
  reporter.networkLost();
  reporter.networkBack();
  await eventually('it is given up', () => reporter.connection().state === 'connecting');
  broker.thaw();
}

describe('the answer to a command', () => {
  for (const [how, isTold] of [
    ['is not given up for connections that we have replaced ourselves', true],
    ['is given up after two that the broker has closed', false],
  ] as const)
    it(how, async t => {
      let isTaken = false;
      const isAnswer = ({ topic }: { topic: string }) => topic.startsWith(prefix);
      const broker = await StandIn.start(t, { acknowledges: packet => isTaken || !isAnswer(packet) });
      const log = new MemoryLog();
      const settings = settingsFor(broker.port);
      const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0, pace: 0.1 });
      t.after(() => reporter.stop());
      reporter.start(new FakeTelling());
      const given = (times: number) =>
        eventually(`given ${times} times`, () => broker.published.filter(isAnswer).length >= times);
      await eventually('connected', () => reporter.connection().connects === 1);
      reporter.answer({ id: 'one', action: 'resume', status: 'done', code: null, detail: '', at: '' });
      for (let times = 1; times <= 2; times++) {
        await given(times);
        if (isTold) await replaced(broker, reporter);
        else broker.hangUp();
      }
      if (!isTold) {
        await eventually('it is given up', () => log.find(/The answer to one is given up/));
        return;
      }
      isTaken = true;
      await given(3);
      assert.equal(log.find(/given up/), undefined);
    });
});

interface Answer {
  topic: string;
  status: string;
  correlation: string | undefined;
}

describe('answers through mosquitto', { skip: skipWithoutMosquitto }, () => {
  async function stage(t: TestContext, protocol: 'auto' | '3.1.1' = 'auto') {
    const broker = await startMosquitto();
    t.after(() => broker.stop());
    const gate = await Gate.to(broker);
    await gate.open();
    t.after(() => gate.close());
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const answers: Answer[] = [];
    listener.client.on('message', (topic, payload, packet) => {
      if (!topic.includes('/result/')) return;
      const correlation = packet.properties?.correlationData?.toString();
      answers.push({ topic, status: JSON.parse(payload.toString()).status, correlation });
    });
    const telling = new FakeTelling();
    const settings = settingsFor(gate.port, { protocol });
    const reporter = new MqttReporter({ settings, node: 'gw1', log: new MemoryLog(), random: () => 0 });
    t.after(() => reporter.stop());
    reporter.start(telling);
    await listener.untilLast(topics.status, 'online');
    const send = (id: string, responseTopic: string, correlation = 'c-1') =>
      listener.client.publishAsync(
        topics.run,
        JSON.stringify({ v: 1, id, action: 'restart', target: 'x', issued_at: '2026-01-02T03:04:05Z' }),
        { qos: 1, properties: { responseTopic, correlationData: Buffer.from(correlation) } },
      );
    const on = (topic: string): Answer[] => answers.filter(answer => answer.topic === topic);
    const until = (topic: string, count: number) =>
      eventually(`${count} answers on ${topic}`, () => on(topic).length >= count);
    return { gate, listener, telling, reporter, send, on, until };
  }
  const later = (id: string, status: 'done' | 'failed') =>
    ({ id, action: 'restart', status, code: null, detail: '', at: '2026-01-01T00:00:00.000Z' }) as const;

  it('go to both topics, with the correlation data, the later ones too, also over another connection', async t => {
    const { gate, listener, telling, reporter, send, on, until } = await stage(t);
    await send('first-12345', `${prefix}me`, 'c-1');
    await until(`${prefix}me`, 1);
    await until(topics.result('first-12345'), 1);
    // Heard is not acknowledged: what the cut kept from us would be sent again. The broker acknowledges in order.
    const { end } = telling.outage();
    reporter.sync();
    await eventually('acknowledged', () => telling.cursor === end.seq);
    await gate.close();
    await listener.untilLast(topics.status, 'offline');
    reporter.answer(later('first-12345', 'done'));
    await gate.open();
    reporter.networkBack();
    await until(`${prefix}me`, 2);
    await until(topics.result('first-12345'), 2);
    assert.deepEqual(
      on(`${prefix}me`).map(({ status, correlation }) => [status, correlation]),
      [
        ['accepted', 'c-1'],
        ['done', 'c-1'],
      ],
    );
    assert.deepEqual(
      on(topics.result('first-12345')).map(({ correlation }) => correlation),
      [undefined, undefined],
    );
    reporter.answer(later('first-12345', 'failed'));
    await until(topics.result('first-12345'), 3);
    await listener.settle();
    assert.equal(on(`${prefix}me`).length, 2, 'forgotten after the last word');
  });

  it('go once to the usual topic where that is the one that was asked for', async t => {
    const { listener, send, on, until } = await stage(t);
    const topic = topics.result('first-12345');
    await send('first-12345', topic, 'c-9');
    await until(topic, 1);
    await listener.settle();
    assert.deepEqual(
      on(topic).map(({ correlation }) => correlation),
      ['c-9'],
    );
  });

  it('go nowhere else when the topic is not allowed', async t => {
    const { listener, send, on, until } = await stage(t);
    await send('first-12345', 'sockmon/gw2/result/me');
    await send('second-1234', topics.reboot);
    await until(topics.result('second-1234'), 1);
    await listener.settle();
    assert.equal(on('sockmon/gw2/result/me').length, 0);
    assert.equal(listener.on(topics.reboot).length, 0);
  });

  it('of a refused command go where it asked; of the same id the later fate goes to the first sender only', async t => {
    const { listener, telling, reporter, send, on, until } = await stage(t);
    await send('first-12345', `${prefix}me`, 'mine');
    await until(`${prefix}me`, 1);
    const judge = telling.judge;
    telling.judge = command => ({ ...judge(command), status: 'rejected', code: 'duplicate' });
    await send('first-12345', `${prefix}thief`, 'his');
    await until(`${prefix}thief`, 1);
    reporter.answer(later('first-12345', 'done'));
    await until(`${prefix}me`, 2);
    await listener.settle();
    assert.deepEqual(
      on(`${prefix}thief`).map(({ status, correlation }) => [status, correlation]),
      [['rejected', 'his']],
    );
    assert.equal(on(`${prefix}me`)[1]?.correlation, 'mine');
  });

  it('are remembered for so many commands', async t => {
    const { reporter, send, on, until } = await stage(t);
    for (let n = 0; n < 101; n++) await send(`number-${n}-12345`, `${prefix}me-${n}`);
    await until(`${prefix}me-100`, 1);
    for (const n of [0, 1, 100]) reporter.answer(later(`number-${n}-12345`, 'done'));
    await until(`${prefix}me-1`, 2);
    await until(`${prefix}me-100`, 2);
    await until(topics.result('number-0-12345'), 2);
    assert.equal(on(`${prefix}me-0`).length, 1);
  });

  it('know nothing of it by 3.1.1', async t => {
    const { listener, send, on, until } = await stage(t, '3.1.1');
    await send('first-12345', `${prefix}me`);
    await until(topics.result('first-12345'), 1);
    await listener.settle();
    assert.equal(on(`${prefix}me`).length, 0);
    assert.equal(on(topics.result('first-12345'))[0]?.correlation, undefined);
  });
});
