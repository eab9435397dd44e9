import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { nextDeadlineMs } from '../../src/core/machine.js';
import { outageOf } from '../../src/core/state.js';
import { policy, resource, World } from './world.js';

/** Whatever the world may do to the machine, as a list of steps. */
type Move =
  | { move: 'sensor'; id: string; sensor: number; state: 'up' | 'down' | 'absent'; reflex: boolean }
  | { move: 'all_up'; id: string }
  | { move: 'run_ended'; id: string; code: number }
  | { move: 'wait' }
  | { move: 'advance'; ms: number }
  | { move: 'command'; action: 'reboot' | 'restart'; retained: boolean; id: string }
  | { move: 'reboot_failed' }
  | { move: 'restart'; boot: boolean }
  | { move: 'reload'; allowed: boolean };

const ids = ['tcpip', 'dns'];
const anId = fc.constantFrom(...ids);
const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    move: fc.constant('sensor' as const),
    id: anId,
    sensor: fc.nat(1),
    state: fc.constantFrom('up' as const, 'down' as const, 'absent' as const),
    reflex: fc.boolean(),
  }),
  fc.record({ move: fc.constant('all_up' as const), id: anId }),
  fc.record({ move: fc.constant('run_ended' as const), id: anId, code: fc.nat(2) }),
  fc.constant({ move: 'wait' as const }),
  fc.record({ move: fc.constant('advance' as const), ms: fc.nat(600_000) }),
  fc.record({
    move: fc.constant('command' as const),
    action: fc.constantFrom('reboot' as const, 'restart' as const),
    retained: fc.boolean(),
    id: fc.string({ minLength: 1, maxLength: 2 }),
  }),
  fc.constant({ move: 'reboot_failed' as const }),
  fc.record({ move: fc.constant('restart' as const), boot: fc.boolean() }),
  fc.record({ move: fc.constant('reload' as const), allowed: fc.boolean() }),
);

const resources = [
  resource('tcpip'),
  resource('dns', { sensors: [{ kind: 'process', name: 'dnsmasq' }], rebootWhenFailed: false }),
];

function apply(world: World, step: Move, boots: { count: number }): void {
  switch (step.move) {
    case 'sensor': {
      const found = world.state.resources.get(step.id);
      // The monitor thread starts a reflex only where it was armed: while no outage is open.
      const armed =
        found !== undefined && outageOf(found.phase) === null && step.state === 'down' && step.reflex;
      const reflex = armed ? `${world.outage(found.outagesBegun + 1, step.id)}#1` : null;
      world.sensor(step.id, step.state, { sensor: step.sensor, reflex });
      return;
    }
    case 'all_up':
      world.up(step.id);
      return;
    case 'run_ended': {
      const phase = world.phase(step.id);
      world.runEnded(phase.name === 'restarting' ? phase.running.run : 'nobody#1', step.code);
      return;
    }
    case 'wait':
      world.wait();
      return;
    case 'advance':
      world.advance(step.ms);
      return;
    case 'command':
      world.command({
        id: step.id,
        action: step.action,
        retained: step.retained,
        target: 'tcpip',
        press: step.action === 'reboot',
      });
      return;
    case 'reboot_failed': {
      const intent = world.history.pendingIntent?.intent;
      if (intent !== undefined)
        world.input({ kind: 'reboot_failed', intent, error: 'stub', cancelled: boots.count % 2 === 0 });
      return;
    }
    case 'restart':
      world.advance(1000);
      world.restart(step.boot ? `b${++boots.count}-boot` : world.bootId);
      return;
    case 'reload':
      world.policy = policy(resources, { allowed: step.allowed });
      world.input({ kind: 'configure' });
      return;
  }
}

function walk(moves: readonly Move[]): World {
  const world = new World(policy(resources));
  const boots = { count: 0 };
  for (const step of moves) apply(world, step, boots);
  return world;
}

describe('the machine on a random walk', () => {
  const walks = { numRuns: 1500 };

  it('never reboots without an earlier intent of that name, and never twice for one', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), moves => {
        const world = walk(moves);
        const recorded = new Set<string>();
        const done = new Set<string>();
        for (const effect of world.effects) {
          if (effect.do === 'journal' && effect.record.type === 'reboot_intent')
            recorded.add(effect.record.intent);
          if (effect.do !== 'reboot') continue;
          assert.ok(recorded.has(effect.intent));
          // The harder ways belong to the same intent; each is taken once.
          const way = `${effect.intent} ${effect.level}`;
          assert.ok(!done.has(way));
          done.add(way);
        }
      }),
      walks,
    );
  });

  it('never runs a script without the record of the attempt, and numbers attempts of an outage upwards', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), moves => {
        const world = walk(moves);
        const recorded = new Set<string>();
        for (const effect of world.effects) {
          if (effect.do === 'journal' && effect.record.type === 'attempt') recorded.add(effect.record.run);
          if (effect.do === 'run') assert.ok(recorded.has(effect.run.id));
        }
      }),
      walks,
    );
  });

  it('never exceeds the reboot budget nor undercuts the uptime floor', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 80 }), moves => {
        const world = walk(moves);
        const intents = world.of('reboot_intent');
        for (const [index, intent] of intents.entries()) {
          assert.ok(intent.bootMs >= 300_000);
          const before = intents.slice(0, index).filter(other => intent.wallMs - other.wallMs < 86_400_000);
          assert.ok(before.length < 3);
        }
      }),
      walks,
    );
  });

  it('begins and ends outages in pairs, and leaves none open once its resource is up', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), moves => {
        const world = walk(moves);
        for (const id of ids) world.up(id);
        // A commanded restart ends with its script.
        for (const id of ids) {
          const phase = world.phase(id);
          if (phase.name === 'restarting') world.runEnded(phase.running.run, 0);
        }
        for (const id of ids) assert.equal(world.phase(id).name, 'up');
        const begun = world.of('outage_begin').map(entry => entry.outage);
        const ended = world.of('outage_end').map(entry => entry.outage);
        assert.equal(new Set(begun).size, begun.length);
        assert.deepEqual([...ended].sort(), [...begun].sort());
      }),
      walks,
    );
  });

  it('always has a deadline while a restart is due or running', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), moves => {
        const world = walk(moves);
        const waiting = [...world.state.resources.values()].some(({ phase }) => phase.name === 'settling');
        if (waiting) assert.notEqual(nextDeadlineMs(world.state), null);
      }),
      walks,
    );
  });

  it('says the same of the past after any restart: the history is a function of the journal', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), moves => {
        const world = walk(moves);
        const before = JSON.stringify(world.history.outages);
        world.restart();
        assert.equal(JSON.stringify(world.history.outages).startsWith(before.slice(0, -1)), true);
      }),
      walks,
    );
  });
});
