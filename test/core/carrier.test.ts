/** A carrier that comes and goes: told while it is news, and once when it is not. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describe as describeEntry } from '../../src/core/words.js';
import { eventOf } from '../../src/mqtt/events.js';
import { World } from './world.js';

const minuteMs = 60_000;

function plugged(): World {
  const world = new World();
  world.up();
  noteRepeat(world, true);
  return world;
}

function noteRepeat(world: World, carrier: boolean) {
  return world.sensor('tcpip', 'up', { sensor: 1, carrier, interface: 'eth0' });
}

function repeats(world: World, count: number, apartMs: number): void {
  for (let n = 0; n < count; n++) {
    world.advance(apartMs);
    noteRepeat(world, n % 2 === 1);
  }
}

const whats = (world: World) => world.of('notice').map(({ what }) => what);

describe('a carrier', () => {
  it('that keeps coming and going is told four times, then once as such, then when it has been still for a minute', () => {
    const world = plugged();
    repeats(world, 600, 100);
    assert.deepEqual(whats(world), [
      'carrier_lost',
      'carrier_back',
      'carrier_lost',
      'carrier_back',
      'flapping',
    ]);
    assert.deepEqual(world.look().problems, ['tcpip: the carrier of eth0 keeps coming and going']);
    assert.equal(world.phase().name, 'up');
    const lastMs = world.bootMs;
    world.advance(59_000);
    world.input({ kind: 'tick' });
    assert.equal(world.of('notice').length, 5);
    assert.equal(world.deadline(), lastMs + minuteMs);
    world.wait();
    assert.equal(whats(world).at(-1), 'steady');
    assert.match(world.of('notice').at(-1)?.detail ?? '', /eth0 has its carrier, and has been still/);
    assert.deepEqual(world.look().problems, []);
    assert.equal(world.deadline(), null);
    repeats(world, 1, 1000);
    assert.equal(whats(world).at(-1), 'carrier_lost');
  });

  it('that comes to rest without a cable is told so', () => {
    const world = plugged();
    repeats(world, 7, 1000);
    world.wait();
    assert.match(world.of('notice').at(-1)?.detail ?? '', /eth0 is without a carrier/);
  });

  it('that comes and goes every half minute is told each time', () => {
    const world = plugged();
    repeats(world, 20, minuteMs / 2);
    assert.equal(world.of('notice').length, 20);
    assert.ok(!whats(world).includes('flapping'));
  });

  it('that is back lets the broker be tried at once, also when that is not told', () => {
    const world = plugged();
    repeats(world, 20, 100);
    const effects = noteRepeat(world, false).concat(noteRepeat(world, true));
    assert.deepEqual(
      effects.filter(({ do: what }) => what !== 'arm'),
      [{ do: 'network', state: 'back' }],
    );
  });

  it('is still told right when the interface dies meanwhile', () => {
    const world = plugged();
    repeats(world, 8, 100);
    world.die();
    world.advance(2 * minuteMs);
    world.input({ kind: 'tick' });
    assert.ok(whats(world).includes('steady'));
  });

  it('has its words for people and for the broker', () => {
    const world = plugged();
    repeats(world, 5, 100);
    const named = world.entries.at(-1);
    assert.ok(named);
    assert.match(describeEntry(named).text, /^tcpip: the carrier of eth0 keeps coming and going/);
    const event = eventOf(named, { now: world.history.seenFrom(world.now()), role: () => 'network' });
    assert.equal(event?.event_type, 'flapping');
    assert.match(event?.detail ?? '', /eth0/);
  });
});
