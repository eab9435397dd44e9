/** The reporter against a real mosquitto: what is told, when, and what survives. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { EventMessage } from '../../src/mqtt/events.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import type { ResourceView } from '../../src/report/views.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { Listener } from './listener.js';
import { freePort, type Mosquitto, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, outageView, settingsFor } from './telling.js';

const root = 'sockmon/gw1';
const status = `${root}/status`;
const events = `${root}/event`;
const discovery = 'homeassistant/device/sockmon_gw1/config';

function reporterOn(port: number, log = new MemoryLog()): MqttReporter {
  // Short delays and jitters, but never none.
  return new MqttReporter({ settings: settingsFor(port), node: 'gw1', log, random: () => 0.05 });
}

/** A broker, somebody who listens to it, and a gate between it and the reporter. */
async function stage(
  t: TestContext,
  lines?: readonly string[],
  files: Readonly<Record<string, string>> = {},
) {
  const broker = await startMosquitto(lines === undefined ? {} : { lines, files });
  t.after(() => broker.stop('SIGKILL'));
  const listener = await Listener.on(broker);
  t.after(() => listener.close());
  const gate = await Gate.to(broker);
  t.after(() => gate.close());
  return { broker, listener, gate, telling: new FakeTelling(), log: new MemoryLog() };
}

function started(t: TestContext, telling: FakeTelling, port: number, log = new MemoryLog()): MqttReporter {
  const reporter = reporterOn(port, log);
  t.after(() => reporter.stop());
  reporter.start(telling);
  return reporter;
}

const connected = (reporter: MqttReporter) =>
  eventually('connected', () => reporter.connection().state === 'connected');

