/** A fault of detection begins and ends; both are told, and neither too often. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FaultOf } from '../../src/core/detection.js';
import type { ResourcePolicy } from '../../src/core/policy.js';
import { describe as describeEntry } from '../../src/core/words.js';
import { eventOf } from '../../src/mqtt/events.js';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const link: FaultOf = { what: 'sensor', resource: 'tcpip', sensor: 1 };
const stack: FaultOf = { what: 'sensor', resource: 'tcpip', sensor: 0 };
const reflex: FaultOf = { what: 'reflex', resource: 'tcpip' };
const watching: FaultOf = { what: 'watching', resource: 'tcpip' };

function begins(world: World, of: FaultOf = link, detail = 'ENOMEM') {
  return world.input({ kind: 'fault', of, detail, active: true });
}
function ends(world: World, of: FaultOf = link) {
  return world.input({ kind: 'fault', of, detail: '', active: false });
}
const told = (world: World) => world.of('notice').map(({ what, detail }) => `${what} ${detail}`);
const whats = (world: World) => world.of('notice').map(({ what }) => what);
const quality = (world: World) => world.look().detection.quality;

function living(): World {
  const world = new World();
  world.up();
  return world;
}

describe('a fault of a sensor', () => {
  it('begins and ends, is told both times, and as often as it comes', () => {
    const world = living();
    begins(world);
    assert.deepEqual(world.look().detection, { quality: 'degraded', notes: ['tcpip: ENOMEM'] });
    world.advance(hourMs);
    begins(world);
    ends(world);
    assert.deepEqual(world.look().detection, { quality: 'full', notes: [] });
    ends(world);
    world.advance(hourMs);
    begins(world);
    assert.equal(quality(world), 'degraded');
    assert.deepEqual(told(world), [
      'degraded degraded detection: ENOMEM',
      'detection_back detection works again after: ENOMEM',
      'degraded degraded detection: ENOMEM',
    ]);
    assert.deepEqual(
      world.of('notice').map(notice => describeEntry(notice).level),
      ['warn', 'info', 'warn'],
    );
  });

  it('is none of another sensor, and changes its words', () => {
    const world = living();
    begins(world, link, 'ENOMEM');
    begins(world, stack, 'EPERM');
    ends(world, stack);
    begins(world, link, 'EMFILE');
    assert.deepEqual(world.look().detection.notes, ['tcpip: EMFILE']);
    assert.deepEqual(whats(world), ['degraded', 'degraded', 'detection_back', 'degraded']);
    begins(world, stack, 'EMFILE');
    assert.deepEqual(world.look().detection.notes, ['tcpip: EMFILE'], 'the same words once');
  });

  it('is no event for Home Assistant: its state says it', () => {
    const world = living();
    begins(world);
    ends(world);
    const context = { now: world.history.seenFrom(world.now()), role: () => 'network' as const };
    assert.deepEqual(
      world.of('notice').map(notice => eventOf(notice, context)),
      [null, null],
    );
  });

  it('of what is not watched, or of a sensor that there is not, is none', () => {
    const world = living();
    begins(world, { what: 'sensor', resource: 'gone', sensor: 0 });
    begins(world, { what: 'sensor', resource: 'tcpip', sensor: 2 });
    assert.equal(quality(world), 'full');
    assert.deepEqual(world.of('notice'), []);
  });

  it('survives no restart of sockmon', () => {
    const world = living();
    begins(world);
    world.restart();
    assert.equal(quality(world), 'full');
  });
});

describe('a fault that begins and ends each second', () => {
  function flapping(seconds: number, world = living()): World {
    for (let n = 0; n < seconds; n++) {
      world.advance(1000);
      if (n % 2 === 0) begins(world);
      else ends(world);
    }
    return world;
  }

  it('is told four times, then once as such, then when it has been still for a minute', () => {
    const world = flapping(601);
    assert.deepEqual(whats(world), ['degraded', 'detection_back', 'degraded', 'detection_back', 'degraded']);
    assert.match(told(world).at(-1) ?? '', /keeps ending and beginning again: ENOMEM/);
    const notes = ['tcpip: it keeps ending and beginning again: ENOMEM'];
    assert.deepEqual(world.look().detection, { quality: 'degraded', notes });
    ends(world);
    assert.deepEqual(world.look().detection, { quality: 'degraded', notes }, 'what is published stays');
    assert.equal(world.deadline(), world.bootMs + minuteMs);
    world.wait();
    assert.deepEqual(world.look().detection, { quality: 'full', notes: [] });
    assert.match(
      told(world).at(-1) ?? '',
      /^detection_back detection works again after: ENOMEM; .*for a minute/,
    );
    assert.equal(world.of('notice').length, 6);
    assert.equal(world.deadline(), null);
    begins(world);
    assert.equal(told(world).at(-1), 'degraded degraded detection: ENOMEM');
  });

  it('and comes to rest as a fault, is told as one', () => {
    const world = flapping(601);
    world.wait();
    assert.match(told(world).at(-1) ?? '', /^degraded degraded detection: ENOMEM; .*for a minute/);
    assert.deepEqual(world.look().detection, { quality: 'degraded', notes: ['tcpip: ENOMEM'] });
  });

  it('of two errors in turn is damped too, and ends with the true one', () => {
    const world = living();
    for (let n = 0; n < 600; n++) {
      world.advance(1000);
      begins(world, link, n % 2 === 0 ? 'ENOMEM' : 'EMFILE');
    }
    assert.equal(world.of('notice').length, 5);
    const { notes } = world.look().detection;
    begins(world, link, 'ENOMEM');
    assert.deepEqual(world.look().detection.notes, notes);
    world.wait();
    assert.deepEqual(world.look().detection.notes, ['tcpip: ENOMEM']);
  });

  it('once an hour is told each time', () => {
    const world = living();
    for (let n = 0; n < 10; n++) {
      world.advance(hourMs);
      begins(world);
      ends(world);
    }
    assert.equal(world.of('notice').length, 20);
    assert.equal(world.state.faults.length, 1, 'one place for one sensor');
  });
});

describe('a reload', () => {
  const other = resource('tcpip', { sensors: [sensor('stack')] });
  const dns = resource('dns', { sensors: [sensor('process dnsmasq')] });

  function reload(world: World, after: ResourcePolicy): void {
    world.policy = policy([after]);
    world.input({ kind: 'configure' });
  }

  it('with other sensors, or without the resource, ends its faults', () => {
    for (const after of [other, dns]) {
      const world = living();
      begins(world);
      begins(world, watching, 'EMFILE');
      reload(world, after);
      assert.deepEqual(world.look().detection, { quality: 'full', notes: [] });
      const watched = world.did('watch').length;
      world.advance(hourMs);
      world.input({ kind: 'tick' });
      assert.equal(world.did('watch').length, watched, 'nor is it tried again');
    }
  });

  it('that keeps the sensors keeps their faults, and forgets that of the reflex', () => {
    const world = living();
    begins(world);
    begins(world, reflex, 'EMFILE');
    reload(world, resource('tcpip'));
    assert.equal(world.look().detection.notes.length, 2, 'nothing has changed');
    reload(world, resource('tcpip', { steps: [step('another')] }));
    assert.deepEqual(world.look().detection.notes, ['tcpip: ENOMEM']);
  });
});

describe('what could not be done is tried again', () => {
  it('watching: every 10 s, until it is done', () => {
    const world = new World();
    begins(world, watching, 'it cannot be watched: EMFILE');
    const beganMs = world.bootMs;
    for (let n = 1; n <= 3; n++) {
      const before = world.did('watch').length;
      while (world.did('watch').length === before) assert.ok(world.wait());
      assert.equal(world.bootMs, beganMs + n * 10_000);
      begins(world, watching, 'it cannot be watched: EMFILE');
    }
    ends(world, watching);
    world.up();
    assert.deepEqual(told(world), [
      'degraded degraded detection: it cannot be watched: EMFILE',
      'detection_back detection works again after: it cannot be watched: EMFILE',
    ]);
    assert.equal(world.deadline(), null);
    assert.equal(world.phase().name, 'up');
  });

  it('arming the reflex of what lives', () => {
    const world = living();
    const arms = () => world.did('arm').length;
    const before = arms();
    begins(world, reflex, 'its reflex cannot be armed: EMFILE');
    assert.equal(arms(), before, 'not at once');
    world.wait();
    assert.equal(arms(), before + 1);
    assert.equal(world.did('arm').at(-1)?.run?.id, `${world.outage(1)}#1`);
    ends(world, reflex);
    assert.equal(world.deadline(), null);
    assert.equal(quality(world), 'full');
  });

  it('but not of what is down: it is restarted by the ladder, and armed when it lives again', () => {
    const world = living();
    begins(world, reflex, 'EMFILE');
    world.die();
    const before = world.did('arm').length;
    world.advance(20_000);
    world.input({ kind: 'tick' });
    assert.equal(world.did('arm').length, before);
    assert.equal(world.of('attempt').length, 1);
    world.advance(40_000);
    world.runEnds(0);
    world.up();
    while (world.phase('tcpip').name === 'verifying') world.wait();
    assert.notEqual(world.did('arm').at(-1)?.run, null);
  });
});

it("the monitor's own fault is told in an entry of its own, and ends when the monitor says so", () => {
  const world = living();
  const of: FaultOf = { what: 'monitor', code: 'EBADF' };
  begins(world, of, 'epoll_wait says: Bad file descriptor');
  assert.deepEqual(world.look().detection.notes, ['the monitor: epoll_wait says: Bad file descriptor']);
  ends(world, { what: 'monitor', code: 'EIO' });
  assert.equal(quality(world), 'degraded', 'that was another one');
  ends(world, of);
  assert.equal(quality(world), 'full');
  assert.deepEqual(
    world.of('monitor_fault').map(entry => describeEntry(entry)),
    [
      { level: 'warn', text: 'the monitor: degraded detection: epoll_wait says: Bad file descriptor' },
      {
        level: 'info',
        text: 'the monitor: detection works again after: epoll_wait says: Bad file descriptor',
      },
    ],
  );
});
