/** What others say on the discovery topic: an earlier sockmon, Home Assistant that deletes the device, nobody, a broker that minds. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { entitiesIn } from '../../src/mqtt/discovery-topic.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { Listener } from './listener.js';
import { type Mosquitto, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, resourceView, settingsFor } from './telling.js';

const topic = 'homeassistant/device/sockmon_gw1/config';
const stateTopic = 'sockmon/gw1/state';

type Components = Record<string, { platform: string; unique_id?: string }>;

function started(t: TestContext, port: number, telling: FakeTelling, protocol: '5' | '3.1.1' = '5') {
  const log = new MemoryLog();
  const settings = settingsFor(port, { protocol });
  // The answer to a birth message comes after a second.
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0, pace: 0.05 });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return { reporter, log };
}

async function heardAt(t: TestContext, broker: Mosquitto) {
  const listener = await Listener.on(broker);
  t.after(() => listener.close());
  return listener;
}

async function brokerFor(t: TestContext, lines?: readonly string[], files: Record<string, string> = {}) {
  const broker = await startMosquitto(lines === undefined ? {} : { lines, files });
  t.after(() => broker.stop('SIGKILL'));
  return { broker, listener: await heardAt(t, broker) };
}

const componentsAt = (listener: Listener): Components[] =>
  listener.json<{ components: Components }>(topic).map(({ components }) => components);
const known = (telling: FakeTelling): readonly string[] => telling.announced().entities;
const announced = (telling: FakeTelling) => eventually('it is announced', () => known(telling).length > 0);

/** With one resource more than the next start has. */
const earlier = (): FakeTelling => {
  const telling = new FakeTelling();
  const { resources } = telling.snapshotNow;
  telling.change({ resources: { ...resources, old: resourceView({ role: 'service', carrier: null }) } });
  return telling;
};

describe('the message of an earlier sockmon', { skip: skipWithoutMosquitto }, () => {
  for (const protocol of ['5', '3.1.1'] as const) {
    it(`names what a lost journal cannot: it is removed, at once and once, by MQTT ${protocol}`, async t => {
      const { broker, listener } = await brokerFor(t);
      const before = earlier();
      const first = started(t, broker.port, before, protocol);
      await announced(before);
      await first.reporter.stop();

      const told = componentsAt(listener).length;
      const telling = new FakeTelling();
      const second = started(t, broker.port, telling, protocol);
      await announced(telling);
      await listener.settle();
      const [components, ...more] = componentsAt(listener).slice(told);
      assert.deepEqual(more, []);
      assert.deepEqual(components?.running_old, { platform: 'binary_sensor' });
      assert.deepEqual(components?.restart_old, { platform: 'button' });
      assert.equal(components?.running_dnsmasq?.unique_id, 'sockmon_gw1_running_dnsmasq');
      assert.equal(known(telling).includes('running_old binary_sensor'), false);
      await second.reporter.stop();

      const third = new FakeTelling();
      started(t, broker.port, third, protocol);
      await announced(third);
      await listener.settle();
      assert.equal(componentsAt(listener).at(-1)?.running_old, undefined);
    });
  }

  it('is not needed: where nothing is stored everything is announced', async t => {
    const { broker, listener } = await brokerFor(t);
    const telling = new FakeTelling();
    started(t, broker.port, telling);
    await announced(telling);
    const [components] = componentsAt(listener);
    assert.ok(components && Object.values(components).every(one => one.unique_id !== undefined));
  });

  it('may be forbidden to read: everything is announced, without a complaint', async t => {
    const acl =
      'topic readwrite sockmon/#\ntopic write homeassistant/device/#\ntopic read homeassistant/status\n';
    const lines = ['allow_anonymous true', 'acl_file %folder%/acl'];
    const broker = await startMosquitto({ lines, files: { acl } });
    t.after(() => broker.stop('SIGKILL'));
    const telling = new FakeTelling();
    const { log } = started(t, broker.port, telling);
    await announced(telling);
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'warn' || level === 'error'),
      [],
    );
  });

  it('of somebody else, or broken, is nobody’s', () => {
    const component = { platform: 'sensor', unique_id: 'x' };
    const ours = {
      origin: { name: 'sockmon' },
      components: { one: component, gone: { platform: 'sensor' } },
    };
    assert.deepEqual([...entitiesIn(JSON.stringify(ours))], [['one', 'sensor']]);
    const others = [
      '',
      '{',
      'null',
      '[]',
      JSON.stringify({ ...ours, origin: { name: 'zigbee2mqtt' } }),
      JSON.stringify({ ...ours, origin: undefined }),
      JSON.stringify({ ...ours, components: [component] }),
      JSON.stringify({ ...ours, components: { 'a b': component } }),
      JSON.stringify({ ...ours, components: { one: { ...component, platform: 'toaster' } } }),
      JSON.stringify({ ...ours, components: { one: null } }),
    ];
    for (const text of others) assert.equal(entitiesIn(text).size, 0, text);
  });
});

