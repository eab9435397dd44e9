/** What could be missed: an interface that stands by, and one of two families. Told, and nothing is done about it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorInput } from '../../src/core/input.js';
import { describe as describeEntry } from '../../src/core/words.js';
import { World } from './world.js';

const uplink = { sensor: 1, interface: 'wan0', interfaceIndex: 2, carrier: true };

function living(more: Partial<SensorInput> = {}): World {
  const world = new World();
  world.up();
  world.sensor('tcpip', 'up', { ...uplink, ...more });
  return world;
}

const told = (world: World) => world.of('notice').map(({ what, detail }) => `${what}: ${detail}`);

function isLeftAlone(world: World): void {
  assert.equal(world.phase().name, 'up');
  assert.equal(world.of('outage_begin').length + world.of('attempt').length, 0);
}

describe('one of two families', () => {
  const both = { families: ['IPv4', 'IPv6'] };

  it('that is lost, and is back, is a note', () => {
    const world = living(both);
    world.sensor('tcpip', 'up', { ...uplink, families: ['IPv4'] });
    world.sensor('tcpip', 'up', { ...uplink, ...both });
    assert.deepEqual(told(world), [
      'family_lost: IPv6 leads to the internet no more; IPv4 does, and nothing is restarted for that',
      'family_back: IPv6 leads to the internet',
    ]);
    assert.deepEqual(
      world.entries.slice(-2).map(entry => describeEntry(entry).level),
      ['warn', 'info'],
    );
    isLeftAlone(world);
  });

  it('is not told where it is not known, or nothing has changed', () => {
    const world = living();
    world.sensor('tcpip', 'up', { ...uplink, ...both });
    world.sensor('tcpip', 'up', { ...uplink, ...both });
    world.sensor('tcpip', 'up', uplink);
    assert.deepEqual(told(world), []);
  });

  it('may be lost together with what stands by, and both are told', () => {
    const world = living({ ...both, standby: ['lte0'] });
    world.sensor('tcpip', 'up', { ...uplink, families: ['IPv6'], standby: [] });
    assert.deepEqual(
      world.of('notice').map(({ what }) => what),
      ['standby_lost', 'family_lost'],
    );
    isLeftAlone(world);
  });
});

describe('an interface that stands by', () => {
  it('and is lost, and is back, is a note', () => {
    const world = living({ standby: ['lte0'] });
    world.sensor('tcpip', 'up', { ...uplink, standby: [] });
    world.sensor('tcpip', 'up', { ...uplink, standby: ['lte0'] });
    assert.deepEqual(told(world), [
      'standby_lost: lte0, which stood by, leads to the internet no more; wan0 carries the traffic, and nothing is restarted for that',
      'standby_back: lte0 stands by beside wan0',
    ]);
    isLeftAlone(world);
  });
});
