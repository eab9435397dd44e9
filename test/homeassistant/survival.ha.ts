/**
 * An installation of the build before, in a running Home Assistant: its entities, their ids and what their owner has changed survive the new
 * topics, and a broker that from one day on takes no large packet.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { repository } from '../lab/paths.js';
import { until } from '../lab/wait.js';
import { Listener } from '../mqtt/listener.js';
import { type Mosquitto, startMosquitto } from '../mqtt/mosquitto.js';
import { resourceView } from '../mqtt/telling.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';

const discovery = 'homeassistant/device/sockmon_gw1/config';
const oldPayload = readFileSync(`${repository}test/homeassistant/discovery.before.json`, 'utf8');
const oldComponents: Record<string, { platform: string }> = JSON.parse(oldPayload).components;
const running = 'binary_sensor.gw1_running_dnsmasq';
/** As the build before told it, as far as these entities read it. */
const oldState = JSON.stringify({
  resources: { dnsmasq: { state: 'up' }, pppd: { state: 'up' } },
  recovery: 'watching',
  problems: [],
  held: [],
  detection: { quality: 'full', notes: [] },
  reboot: { left: 3 },
  outages_24h: 0,
  outages_total: 4,
  uptime_24h_pct: 100,
  uptime_30d_pct: 100,
  pause: null,
  pause_time_s: 600,
  last_stack_outage: null,
  boot: { at: '2026-01-01T00:00:00.000Z', reason: 'power', by: 'other' },
  connection: { protocol: '5', since: '2026-01-01T00:00:00.000Z', connects: 1 },
});
const resources = {
  tcpip: resourceView(),
  dnsmasq: resourceView({ role: 'service', carrier: null }),
  pppd: resourceView({ role: 'service', carrier: null, restart: null }),
};
/** What Home Assistant says of a broker that goes away, which it does here on purpose. */
const brokerGone =
  /Disconnected from MQTT server|Failed to connect to MQTT server|failed to receive on socket|The connection was lost|Connection refused/;

interface RegistryEntry {
  readonly entity_id: string;
  /** Of the registry itself: another one is another history. */
  readonly id: string;
  readonly unique_id: string;
  readonly name: string | null;
  readonly platform: string;
}

describe('an installation of the build before', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-upgrade-'));
  const lines = (...more: string[]) => [
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    ...more,
  ];
  let broker: Mosquitto;
  let home: HomeAssistant;
  let gateway: Gateway;
  let registered: Record<string, RegistryEntry>;

  const registry = async (): Promise<Record<string, RegistryEntry>> => {
    const all = await home.call<RegistryEntry[]>({ type: 'config/entity_registry/list' });
    const ours = all.filter(({ platform }) => platform === 'mqtt');
    return Object.fromEntries(
      ours.map(({ entity_id, id, unique_id, name, platform }) => [
        unique_id,
        { entity_id, id, unique_id, name, platform },
      ]),
    );
  };
  const everythingAvailable = async (): Promise<void> => {
    for (const { entity_id } of Object.values(registered))
      await home.waitForState(entity_id, ({ state }) => state !== 'unavailable');
  };
  const complaints = () =>
    home.complaints().filter(line => /mqtt|sockmon|gw1/i.test(line) && !brokerGone.test(line));

  before(async () => {
    broker = await startMosquitto({ lines: lines() });
    const publisher = await Listener.on(broker);
    await publisher.publish(discovery, oldPayload, true);
    await publisher.publish('sockmon/gw1/state', oldState, true);
    await publisher.publish('sockmon/gw1/status', 'online', true);
    await publisher.close();
    home = await HomeAssistant.start({ mqttPort: broker.port });
    await home.waitForState(running, 'on');
    await home.call({ type: 'config/entity_registry/update', entity_id: running, name: 'My name server' });
    await until(
      'all entities',
      async () => Object.keys(await registry()).length === Object.keys(oldComponents).length,
    );
    registered = await registry();
  });
  after(async () => {
    await gateway?.stop();
    await home?.stop();
    await broker?.stop('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('keeps each entity when the new build tells its own discovery', async () => {
    const entities = Object.entries(oldComponents).map(([key, { platform }]) => `${key} ${platform}`);
    gateway = await Gateway.start(broker, 'gw1', { entities }, { resources, outages_total: 5 });
    // Read from the topics of the new build.
    await home.waitForState('sensor.gw1_outages_total', '5');
    await home.waitForState(
      running,
      ({ state, attributes }) => state === 'on' && attributes.resource_state === 'up',
    );
    gateway.change({ resources: { ...resources, dnsmasq: { ...resources.dnsmasq, state: 'held' } } });
    await gateway.reconnect();
    await home.waitForState(running, 'off');
    gateway.change({ resources });
    await gateway.reconnect();
    await home.waitForState(running, 'on');
    await home.waitForState('sensor.gw1_mqtt_protocol', '5');
    await everythingAvailable();
    assert.deepEqual(await registry(), registered);
    assert.deepEqual(complaints(), []);
  });

  it('keeps them when the broker takes no large packet any more, and each is told by itself', async () => {
    const known = gateway.telling.announcedNow;
    await gateway.stop();
    // What it has stored, the message for the device among it, is there again.
    await broker.stop();
    const { port } = broker;
    broker = await startMosquitto({ port, lines: lines('max_packet_size 4000') });
    await home.waitForState('binary_sensor.gw1_stack_alive', 'off');
    gateway = await Gateway.start(broker, 'gw1', known, { resources, outages_total: 6 });
    await until('each to be told', () => gateway.telling.announcedNow.each);
    await home.waitForState('sensor.gw1_outages_total', '6');
    await home.waitForState(
      running,
      ({ state, attributes }) => state === 'on' && attributes.friendly_name !== undefined,
    );
    await everythingAvailable();
    assert.deepEqual(await registry(), registered);
  });

  it('has them all after a restart of Home Assistant', async () => {
    const before = complaints().length;
    await home.restart();
    await everythingAvailable();
    assert.deepEqual(await registry(), registered);
    assert.deepEqual(complaints().slice(before), []);
  });

  it('loses one whose resource is gone, and only that', async () => {
    const { pppd: _, ...kept } = resources;
    gateway.change({ resources: kept });
    await gateway.reconnect();
    await until('it to be gone', async () => !('sockmon_gw1_running_pppd' in (await registry())));
    const { sockmon_gw1_running_pppd: __, ...rest } = registered;
    assert.deepEqual(await registry(), rest);
  });

  it('was told of by few lines in the log', t => {
    for (const line of complaints()) t.diagnostic(line);
    // Home Assistant says so where it has let go of all entities of a device already.
    assert.ok(
      complaints().every(line => /No device components to cleanup/.test(line)),
      complaints().join('\n'),
    );
  });
});
