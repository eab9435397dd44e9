/** Brokers that hang up at a size, a topic or a subscription: the rest is told, nobody takes them for a rival, and it is remembered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import type { MqttSettings } from '../../src/core/policy.js';
import { conversationTimes } from '../../src/mqtt/conversation.js';
import { MqttReporter, type ReporterOptions } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';
import { type Behaviour, type Sent, StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, outageView, settingsFor } from './telling.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const discovery = topics.discovery ?? '';
const by311 = { protocol: '3.1.1' } as const;

function started(
  t: TestContext,
  port: number,
  more: Partial<MqttSettings> = by311,
  telling = new FakeTelling(),
  options: Partial<ReporterOptions> = {},
) {
  const log = new MemoryLog();
  const settings = settingsFor(port, more);
  const reporter = new MqttReporter({
    ...{ settings, node: 'gw1', log, random: () => 0.05, pace: 0.2 },
    ...options,
  });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return { reporter, log, telling, view: () => reporter.connection() };
}

/** With an outage that is over: everything there is to tell. */
function withHistory(): FakeTelling {
  const telling = new FakeTelling();
  const { end } = telling.outage();
  telling.change({ last_outage: outageView(end.seq) });
  return telling;
}

const everything: readonly string[] = [
  topics.status,
  topics.event,
  topics.lastOutage,
  topics.about,
  topics.state,
  topics.resource('tcpip'),
  topics.resource('dnsmasq'),
];

/** Over the last connection everything was told but what is missing, and nothing ends it. */
async function settled(broker: StandIn, missing: readonly string[], more: readonly string[]) {
  const wanted = [...everything, ...more].filter(topic => !missing.includes(topic));
  const toldLast = () => {
    const last = broker.connects.length - 1;
    return new Set(
      broker.published.filter(({ connection }) => connection === last).map(({ topic }) => topic),
    );
  };
  // Events are told once: the broker has acknowledged them before.
  const isTold = (topic: string) =>
    topic === topics.event ? broker.on(topic).length >= 2 : toldLast().has(topic);
  await eventually('all the rest is told', () => wanted.every(isTold));
}

const forbidding =
  (topic: string, how: 'fin' | 'reset' | number): NonNullable<Behaviour['hangsUpAt']> =>
  ({ topics: sent, isSubscription }) =>
    !isSubscription && sent.includes(topic) ? how : null;