describe('reporter, one broker', { skip: skipWithoutMosquitto }, () => {
  let broker: Mosquitto;
  let listener: Listener;
  let telling: FakeTelling;
  let reporter: MqttReporter;

  before(async () => {
    broker = await startMosquitto();
    listener = await Listener.on(broker);
    telling = new FakeTelling();
    reporter = reporterOn(broker.port);
  });
  after(async () => {
    await reporter.stop();
    await listener.close();
    await broker.stop();
  });

  it('tells status, facts, last outage, state, resources and, once its topic has been read, discovery on connect, the largest last', async () => {
    const { begin, end } = telling.outage();
    telling.change({ last_outage: outageView(end.seq) });
    reporter.start(telling);
    await eventually('discovery is told', () => listener.last(discovery));
    assert.deepEqual(
      listener.heard.map(message => message.topic),
      [
        status,
        events,
        events,
        ...['last_outage', 'about', 'state', 'resource/tcpip', 'resource/dnsmasq'].map(
          name => `${root}/${name}`,
        ),
        discovery,
      ],
    );
    const facts = listener.json<EventMessage>(events);
    assert.deepEqual(
      facts.map(fact => [fact.event_type, fact.seq]),
      [
        ['stack_down', begin.seq],
        ['stack_recovered', end.seq],
      ],
    );
    assert.equal(listener.json(`${root}/last_outage`)[0]?.seq, end.seq);
  });

  it('retains what is state and never what is an event', () => {
    for (const message of listener.heard) {
      assert.equal(message.retain, message.topic !== events, message.topic);
      assert.equal(message.qos, 1);
    }
  });

  it('tells its connection beside the state', () => {
    const about = listener.json<{ connection: Record<string, unknown> }>(`${root}/about`)[0];
    assert.deepEqual(about?.connection, {
      state: 'connected',
      broker: `mqtt://127.0.0.1:${broker.port}`,
      protocol: '5',
      since: new Date(telling.now().wallMs).toISOString(),
      connects: 1,
      last_error: null,
      problem: null,
    });
  });

  it('moves the cursor to the last acknowledged fact', async () => {
    const last = telling.entries.findLast(entry => entry.type === 'outage_end');
    await eventually('the cursor is written', () => telling.cursor === last?.seq);
    assert.equal(reporter.connection().pending, 0);
  });

  it('does not write the cursor for entries that nobody is told', async () => {
    const writes = telling.acknowledged.length;
    telling.append({ type: 'stop', reason: 'test' });
    reporter.sync();
    await listener.settle();
    assert.equal(telling.acknowledged.length, writes);
    assert.equal(reporter.connection().pending, 0);
  });

  it('tells new facts on sync, once each', async () => {
    listener.heard.length = 0;
    for (let i = 0; i < 20; i++) telling.outage();
    for (let i = 0; i < 20; i++) reporter.sync();
    const lastSeq = telling.entries.length;
    await eventually('all is acknowledged', () => telling.cursor >= lastSeq);
    await listener.settle();
    const seqs = listener.json<EventMessage>(events).map(fact => fact.seq);
    assert.equal(seqs.length, 40);
    assert.deepEqual(
      seqs,
      [...new Set(seqs)].sort((a, b) => a - b),
    );
  });

  it('tells the state only when more than its time has changed', async () => {
    await listener.settle();
    listener.heard.length = 0;
    telling.nowMs += 1000;
    reporter.sync();
    await new Promise(resolve => setImmediate(resolve));
    await listener.settle();
    assert.deepEqual(listener.on(`${root}/state`), []);
    telling.change({ outages_total: 7 });
    for (let i = 0; i < 10; i++) reporter.sync();
    await eventually('the state is told', () => listener.last(`${root}/state`));
    await listener.settle();
    assert.deepEqual(
      listener.json(`${root}/state`).map(state => state.outages_total),
      [7],
    );
  });

  it('says recovering while the stack is down and can still be told, and online again', async () => {
    telling.change({ status: 'recovering' });
    reporter.sync();
    await listener.untilLast(status, 'recovering');
    telling.change({ status: 'online' });
    reporter.sync();
    await listener.untilLast(status, 'online');
  });

  it('has the last word when a dead session says offline', async () => {
    await listener.publish(status, 'offline', true);
    await eventually('online again', () => {
      const words = listener.on(status).map(message => message.payload);
      return words.at(-1) === 'online' && words.includes('offline');
    });
  });

  it('answers the birth of Home Assistant with all that is retained, discovery first, and no event', async () => {
    await listener.settle();
    listener.heard.length = 0;
    await listener.publish('homeassistant/status', 'online');
    await eventually('the resources follow', () => listener.last(`${root}/resource/dnsmasq`));
    assert.deepEqual(
      listener.heard.map(message => message.topic),
      [
        'homeassistant/status',
        discovery,
        status,
        ...['last_outage', 'about', 'state', 'resource/tcpip', 'resource/dnsmasq'].map(
          name => `${root}/${name}`,
        ),
      ],
    );
  });

  it('takes entities back whose resource is no longer watched', async () => {
    const { dnsmasq: _, ...resources } = telling.snapshotNow.resources;
    telling.change({ resources });
    listener.heard.length = 0;
    reporter.sync();
    const topic = 'homeassistant/device/sockmon_gw1/config';
    await eventually('a new discovery', () => listener.last(topic));
    const { components } = listener.json<{ components: Record<string, unknown> }>(topic)[0] ?? {};
    assert.deepEqual(components?.running_dnsmasq, { platform: 'binary_sensor' });
    assert.deepEqual(components?.restart_dnsmasq, { platform: 'button' });
    // Only then is its topic taken away: Home Assistant does not listen to it any more.
    await eventually('its topic is gone', () => listener.last(`${root}/resource/dnsmasq`) === '');
    const order = listener.heard.map(message => message.topic);
    assert.ok(order.indexOf(`${root}/resource/dnsmasq`) > order.indexOf(topic));
    await eventually('that is noted', () => !telling.announcedNow.resources.includes('dnsmasq'));
    assert.deepEqual(listener.on(`${root}/resource/tcpip`), [], 'nothing of it has changed');
  });

  it('says offline and goodbye on stop, and the will stays in the drawer', async () => {
    listener.heard.length = 0;
    await reporter.stop();
    await listener.settle();
    assert.deepEqual(
      listener.on(status).map(message => message.payload),
      ['offline'],
    );
    assert.match(broker.log(), /Received DISCONNECT from sockmon-gw1/);
  });
});

