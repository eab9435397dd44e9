/** Deaths that somebody else may mend, and ends that somebody wanted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorInput } from '../../src/core/input.js';
import type { Cause } from '../../src/core/records.js';
import { policy, resource, sensor, World } from './world.js';

const segv: Cause = { kind: 'signal', signal: 'SIGSEGV', coreDumped: false };
const limit: Cause = { kind: 'sensor', reason: 'start_limit_hit', words: 'systemd has given it up' };
const dns = resource('dns', { sensors: [sensor('unit dnsmasq.service')], rebootWhenFailed: false });
const other = resource('other', {
  sensors: [sensor('process other')],
  needs: ['dns'],
  rebootWhenFailed: false,
});

class Unit extends World {
  says(state: SensorInput['state'], more: Partial<SensorInput> = {}) {
    return this.sensor('dns', state, { cause: null, ...more });
  }
  /** Dead, and systemd is bringing it back. */
  borne(ms: number) {
    return this.says('down', { cause: segv, grace: { ms, by: 'systemd' } });
  }
  notices() {
    return this.entries.flatMap(entry => (entry.type === 'notice' ? [[entry.what, entry.detail]] : []));
  }
  phaseName() {
    return this.phase('dns').name;
  }
}

function unit(overrides = {}) {
  const world = new Unit(policy([{ ...dns, ...overrides }, other]));
  world.says('up', { detail: 'pid 1' });
  return world;
}

describe('a death that systemd may mend', () => {
  it('is no outage and sets off nothing while it has its time, and a note when it is back', () => {
    const world = unit();
    const effects = world.borne(60_000);
    assert.equal(world.phaseName(), 'suspect');
    const { state, reason } = world.look().resources.dns ?? {};
    assert.deepEqual(
      [state, reason],
      ['suspect', 'killed by SIGSEGV; systemd may restart it, so it has 1 min to come back'],
    );
    assert.deepEqual(
      effects.filter(({ do: what }) => what === 'run'),
      [],
    );
    // Nothing is armed for what is not there.
    assert.equal(world.state.resources.get('dns')?.armed, null);
    world.advance(310);
    world.says('up', { detail: 'pid 2' });
    assert.deepEqual(world.notices(), [
      ['replaced', 'it was restarted by systemd within 310 ms: killed by SIGSEGV'],
    ]);
    assert.deepEqual(world.of('outage_begin'), []);
    assert.notEqual(world.state.resources.get('dns')?.armed, null);
  });

  it('is one when its time is over, as of its end', () => {
    const world = unit();
    const diedMs = world.bootMs;
    world.borne(60_000);
    assert.equal(world.deadline(), diedMs + 60_000);
    world.wait();
    const [begin] = world.of('outage_begin');
    assert.ok(begin?.atMs === diedMs && begin.cause.kind === 'signal');
    assert.equal(world.of('attempt').length, 1);
  });

  it('gets more time when more is asked for', () => {
    const world = unit();
    const diedMs = world.bootMs;
    world.borne(1000);
    world.advance(500);
    world.borne(5000);
    assert.equal(world.deadline(), diedMs + 5500);
  });

  it('is one at once when it is given up, with the reason for that', () => {
    const world = unit();
    const diedMs = world.bootMs;
    world.borne(60_000);
    world.advance(400);
    world.says('down', { cause: limit, atMs: diedMs });
    const [begin] = world.of('outage_begin');
    assert.ok(begin?.atMs === diedMs);
    assert.deepEqual(begin.cause, limit);
    assert.equal(world.of('attempt').length, 1);
  });

  it("keeps the owner's own patience", () => {
    const world = unit({ fallMs: 2000 });
    world.borne(500);
    const diedMs = world.bootMs;
    world.advance(500);
    world.says('down', { cause: segv, atMs: diedMs });
    assert.deepEqual(world.of('outage_begin'), []);
    assert.equal(world.deadline(), diedMs + 2000);
  });

  it('holds back what needs it', () => {
    const world = unit();
    world.sensor('other', 'up');
    world.borne(60_000);
    world.sensor('other', 'down', { cause: segv });
    assert.deepEqual(world.of('attempt'), []);
  });

  it('again and again is told as that once, not one by one, and not where somebody orders it', () => {
    const world = unit();
    const round = (byOrder: boolean) => {
      world.borne(60_000);
      world.advance(100);
      world.says('up', { byOrder });
      world.advance(1000);
    };
    for (let i = 0; i < 6; i++) round(true);
    assert.deepEqual(new Set(world.notices().map(([what]) => what)), new Set(['replaced']));
    const before = world.notices().length;
    for (let i = 0; i < 20; i++) round(false);
    const whats = world
      .notices()
      .slice(before)
      .map(([what]) => what);
    assert.deepEqual(whats, ['replaced', 'replaced', 'replaced', 'replaced', 'flapping']);
    // Steady again once it has lived for long enough, counted from its last return.
    while (world.wait()) if (world.notices().at(-1)?.[0] === 'steady') break;
    assert.equal(world.notices().at(-1)?.[0], 'steady');
  });
});