describe('a broker that takes no large packet', () => {
  for (const [what, limit, how] of [
    ['moquette', 8092, 'fin'],
    ['rumqttd', 20_484, 'reset'],
    ['a tiny one', 2000, 'fin'],
  ] as const) {
    it(`is told of each entity by itself, and of all else (${what}: ${limit} bytes, then ${how})`, async t => {
      const hangsUpAt = ({ bytes }: Sent) => (bytes > limit ? how : null);
      const broker = await StandIn.start(t, { hangsUpAt });
      const telling = withHistory();
      const resources = { ...telling.snapshotNow.resources };
      for (let i = 0; i < 20; i++) resources[`more${i}`] = { ...resources.dnsmasq } as never;
      telling.change({ resources });
      const { view, log } = started(t, broker.port, by311, telling);
      await settled(
        broker,
        [],
        [topics.entity('binary_sensor', 'alive'), topics.entity('sensor', 'connects')],
      );
      await eventually('it is noted', () => telling.announcedNow.each);
      assert.ok(view().connects <= 4, `${view().connects} connections`);
      assert.equal(view().problem, null);
      assert.equal(log.find(/another client|client with the id/), undefined);
      assert.equal(broker.on(discovery).length, 0, 'none of that size was taken');
      assert.ok(log.find(/hangs up at a message of \d+ bytes on homeassistant\/device/));
      const told = JSON.parse(broker.on(topics.entity('binary_sensor', 'alive')).at(-1) ?? '{}');
      assert.equal(told.unique_id, 'sockmon_gw1_alive');
    });
  }

  it('is remembered by the journal: the next start makes one connection', async t => {
    const broker = await StandIn.start(t, { hangsUpAt: ({ bytes }) => (bytes > 8092 ? 'fin' : null) });
    const telling = new FakeTelling();
    telling.announcedNow = {
      entities: ['alive binary_sensor', 'gone sensor'],
      each: true,
      resources: ['gone'],
      topic: null,
    };
    const { view } = started(t, broker.port, by311, telling);
    await eventually('all is told', () => telling.announcedNow.entities.length > 2);
    assert.equal(view().connects, 1);
    // What is gone is taken away from its own topics.
    assert.deepEqual(broker.on(topics.entity('sensor', 'gone')), ['']);
    await eventually('the resource too', () => broker.on(topics.resource('gone')).length > 0);
    assert.deepEqual(broker.on(topics.resource('gone')), ['']);
    await eventually('noted', () => !telling.announcedNow.resources.includes('gone'));
  });

  it('that says so is believed at once, and an installation is taken over', async t => {
    const announces = { maximumPacketSize: 4000 };
    const broker = await StandIn.start(t, {
      announces,
      hangsUpAt: ({ bytes }) => (bytes > 4000 ? 0x95 : null),
    });
    const telling = withHistory();
    telling.announcedNow = { entities: ['alive binary_sensor'], each: false, resources: [], topic: null };
    const { view } = started(t, broker.port, { protocol: '5' }, telling);
    await eventually('each is told', () => telling.announcedNow.each);
    assert.equal(view().connects, 1);
    assert.deepEqual(broker.on(discovery), ['{"migrate_discovery":true}', '']);
    const order = broker.published.map(({ topic }) => topic);
    const lastOfDevice = order.lastIndexOf(discovery);
    assert.ok(order.indexOf(topics.entity('binary_sensor', 'alive')) > lastOfDevice);
  });

  it('needs no migration once all entities fit into one message, also while Home Assistant is waited for', async t => {
    const broker = await StandIn.start(t, { announces: { maximumPacketSize: 20_000 } });
    const telling = withHistory();
    telling.announcedNow = {
      entities: ['alive binary_sensor'],
      each: false,
      resources: [],
      topic: discovery,
    };
    const few = telling.snapshotNow.resources;
    const many = Array.from({ length: 60 }, (_, i) => [`more${i}`, { ...few.dnsmasq }]);
    telling.change({ resources: { ...few, ...Object.fromEntries(many) } });
    const times = { ...conversationTimes, birthMs: { min: 0, max: 0 } };
    const more = { conversationTimes: times };
    const { reporter } = started(t, broker.port, { protocol: '5' }, telling, more);
    await eventually('all else is told', () => broker.on(topics.resource('more59')).length > 0);
    telling.change({ resources: few });
    reporter.sync();
    await eventually('the device is told', () => broker.on(discovery).length === 1);
    broker.give(topics.birth ?? '', 'online');
    await eventually('and again after a birth', () => broker.on(discovery).length === 2);
    await eventually('noted', () => telling.announcedNow.entities.length > 1);
    assert.equal(telling.announcedNow.each, false);
    assert.ok(broker.on(discovery).every(payload => JSON.parse(payload).components));
  });

  it('gets a last outage and an event that are too large in a shorter form, or is told why not', async t => {
    const broker = await StandIn.start(t, { announces: { maximumPacketSize: 700 } });
    const telling = withHistory();
    const long = Array.from({ length: 5 }, (_, i) => `line ${i} ${'x'.repeat(150)}`);
    const evidence = {
      kernel: long,
      ...{ addresses_before: long, addresses_after: long, routes_before: long, routes_after: long },
    };
    telling.change({ last_outage: outageView(3, { evidence, cause: 'c'.repeat(400) }), problems: long });
    telling.append({
      ...{
        type: 'notice',
        resource: 'tcpip',
        atMs: telling.nowMs,
        what: 'flapping',
        detail: 'd'.repeat(900),
      },
    });
    const { view, log } = started(t, broker.port, { protocol: '5' }, telling);
    await eventually('nothing waits', () => view().pending === 0 && broker.on(topics.state).length > 0);
    await eventually(
      'the cursor has passed all',
      () => telling.cursor === telling.entries.findLast(({ type }) => type === 'notice')?.seq,
    );
    const last = JSON.parse(broker.on(topics.lastOutage).at(-1) ?? '{}');
    assert.deepEqual([last.shortened, last.id, last.evidence], [true, 'tcpip-3', undefined]);
    assert.equal(JSON.parse(broker.on(topics.event).at(-1) ?? '{}').shortened, true);
    assert.equal(view().connects, 1);
    // Entities do not fit at all.
    assert.ok(
      log.find(/refused discovery \(with \d+ bytes it is larger than the 700 that the broker takes\)/),
    );
  });

  it('is not told an event again and again that has no short enough form', async t => {
    const broker = await StandIn.start(t, { announces: { maximumPacketSize: 150 } });
    const { telling, view, log } = started(t, broker.port, { protocol: '5' }, withHistory());
    await eventually('it is passed by', () => telling.cursor > 0 && view().pending === 0);
    assert.deepEqual(broker.on(topics.event), []);
    assert.ok(log.find(/The event \d+ is not told .*It stays in the journal/));
  });
});