describe('reporter, broker away', { skip: skipWithoutMosquitto }, () => {
  it('makes one connection where the network is back before it starts: two would be rivals', async t => {
    const { listener, gate, telling, log } = await stage(t);
    await gate.open();
    const reporter = reporterOn(gate.port, log);
    t.after(() => reporter.stop());
    reporter.networkLost();
    reporter.networkBack();
    reporter.start(telling);
    await eventually('the state is told', () => listener.last(`${root}/state`));
    await listener.settle();
    assert.equal(gate.passed, 1);
    assert.equal(reporter.connection().connects, 1);
  });

  it('tells everything later, with the times of then', async t => {
    const { listener, gate, telling, log } = await stage(t);
    const reporter = started(t, telling, gate.port, log);
    await eventually('it has noticed', () => log.find(/cannot be reached/));
    const happenedMs = telling.now().wallMs;
    telling.outage();
    reporter.sync();
    assert.equal(reporter.connection().pending, 2);
    telling.nowMs += 3_600_000;
    await gate.open();
    reporter.networkBack();
    await eventually('both are told', () => listener.on(events).length === 2);
    const [down, recovered] = listener.json<EventMessage>(events);
    assert.equal(down?.began_at, new Date(happenedMs).toISOString());
    assert.equal(recovered?.began_at, new Date(happenedMs).toISOString());
    assert.equal(recovered?.ended_at, new Date(happenedMs + 1500).toISOString());
    assert.equal(recovered?.duration_s, 1.5);
    assert.equal(recovered?.told_late, true);
    assert.equal(recovered?.time_uncertain, false);
    await eventually('nothing is pending', () => reporter.connection().pending === 0);
  });

  it('gives a broker that forgot everything all that is retained, and no event that was told', async t => {
    const { broker, listener: before, gate, telling } = await stage(t);
    await gate.open();
    const { end } = telling.outage();
    telling.change({ last_outage: outageView(end.seq) });
    const reporter = started(t, telling, gate.port);
    await eventually('told', () => before.on(events).length === 2 && reporter.connection().pending === 0);
    await eventually('the cursor is written', () => telling.cursor === end.seq);
    await broker.stop('SIGKILL');
    await gate.close();
    await eventually('lost', () => reporter.connection().state === 'connecting');
    const { begin, end: second } = telling.outage();
    reporter.sync();
    const again = await startMosquitto({ port: broker.port });
    t.after(() => again.stop('SIGKILL'));
    const listener = await Listener.on(again);
    t.after(() => listener.close());
    await gate.open();
    await eventually('told', () => listener.on(events).length === 2);
    await listener.untilLast(status, 'online');
    await eventually('nothing is pending', () => reporter.connection().pending === 0);
    await listener.settle();
    assert.deepEqual(
      listener.json<EventMessage>(events).map(({ seq }) => seq),
      [begin.seq, second.seq],
    );
    assert.equal(reporter.connection().connects, 2);
    const late = await Listener.on(again);
    t.after(() => late.close());
    await late.settle();
    assert.deepEqual(
      late.heard
        .filter(({ retain }) => retain)
        .map(({ topic }) => topic)
        .sort(),
      [
        discovery,
        ...['about', 'last_outage', 'resource/dnsmasq', 'resource/tcpip', 'state'].map(
          name => `${root}/${name}`,
        ),
        status,
      ].sort(),
    );
  });

  it('says each refused topic once, and tells what is allowed', async t => {
    const acl =
      'topic read #\ntopic write mark/#\ntopic write sockmon/gw1/status\ntopic write sockmon/gw1/event\n';
    const { listener, broker, telling, log } = await stage(
      t,
      ['allow_anonymous true', 'acl_file %folder%/acl'],
      { acl },
    );
    telling.outage();
    const reporter = started(t, telling, broker.port, log);
    await eventually('told', () => listener.on(events).length === 2 && reporter.connection().pending === 0);
    for (let total = 1; total <= 3; total++) {
      telling.change({ outages_total: total });
      reporter.sync();
      await listener.settle();
    }
    await listener.untilLast(status, 'online');
    // It comes last, once what stands on its topic has been read.
    await eventually('discovery is refused', () => log.find(/The broker refused discovery /));
    for (const what of ['discovery', 'the state']) {
      const said = log.lines.filter(({ sentence }) => sentence.startsWith(`The broker refused ${what} `));
      assert.equal(said.length, 1, what);
    }
    assert.equal(reporter.connection().connects, 1);
  });

  it('ends within about a second without a broker and with one that hangs', async t => {
    const alone = started(t, new FakeTelling(), await freePort());
    await alone.stop();

    const { gate } = await stage(t);
    await gate.open();
    const reporter = started(t, new FakeTelling(), gate.port);
    await connected(reporter);
    gate.freeze();
    const startMs = performance.now();
    await reporter.stop();
    const tookMs = performance.now() - startMs;
    assert.ok(tookMs < 10_000, `stop took ${tookMs} ms`);
  });

  it('leaves its will when it dies', async t => {
    const { listener, gate, telling } = await stage(t);
    await gate.open();
    started(t, telling, gate.port);
    await listener.untilLast(status, 'online');
    await gate.close();
    await listener.untilLast(status, 'offline');
  });
});