describe('an empty message on the discovery topic', { skip: skipWithoutMosquitto }, () => {
  for (const protocol of ['5', '3.1.1'] as const) {
    it(`ends the device until sockmon is started again, by MQTT ${protocol}`, async t => {
      const { broker, listener } = await brokerFor(t);
      const gate = await Gate.to(broker);
      t.after(() => gate.close());
      await gate.open();
      const telling = new FakeTelling();
      const { reporter, log } = started(t, gate.port, telling, protocol);
      await announced(telling);
      // Once per entity, as Home Assistant does.
      for (let n = 0; n < 3; n++) await listener.publish(topic, '', true);
      await eventually('it is noticed', () => log.find(/deleted the device/));
      const told = () => listener.on(topic).filter(({ payload }) => payload !== '').length;
      const before = told();

      const states = listener.on(stateTopic).length;
      await listener.publish('homeassistant/status', 'online');
      await eventually('the birth is answered', () => listener.on(stateTopic).length > states);
      telling.change({
        resources: { ...telling.snapshotNow.resources, ntp: resourceView({ role: 'service' }) },
      });
      reporter.sync();
      await eventually('it is told', () => listener.last('sockmon/gw1/resource/ntp'));
      await gate.close();
      await eventually('it is away', () => reporter.connection().state !== 'connected');
      await gate.open();
      reporter.networkBack();
      await eventually('it is back', () => listener.last('sockmon/gw1/status') === 'online');
      await eventually('all is told', () => reporter.connection().connects === 2);
      await listener.settle();
      assert.equal(told(), before);
      assert.equal(log.lines.filter(({ sentence }) => /deleted the device/.test(sentence)).length, 1);
      await reporter.stop();

      const again = new FakeTelling();
      started(t, broker.port, again, protocol);
      await announced(again);
      assert.equal(told(), before + 1);
    });
  }

  it('is not what one of its own, of a rival or of another topic is', async t => {
    const { broker, listener } = await brokerFor(t);
    const telling = new FakeTelling();
    const { reporter, log } = started(t, broker.port, telling);
    await announced(telling);
    await listener.publish(topic, '{"components":{}}', true);
    await listener.publish('homeassistant/device/sockmon_gw2/config', '', true);
    await listener.publish('sockmon/gw1/cmd/reboot', '', true);
    const before = listener.on(topic).length;
    telling.change({
      resources: { ...telling.snapshotNow.resources, ntp: resourceView({ role: 'service' }) },
    });
    reporter.sync();
    await eventually('the change is announced', () => listener.on(topic).length > before);
    assert.equal(log.find(/deleted the device/), undefined);
  });
});

describe('a broker that minds who reads discovery', () => {
  it('and hangs up is not asked a third time, and is told everything', async t => {
    const broker = await StandIn.start(t, { hangsUpAtSubscribe: filter => filter === topic });
    const telling = new FakeTelling();
    const { reporter } = started(t, broker.port, telling);
    await announced(telling);
    assert.equal(reporter.connection().connects, 3);
    assert.equal(reporter.connection().problem, null);
  });

  it('and says nothing does not keep the device from Home Assistant', async t => {
    const broker = await StandIn.start(t, { grants: filter => filter !== topic });
    const telling = new FakeTelling();
    started(t, broker.port, telling);
    await announced(telling);
    assert.ok(broker.on(stateTopic).length > 0);
  });
});