describe('a broker that hangs up at one topic', () => {
  for (const topic of [...everything, discovery])
    for (const [how, protocol] of [
      ['fin', '3.1.1'],
      [0x87, '5'],
    ] as const) {
      it(`tells all but ${topic} (${how})`, async t => {
        const broker = await StandIn.start(t, { hangsUpAt: forbidding(topic, how) });
        const { view, log } = started(t, broker.port, { protocol }, withHistory());
        const more = topic === discovery ? [topics.entity('sensor', 'connects')] : [discovery];
        // Resources have one right for all.
        const group = topic.startsWith(topics.resource(''))
          ? everything.filter(one => one.startsWith(topics.resource('')))
          : [topic];
        await settled(broker, group, more);
        assert.ok(view().connects <= 5, `${view().connects} connections`);
        assert.equal(log.find(/another client|client with the id/), undefined);
        if (topic !== discovery)
          assert.match(view().problem ?? '', /hangs up at what is told on .*left out for a day/);
      });
    }

  it('tells all but what aedes forbids', async t => {
    const broker = await Aedes.createBroker({
      authorizePublish: (client, { topic }, done) =>
        done(client?.id === 'sockmon-gw1' && topic === topics.lastOutage ? new Error('forbidden') : null),
    });
    const server = createServer(broker.handle).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(async () => {
      await new Promise<void>(resolve => broker.close(resolve));
      server.close();
    });
    const address = server.address();
    assert.ok(address !== null && typeof address !== 'string');
    const listener = await Listener.on({ host: '127.0.0.1', port: address.port }, { protocolVersion: 4 });
    t.after(() => listener.close());
    const { telling, view, log } = started(t, address.port, {}, withHistory());
    await eventually('it is left out', () => view().problem?.includes(topics.lastOutage));
    await eventually('all the rest is told', () => listener.last(discovery) && view().pending === 0);
    for (const topic of everything)
      assert.equal(listener.last(topic) === undefined, topic === topics.lastOutage);
    assert.ok(view().connects <= 4, `${view().connects} connections`);
    assert.equal(log.find(/another client|client with the id/), undefined);
    assert.equal(telling.cursor, telling.entries.findLast(({ type }) => type === 'outage_end')?.seq);
  });

  it('with all of discovery forbidden tells everything else', async t => {
    const broker = await StandIn.start(t, {
      hangsUpAt: ({ topics: [topic = ''] }) =>
        topic.startsWith('homeassistant/') && topic.endsWith('/config') ? 'fin' : null,
    });
    const { view } = started(t, broker.port, by311, withHistory());
    await eventually('it is left out', () =>
      /homeassistant\/\+\/sockmon_gw1\/\+\/config/.test(view().problem ?? ''),
    );
    await settled(broker, [], []);
    assert.ok(view().connects <= 6, `${view().connects} connections`);
  });

  it('is no rival however often that is, and a subscription may be it (RabbitMQ)', async t => {
    const broker = await StandIn.start(t, {
      hangsUpAt: ({ isSubscription, topics: filters }) =>
        isSubscription && filters.includes(topics.run) ? 'fin' : null,
    });
    const { view, log } = started(t, broker.port, by311, withHistory());
    await settled(broker, [], [discovery]);
    assert.match(view().problem ?? '', /hangs up at the subscription to sockmon\/gw1\/cmd\/\+/);
    assert.ok(view().connects <= 5, `${view().connects} connections`);
    assert.equal(log.find(/another client|client with the id/), undefined);
  });

  it('is told again what was left out, and its commands are listened to again, once the time is over', async t => {
    let isMended = false;
    const broker = await StandIn.start(t, {
      hangsUpAt: ({ isSubscription, topics: filters }) =>
        isSubscription && filters.includes(topics.run) && !isMended ? 'fin' : null,
    });
    const leaveOutMs = { unacknowledged: 500, hung_up: 3000 };
    const { view } = started(t, broker.port, by311, withHistory(), { leaveOutMs });
    await eventually('it is left out', () => view().problem !== null);
    isMended = true;
    await settled(broker, [], [discovery]);
    const { connects } = view();
    await eventually('it is subscribed to', () => broker.subscribed.includes(topics.run));
    assert.deepEqual(view().problem, null);
    assert.equal(view().connects, connects, 'over the same connection');
  });

  it('is not said to refuse what it is not sent any more', async t => {
    const broker = await StandIn.start(t, { hangsUpAt: forbidding(topics.event, 'fin') });
    const { view, reporter, telling, log } = started(t, broker.port, by311, withHistory());
    await settled(broker, [topics.event], [discovery]);
    telling.outage();
    reporter.sync();
    await eventually('the new event waits as well', () => view().pending >= 4);
    assert.equal(log.find(/The broker refused/), undefined);
  });
});