describe('exactly once in effect', { skip: skipWithoutMosquitto }, () => {
  it('tells unacknowledged facts again with the same number, acknowledged ones never', async t => {
    const { listener, gate, telling } = await stage(t);
    await gate.open();
    telling.outage();
    const first = started(t, telling, gate.port);
    await eventually('the first outage is acknowledged', () => telling.cursor === 3);
    // What the first process says now is in flight for ever.
    gate.freeze();
    const { begin, end } = telling.outage();
    first.sync();
    await first.stop();
    assert.equal(telling.cursor, 3);

    gate.thaw();
    const second = started(t, telling, gate.port);
    await eventually('the second outage is acknowledged', () => telling.cursor === end.seq);
    await second.stop();
    const third = started(t, telling, gate.port);
    await connected(third);
    await listener.settle();
    assert.deepEqual(
      listener.json<EventMessage>(events).map(fact => fact.seq),
      [1, 3, begin.seq, end.seq],
    );
  });

  it('tells again what the broker got but never acknowledged to us, under the same number', async t => {
    const { broker, listener, gate, telling } = await stage(t);
    await gate.open();
    const first = started(t, telling, gate.port);
    // Until the first acknowledgement the outbox holds back all but four messages.
    await eventually('discovery is acknowledged', () => telling.announcedNow.entities.length > 0);
    await listener.settle();
    // The broker takes and passes on, its acknowledgement comes too late for the first process.
    process.kill(broker.pid, 'SIGSTOP');
    const { begin, end } = telling.outage();
    first.sync();
    await first.stop();
    process.kill(broker.pid, 'SIGCONT');
    assert.equal(telling.cursor, 0);
    await eventually('the broker passed it on', () => listener.on(events).length === 2);

    const second = started(t, telling, gate.port);
    await eventually('acknowledged', () => telling.cursor === end.seq);
    await listener.settle();
    assert.equal(second.connection().pending, 0);
    assert.deepEqual(
      listener.json<EventMessage>(events).map(fact => fact.seq),
      [begin.seq, end.seq, begin.seq, end.seq],
    );
  });

  it('keeps refused facts in the journal and tells them once they are allowed', async t => {
    const acl = 'topic read #\ntopic write mark/#\ntopic write sockmon/gw1/status\n';
    const broker = await startMosquitto({
      lines: ['allow_anonymous true', 'acl_file %folder%/acl'],
      files: { acl },
    });
    t.after(() => broker.stop('SIGKILL'));
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const log = new MemoryLog();
    const telling = new FakeTelling();
    for (let i = 0; i < 30; i++) telling.outage();
    const reporter = started(t, telling, broker.port, log);
    await eventually('the refusal is told', () => log.find(/refused an event.*let this user write to/));
    assert.equal(telling.cursor, 0);
    assert.equal(reporter.connection().pending, 60);
    const refusals = () => broker.log().match(/Denied PUBLISH .*sockmon\/gw1\/event/g)?.length ?? 0;
    const before = refusals();
    reporter.sync();
    await eventually('they are refused again', () => refusals() > before);
    assert.equal(
      log.lines.filter(({ sentence }) => /refused an event/.test(sentence)).length,
      1,
      'which is told once',
    );

    writeFileSync(join(broker.folder, 'acl'), `${acl}topic write sockmon/gw1/#\n`);
    process.kill(broker.pid, 'SIGHUP');
    await eventually('the journal is told', () => {
      reporter.sync();
      return reporter.connection().pending === 0;
    });
    await listener.settle();
    const seqs = listener.json<EventMessage>(events).map(fact => fact.seq);
    assert.deepEqual([...new Set(seqs)].length, 60);
  });
});

