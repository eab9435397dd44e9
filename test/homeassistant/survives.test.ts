/** An installation of the build before resources had topics of their own: its ids, and with them its history, survive. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { type DiscoveryInput, discoveryOf, entityDiscoveryOf } from '../../src/homeassistant/discovery.js';
import type { Platform } from '../../src/homeassistant/entity.js';
import { Announcer } from '../../src/mqtt/announcer.js';
import { press } from '../../src/mqtt/commands.js';
import { eventTypes } from '../../src/mqtt/events.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { repository } from '../lab/paths.js';
import { type Json, validateEntity } from './validator.js';

/** What that build published. */
const before = JSON.parse(readFileSync(`${repository}test/homeassistant/discovery.before.json`, 'utf8')) as {
  device: Json;
  components: Record<string, Json>;
};

const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
const watched = [
  { id: 'tcpip', role: 'stack', restartable: true },
  { id: 'dnsmasq', role: 'service', restartable: true },
  { id: 'pppd', role: 'service', restartable: false },
] as const;
const input: DiscoveryInput = { node: 'gw1', version: '0.2.0', topics, eventTypes, press, watched };

const idOf = ({ platform, unique_id, default_entity_id }: Json) => [platform, unique_id, default_entity_id];
const idsBefore = Object.entries(before.components).map(([key, component]) => [key, ...idOf(component)]);

describe('an installation of the build before', () => {
  it('keeps each entity: key, platform, unique id and entity id', () => {
    const { components } = discoveryOf(input);
    assert.deepEqual(
      Object.entries(components).map(([key, component]) => [key, ...idOf(component)]),
      idsBefore,
    );
  });

  it('keeps its device', () => {
    assert.deepEqual(discoveryOf(input).device.identifiers, before.device.identifiers);
  });

  it('is told to remove nothing', () => {
    const known = Object.entries(before.components).map(([key, { platform }]) => `${key} ${platform}`);
    const announcer = new Announcer({ node: 'gw1', topics, area: null, known });
    const { components } = JSON.parse(announcer.announcement(watched, '0.2.0').device()) as {
      components: Record<string, Json>;
    };
    const removed = Object.entries(components).filter(([, component]) => component.unique_id === undefined);
    assert.deepEqual(removed, []);
  });

  it('keeps them also where each is told by itself, and Home Assistant takes each', () => {
    const each = [...entityDiscoveryOf(input)];
    assert.deepEqual(
      each.map(({ key, platform, payload }) => [key, ...idOf({ ...payload, platform })]),
      idsBefore,
    );
    for (const { key, platform, payload } of each) {
      assert.deepEqual(validateEntity(topics.entity(platform, key), JSON.stringify(payload)), [], key);
      assert.deepEqual(payload.device, discoveryOf(input).device);
    }
  });

  it('would lose one whose platform is another: the test can tell', () => {
    const [first] = [...entityDiscoveryOf(input)];
    const wrong = topics.entity('button' satisfies Platform, first?.key ?? '');
    assert.notDeepEqual(validateEntity(wrong, JSON.stringify(first?.payload)), []);
  });
});
