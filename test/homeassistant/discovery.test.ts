/** The discovery payload: refused by nobody, and what we promise. The validator first has to show that it refuses. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { Mismatch } from '../../src/base/shape.js';
import { type DiscoveryInput, discoveryOf, platformsOf } from '../../src/homeassistant/discovery.js';
import { press, runCommandShape } from '../../src/mqtt/commands.js';
import { eventTypes } from '../../src/mqtt/events.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { type Json, validate } from './validator.js';

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const topic = 'homeassistant/device/sockmon_gw1/config';

const input = (more: Partial<DiscoveryInput> = {}): DiscoveryInput => ({
  node: 'gw1',
  version: '0.1.0',
  topics,
  eventTypes,
  press,
  watched: [
    { id: 'tcpip', role: 'stack', restartable: true },
    { id: 'dnsmasq', role: 'service', restartable: true },
    { id: 'pppd', role: 'service', restartable: false },
  ],
  ...more,
});

const payload = discoveryOf(input());
const components = payload.components as Record<string, Json>;
const component = (key: string): Json => {
  const found = components[key];
  assert.ok(found, key);
  return found;
};

describe('the validator', () => {
  const device = { identifiers: ['x'], name: 'X' };
  const origin = { name: 'sockmon' };
  const sensor = { platform: 'sensor', unique_id: 'a', state_topic: 't' };
  const whole = (more: Json = {}, components: Json = { a: sensor }) =>
    validate(topic, JSON.stringify({ device, origin, components, ...more }));
  const one = (more: Json) => whole({}, { a: { ...sensor, ...more } });

  it('takes the least there can be, long and abbreviated', () => {
    assert.deepEqual(whole(), []);
    const short = {
      dev: { ids: 'x', mf: 'y', sw: '1' },
      o: { name: 'n', sw: '1' },
      cmps: {
        a: { p: 'sensor', uniq_id: 'a', stat_t: 't', dev_cla: 'duration', unit_of_meas: 's', avty_t: 'x' },
        gone: { p: 'button' },
      },
    };
    assert.deepEqual(validate(topic, JSON.stringify(short)), []);
    assert.deepEqual(whole({ state_topic: 't' }, { a: { platform: 'sensor', unique_id: 'a' } }), []);
  });

  const lost: [string, () => unknown[]][] = [
    ['no JSON', () => validate(topic, '{')],
    ['no object', () => validate(topic, '[]')],
    ['a dot in the topic', () => validate('homeassistant/device/gw.local/config', JSON.stringify(payload))],
    ['an unknown root key', () => whole({ extra: 1 })],
    ['~ at the root', () => whole({ '~': 'base' })],
    ['qos at the root', () => whole({ qos: 1 })],
    ['no device', () => whole({ device: undefined })],
    ['a device without ids', () => whole({ device: { name: 'x' } })],
    ['an empty list of ids', () => whole({ device: { identifiers: [] } })],
    ['an unknown device key', () => whole({ device: { ...device, colour: 'red' } })],
    ['a device name that is no string', () => whole({ device: { ...device, name: 7 } })],
    ['no origin', () => whole({ origin: undefined })],
    ['an origin without name', () => whole({ origin: {} })],
    ['an unknown origin key', () => whole({ origin: { ...origin, x: 1 } })],
    ['no components', () => whole({ components: undefined })],
    ['a component key with a space', () => whole({}, { 'a b': sensor })],
    ['an unsupported platform', () => one({ platform: 'toaster' })],
    ['no unique_id', () => one({ unique_id: undefined })],
    ['a unique_id twice', () => whole({}, { a: sensor, b: sensor })],
    ['no state_topic', () => one({ state_topic: undefined })],
    ['a wildcard topic', () => one({ state_topic: 'a/#' })],
    ['an unknown key', () => one({ payload_on: 'ON' })],
    ['object_id', () => one({ object_id: 'x' })],
    ['availability twice', () => one({ availability: [{ topic: 't' }], availability_topic: 't' })],
    [
      'availability twice after the merge',
      () => whole({ availability_topic: 't' }, { a: { ...sensor, availability: [{ topic: 't' }] } }),
    ],
    ['a strange availability', () => one({ availability: [{ topic: 't', payload_on: 'x' }] })],
    ['the wrong entity domain', () => one({ default_entity_id: 'button.a' })],
    ['a bad entity id', () => one({ default_entity_id: 'sensor.a__B' })],
    ['an unknown device_class', () => one({ device_class: 'uptime' })],
    ['a unit that does not fit', () => one({ device_class: 'duration', unit_of_measurement: 'seconds' })],
    ['a duration without unit', () => one({ device_class: 'duration' })],
    ['a unit on a timestamp', () => one({ device_class: 'timestamp', unit_of_measurement: 's' })],
    ['a state_class on a timestamp', () => one({ device_class: 'timestamp', state_class: 'measurement' })],
    ['options without enum', () => one({ options: ['a'] })],
    ['enum without options', () => one({ device_class: 'enum' })],
    ['enum with a state_class', () => one({ device_class: 'enum', options: ['a'], state_class: 'total' })],
    ['last_reset without total', () => one({ last_reset_value_template: 'x', state_class: 'measurement' })],
    ['entity_category config on a sensor', () => one({ entity_category: 'config' })],
    ['a negative precision', () => one({ suggested_display_precision: -1 })],
    ['qos 3', () => one({ qos: 3 })],
    ['an event without types', () => one({ platform: 'event' })],
    [
      'an event of a foreign class',
      () => one({ platform: 'event', event_types: ['a'], device_class: 'restart' }),
    ],
    [
      'a retained button',
      () => whole({}, { a: { platform: 'button', unique_id: 'a', command_topic: 't', retain: true } }),
    ],
    ['equal payloads', () => one({ platform: 'binary_sensor', payload_on: 'x', payload_off: 'x' })],
  ];
  for (const [what, run] of lost) {
    it(`refuses ${what}`, () => assert.ok(run().length > 0));
  }
});

describe('the discovery payload', () => {
  it('is taken whole', () => {
    assert.deepEqual(validate(topic, JSON.stringify(payload)), []);
  });

  it('is the golden one', () => {
    const path = 'test/homeassistant/discovery.golden.json';
    if (process.env.SOCKMON_GOLDEN === 'write')
      writeFileSync(fromRoot(path), `${JSON.stringify(payload, null, 2)}\n`);
    assert.deepEqual(JSON.parse(JSON.stringify(payload)), JSON.parse(readFileSync(fromRoot(path), 'utf8')));
  });

  it('is taken for any node and any resources', () => {
    const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/);
    const watched = fc.uniqueArray(
      fc.record({
        id,
        role: fc.constantFrom('stack' as const, 'service' as const),
        restartable: fc.boolean(),
      }),
      { selector: one => one.id, maxLength: 8 },
    );
    fc.assert(
      fc.property(id, watched, (node, watched) => {
        const topics = topicsOf('sockmon', node, 'homeassistant');
        const text = JSON.stringify(discoveryOf(input({ node, watched, topics })));
        assert.deepEqual(validate(topics.discovery ?? '', text), []);
      }),
    );
  });

  it('says that the stack is alive for online alone, and never that this is unavailable', () => {
    const alive = component('alive');
    assert.equal(alive.state_topic, topics.status);
    assert.equal(alive.availability, undefined);
    assert.equal(alive.device_class, 'connectivity');
    assert.match(String(alive.value_template), /value == 'online'/);
  });

  it('leaves facts about the past available, and nothing else', () => {
    const lasting = Object.keys(components).filter(key => components[key]?.availability === undefined);
    assert.deepEqual(lasting.sort(), [
      'alive',
      'event',
      'last_boot',
      'last_boot_reason',
      'last_outage',
      'last_outage_attempts',
      'last_outage_cause',
      'last_outage_duration',
      'last_outage_outcome',
      'outages_24h',
      'outages_total',
    ]);
  });

  it('announces exactly the events that can be told', () => {
    assert.deepEqual(component('event').event_types, [...eventTypes]);
  });

  it('has buttons that send what the commands take', () => {
    assert.equal(component('reboot').payload_press, press);
    assert.equal(component('reboot').command_topic, topics.reboot);
    const restart = component('restart_dnsmasq');
    assert.equal(restart.command_topic, topics.run);
    const pressed = String(restart.command_template)
      .replace('{{ (now().timestamp() * 1000) | int }}', '1790000000123')
      .replace('{{ range(10000, 99999) | random }}', '654321')
      .replace('{{ now().isoformat() }}', '2026-09-21T15:33:20.123456+02:00');
    assert.doesNotMatch(pressed, /\{\{|\}\}/);
    const command = runCommandShape(JSON.parse(pressed));
    assert.ok(!(command instanceof Mismatch), pressed);
    assert.equal(command.action, 'restart');
    assert.equal(command.target, 'dnsmasq');
    assert.equal(components.restart_pppd, undefined);
  });

  it('raises an alarm for what sockmon cannot mend', () => {
    const { device_class, state_topic, value_template } = component('problem');
    assert.deepEqual([device_class, state_topic], ['problem', topics.state]);
    assert.match(String(value_template), /value_json\.problems/);
  });

  it('shows each service, and no stack, as running or not', () => {
    const running = Object.keys(components).filter(key => key.startsWith('running_'));
    assert.deepEqual(running, ['running_dnsmasq', 'running_pppd']);
  });

  it('never repeats the device in a name', () => {
    for (const [key, one] of Object.entries(components)) {
      assert.ok(!String(one.name).toLowerCase().includes('gw1'), key);
    }
  });

  it('takes back what is gone', () => {
    const before = platformsOf(input().watched, input());
    const watched = input().watched.filter(one => one.id !== 'dnsmasq');
    const now = platformsOf(watched, input());
    const gone = new Map([...before].filter(([key]) => !now.has(key)));
    const next = discoveryOf(input({ watched, gone }));
    assert.deepEqual(next.components.running_dnsmasq, { platform: 'binary_sensor' });
    assert.deepEqual(next.components.restart_dnsmasq, { platform: 'button' });
    assert.deepEqual(validate(topic, JSON.stringify(next)), []);
  });
});

/** The tests run compiled, the golden file lies among the sources. */
function fromRoot(path: string): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; ; folder = dirname(folder)) {
    try {
      readFileSync(join(folder, 'tsconfig.json'));
      readFileSync(join(folder, path));
      return join(folder, path);
    } catch (error) {
      if (folder === dirname(folder)) throw error;
    }
  }
}