describe('reporter, one of several resources', { skip: skipWithoutMosquitto }, () => {
  it('is told when it changes, and the others are not', async t => {
    const { broker, listener, telling } = await stage(t);
    const reporter = started(t, telling, broker.port);
    await eventually('all is told', () => listener.last(discovery));
    await listener.settle();
    listener.heard.length = 0;
    const { dnsmasq, ...others } = telling.snapshotNow.resources;
    telling.change({ resources: { dnsmasq: { ...(dnsmasq as ResourceView), state: 'held' }, ...others } });
    for (let i = 0; i < 10; i++) reporter.sync();
    await eventually('it is told', () => listener.last(`${root}/resource/dnsmasq`));
    await listener.settle();
    assert.deepEqual(listener.heard.map(({ topic }) => topic.replace(`${root}/`, '')).slice(0, 2), [
      'state',
      'resource/dnsmasq',
    ]);
    assert.equal(listener.on(`${root}/resource/dnsmasq`).length, 1);
    assert.deepEqual(listener.on(`${root}/resource/tcpip`), []);
    const [state] = listener.json<{ resources: object }>(`${root}/state`);
    assert.deepEqual(state?.resources, {
      watched: 2,
      up: 1,
      not_up: { dnsmasq: 'held' },
      network: { tcpip: { role: 'stack', state: 'up' } },
    });
  });

  it('is told at the end, also what has changed a moment before it', async t => {
    const { broker, listener, telling } = await stage(t);
    const reporter = started(t, telling, broker.port);
    await eventually('all is told', () => listener.last(discovery));
    telling.change({ outages_total: 42 });
    reporter.sync();
    await new Promise(resolve => setImmediate(resolve));
    await reporter.stop();
    await listener.settle();
    assert.equal(listener.json(`${root}/state`).at(-1)?.outages_total, 42);
    assert.equal(listener.last(status), 'offline');
  });
});

describe('reporter, a resource that is gone', { skip: skipWithoutMosquitto }, () => {
  const discovery = 'homeassistant/device/sockmon_gw1/config';
  const components = (listener: Listener) =>
    listener.json<{ components: Record<string, object> }>(discovery).at(-1)?.components ?? {};

  it('is taken back from Home Assistant, also when it went while sockmon was not running', async t => {
    const { broker, listener, telling } = await stage(t);
    const before = started(t, telling, broker.port);
    await eventually('discovery', () =>
      telling.announcedNow.entities.includes('running_dnsmasq binary_sensor'),
    );
    await before.stop();
    await listener.settle();
    assert.deepEqual(telling.announcedNow.resources, ['tcpip', 'dnsmasq']);
    assert.match(listener.last(`${root}/resource/dnsmasq`) ?? '', /"state":"up"/);

    const { dnsmasq: _, ...kept } = telling.snapshotNow.resources;
    telling.change({ resources: kept });
    const after = started(t, telling, broker.port);
    await eventually(
      'the removal is known',
      () => !telling.announcedNow.entities.includes('running_dnsmasq binary_sensor'),
    );
    await listener.settle();
    assert.deepEqual(components(listener).running_dnsmasq, { platform: 'binary_sensor' });
    assert.deepEqual(components(listener).restart_dnsmasq, { platform: 'button' });
    await eventually('its topic is gone', () => listener.last(`${root}/resource/dnsmasq`) === '');
    await eventually('that is noted', () => !telling.announcedNow.resources.includes('dnsmasq'));
    await after.stop();

    started(t, telling, broker.port);
    await eventually('discovery without it', () => components(listener).running_dnsmasq === undefined);
  });
});