describe('a loss that its sensor says how long to bear', () => {
  const noAddress: Cause = { kind: 'link', what: 'no_address', interface: 'wan0' };
  const taken: Cause = { kind: 'link', what: 'interface_down', interface: 'wan0' };
  const renewal = { cause: noAddress, nature: 'unreachable', grace: { ms: 5000, by: null } } as const;

  it('is a note when it is back in time, and an outage from its begin on when it is not', () => {
    const world = unit({ fallMs: null });
    world.says('down', renewal);
    const { reason } = world.look().resources.dns ?? {};
    assert.match(reason ?? '', /it may only be replaced, so it has 5\.0 s to come back$/);
    world.advance(40);
    world.says('up');
    assert.deepEqual(world.notices(), [
      ['replaced', 'it is whole again after 40 ms: interface wan0 lost its address'],
    ]);
    world.advance(60_000);
    world.says('down', renewal);
    const atMs = world.bootMs;
    world.wait();
    assert.equal(world.bootMs, atMs + 5000);
    assert.deepEqual(
      world.of('outage_begin').map(begin => [begin.atMs, begin.cause]),
      [[atMs, noAddress]],
    );
  });

  it('leaves the reflex armed for what does not wait, and is over with that', () => {
    const world = unit({ fallMs: null });
    const { armed } = world.state.resources.get('dns') ?? {};
    assert.ok(armed);
    world.says('down', renewal);
    assert.equal(world.state.resources.get('dns')?.armed, armed);
    world.advance(1000);
    world.says('down', { cause: taken, nature: 'gone', reflex: `${armed}#1` });
    assert.equal(world.phaseName(), 'restarting');
    assert.deepEqual(world.of('outage_begin')[0]?.cause, taken);
    assert.equal(world.of('attempt')[0]?.by, 'reflex');
  });

  it('is borne as long as the owner says, where he says so', () => {
    const patient = unit({ fallMs: 20_000 });
    patient.says('down', renewal);
    const beganMs = patient.bootMs;
    patient.wait();
    assert.equal(patient.bootMs, beganMs + 20_000);
    const hasty = unit({ fallMs: 0 });
    hasty.says('down', renewal);
    assert.equal(hasty.phaseName(), 'restarting');
  });
});

describe('an end that somebody wanted', () => {
  const gone: Cause = { kind: 'sensor', reason: 'stopped', words: 'it was stopped' };

  for (const from of ['up', 'suspect'])
    it(`is told and left alone, from ${from}`, () => {
      const world = unit();
      if (from === 'suspect') world.borne(2000);
      assert.equal(world.phaseName(), from);
      const effects = world.says('absent', { cause: gone, detail: 'it was stopped by an order to systemd' });
      assert.deepEqual(world.notices(), [
        ['stopped', 'it was stopped by an order to systemd; it is left alone until it is started again'],
      ]);
      assert.deepEqual(
        effects.filter(({ do: what }) => what === 'run'),
        [],
      );
      assert.equal(world.phaseName(), 'absent');
      world.advance(1000);
      world.says('up', { detail: 'pid 2' });
      assert.equal(world.phaseName(), 'up');
      assert.deepEqual(world.of('outage_begin'), []);
    });

  it('is no death for the next sockmon either, and a death after its next start is one', () => {
    const world = unit();
    world.says('absent', { cause: gone, detail: 'x' });
    world.restart();
    world.says('absent');
    assert.deepEqual(world.of('outage_begin'), []);
    world.says('up');
    world.restart();
    world.says('absent');
    assert.equal(world.of('outage_begin').length, 1);
  });

  it('changes nothing in an outage', () => {
    const world = unit();
    world.says('down', { cause: segv });
    world.says('absent', { cause: gone, detail: 'x' });
    assert.equal(world.phaseName(), 'restarting');
    assert.deepEqual(world.notices(), []);
  });
});
