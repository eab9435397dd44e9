import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { FaultOf } from '../../src/core/detection.js';
import { History } from '../../src/core/history.js';
import type { SensorInput } from '../../src/core/input.js';
import { exitStatus } from '../../src/core/ladder.js';
import { nextWakeMs } from '../../src/core/machine.js';
import { isVeto } from '../../src/core/outage-history.js';
import { type Action, actions } from '../../src/core/records.js';
import { outageOf, type ResourceState } from '../../src/core/state.js';
import { policy, resource, sensor, step, World } from './world.js';

type SensorMove = {
  move: 'sensor';
  id: string;
  sensor: number;
  state: 'up' | 'down' | 'absent';
  reflex: boolean;
};

/** Whatever the world may do to the machine, as a list of steps. */
type Move =
  | SensorMove
  | { move: 'burst'; sensors: SensorMove[] }
  | { move: 'all_up'; id: string }
  | { move: 'run_ended'; id: string; code: number }
  | { move: 'not_needed'; id: string }
  | { move: 'wait' }
  | { move: 'advance'; ms: number }
  | { move: 'command'; action: Action; target: string; retained: boolean; id: string }
  | { move: 'fault'; of: FaultOf; detail: string; active: boolean }
  | { move: 'reboot_failed' }
  | { move: 'restart'; boot: boolean }
  | { move: 'reload'; allowed: boolean };

const ids = ['tcpip', 'dns', 'web'];
const anId = fc.constantFrom(...ids);
const aSensor: fc.Arbitrary<SensorMove> = fc.record({
  move: fc.constant('sensor' as const),
  id: anId,
  sensor: fc.nat(1),
  state: fc.constantFrom('up' as const, 'down' as const, 'absent' as const),
  reflex: fc.boolean(),
});
const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 3, arbitrary: aSensor },
  fc.record({
    move: fc.constant('burst' as const),
    sensors: fc.array(aSensor, { minLength: 2, maxLength: 5 }),
  }),
  { weight: 2, arbitrary: fc.record({ move: fc.constant('all_up' as const), id: anId }) },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('run_ended' as const),
      id: anId,
      code: fc.constantFrom(0, 1, 2, exitStatus.veto, exitStatus.permanent),
    }),
  },
  fc.record({ move: fc.constant('not_needed' as const), id: anId }),
  { weight: 3, arbitrary: fc.constant({ move: 'wait' as const }) },
  fc.record({ move: fc.constant('advance' as const), ms: fc.nat(600_000) }),
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('command' as const),
      action: fc.constantFrom(...actions),
      target: anId,
      retained: fc.boolean(),
      id: fc.string({ minLength: 1, maxLength: 2 }),
    }),
  },
  fc.record({
    move: fc.constant('fault' as const),
    of: fc.oneof(
      fc.record({ what: fc.constant('sensor' as const), resource: anId, sensor: fc.nat(1) }),
      fc.record({ what: fc.constantFrom('watching' as const, 'reflex' as const), resource: anId }),
      fc.constant({ what: 'monitor' as const, code: 'EIO' }),
    ),
    detail: fc.constantFrom('ENOMEM', 'EMFILE'),
    active: fc.boolean(),
  }),
  fc.constant({ move: 'reboot_failed' as const }),
  fc.record({ move: fc.constant('restart' as const), boot: fc.boolean() }),
  fc.record({ move: fc.constant('reload' as const), allowed: fc.boolean() }),
);

/** Without "max" fast-check makes arrays of ten at most, and a walk of ten steps gets nowhere. */
const walks = fc.array(move, { maxLength: 80, size: 'max' });
const runs = { numRuns: 1500 };

/** One of each kind, with short ladders, so that a walk gets to their ends: a ladder and a reboot; what needs it and is slow to be believed; what may be replaced. */
const resources = [
  resource('tcpip', { steps: [step('restart', { attempts: 2 }), step('driver', { attempts: 1 })] }),
  resource('dns', {
    sensors: [sensor('process dnsmasq')],
    rebootWhenFailed: false,
    needs: ['tcpip'],
    riseMs: 2000,
    restartBudget: { max: 5, perMs: 3_600_000 },
  }),
  resource('web', { sensors: [sensor('process nginx')], fallMs: 3000 }),
];

/** As the monitor thread reports it: it starts a reflex only where one is armed. */
function reportOf(world: World, { id, sensor, state, reflex }: SensorMove): SensorInput {
  const found = world.state.resources.get(id);
  const isArmed =
    found !== undefined && found.armed !== null && outageOf(found.phase) === null && state === 'down';
  return world.report(id, state, { sensor, reflex: isArmed && reflex ? `${found.armed}#1` : null });
}

/** The thread starts an armed reflex at the first death, or not at all. */
function withFirstReflexOnly(reports: readonly SensorInput[]): SensorInput[] {
  const dead = new Set<string>();
  return reports.map(report => {
    const isFirst = !dead.has(report.resource);
    if (report.state === 'down') dead.add(report.resource);
    return isFirst ? report : { ...report, reflex: null };
  });
}

function apply(world: World, move: Move, boots: { count: number }): void {
  switch (move.move) {
    case 'sensor':
      world.input(reportOf(world, move));
      return;
    case 'burst':
      world.input(...withFirstReflexOnly(move.sensors.map(sensor => reportOf(world, sensor))));
      return;
    case 'all_up':
      world.up(move.id);
      return;
    case 'run_ended':
      world.runEnded(world.currentRun(move.id) ?? 'nobody#1', move.code);
      return;
    case 'not_needed':
      notNeeded(world, move.id);
      return;
    case 'wait':
      world.wait();
      return;
    case 'advance':
      world.advance(move.ms);
      return;
    case 'command':
      world.command({
        id: move.id,
        action: move.action,
        retained: move.retained,
        target: move.target,
        press: move.action === 'reboot',
        ...(move.action === 'pause' && { forMs: 120_000 }),
      });
      return;
    case 'fault':
      world.input({ kind: 'fault', of: move.of, detail: move.detail, active: move.active });
      return;
    case 'reboot_failed': {
      const intent = world.history.pendingIntent?.intent;
      if (intent !== undefined)
        world.input({ kind: 'reboot_failed', intent, error: 'stub', cancelled: boots.count % 2 === 0 });
      return;
    }
    case 'restart':
      world.advance(1000);
      world.restart(move.boot ? `b${++boots.count}-boot` : world.bootId);
      return;
    case 'reload':
      world.policy = policy(resources, { allowed: move.allowed });
      world.input({ kind: 'configure' });
      return;
  }
}

/** Only what was asked for so, and is not believed to be back already. */
function notNeeded(world: World, id: string): void {
  const phase = world.phase(id);
  const isLadders = world
    .did('run')
    .some(
      ({ run, unlessAlive }) => unlessAlive && phase.name === 'restarting' && run.id === phase.running.run,
    );
  if (isLadders) world.notNeeded(id);
}

function walk(moves: readonly Move[]): World {
  const world = new World(policy(resources));
  const boots = { count: 0 };
  for (const one of moves) apply(world, one, boots);
  return world;
}

describe('the machine on a random walk', () => {
  it('never reboots without an earlier intent of that name, and never twice for one', () => {
    fc.assert(
      fc.property(walks, moves => {
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
      runs,
    );
  });

  it('never runs a script without the record of the attempt, and numbers attempts of an outage upwards', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        const recorded = new Set<string>();
        for (const effect of world.effects) {
          if (effect.do === 'journal' && effect.record.type === 'attempt') recorded.add(effect.record.run);
          if (effect.do === 'run') assert.ok(recorded.has(effect.run.id));
        }
        const last = new Map<string, number>();
        for (const entry of world.entries) {
          if (entry.type === 'attempt') {
            assert.equal(entry.attempt, (last.get(entry.outage) ?? 0) + 1);
            last.set(entry.outage, entry.attempt);
          }
          // What was not needed was none.
          if (entry.type === 'attempt_end' && entry.result.kind === 'not_needed')
            last.set(entry.outage, entry.attempt - 1);
        }
      }),
      runs,
    );
  });

  it('never exceeds the reboot budget nor undercuts the uptime floor', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        const cancelled = new Set(
          world.of('reboot_failed').flatMap(({ cancelled, intent }) => (cancelled ? [intent] : [])),
        );
        const intents = world.of('reboot_intent').filter(({ intent }) => !cancelled.has(intent));
        for (const [index, intent] of intents.entries()) {
          assert.ok(intent.bootMs >= 300_000);
          const before = intents.slice(0, index).filter(other => intent.wallMs - other.wallMs < 86_400_000);
          assert.ok(before.length < 3);
        }
      }),
      runs,
    );
  });

  it('never lets an outage reboot that is held: paused, vetoed, or waiting for what it needs', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        for (const intent of world.of('reboot_intent')) {
          if (intent.outage === undefined) continue;
          const past = world.entries.slice(0, intent.seq - 1);
          const vetoed = past.some(
            entry => entry.type === 'attempt_end' && entry.outage === intent.outage && isVeto(entry.result),
          );
          assert.ok(!vetoed, 'a script had said: do not reboot');
          const { resource } = world.of('outage_begin').find(({ outage }) => outage === intent.outage) ?? {};
          assert.equal(new History(past).pausedUntilMs(resource ?? '', intent), null, 'it was paused');
          assert.notEqual(resource, 'dns', 'what reboots never was told to');
        }
      }),
      runs,
    );
  });

  it('begins and ends outages in pairs, and leaves none open once its resource is up', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        for (const id of ids) world.up(id);
        // Some are believed only after a while.
        world.advance(10_000);
        world.input({ kind: 'tick' });
        // A commanded restart ends with its script.
        for (const id of ids) world.runEnds(0, id);
        while (ids.some(id => world.phase(id).name === 'verifying')) assert.ok(world.wait());
        for (const id of ids) assert.equal(world.phase(id).name, 'up');
        const begun = world.of('outage_begin').map(entry => entry.outage);
        const taken = world.of('outage_reopened').map(entry => entry.outage);
        const ended = world.of('outage_end').map(entry => entry.outage);
        assert.equal(new Set(begun).size, begun.length);
        assert.deepEqual([...ended].sort(), [...begun, ...taken].sort());
        for (const { end, aliveMs } of world.history.outages)
          assert.ok(end !== null && aliveMs >= 0 && aliveMs <= end.durationMs, JSON.stringify(end));
      }),
      runs,
    );
  });

  it('does not spin: what is due is done within a few turns, and the next deadline lies ahead', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        const isDue = () => (world.deadline() ?? Number.POSITIVE_INFINITY) <= world.bootMs;
        for (let turn = 0; turn < 8 && isDue(); turn++) world.input({ kind: 'tick' });
        assert.ok(!isDue(), JSON.stringify([...world.state.resources.values()].map(({ phase }) => phase)));
      }),
      runs,
    );
  });

  it('always has a deadline while a restart is due or running', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        const isWaiting = ({ phase }: ResourceState) =>
          phase.name === 'settling' || phase.name === 'restarting' || outageOf(phase)?.risingMs != null;
        const waiting = [...world.state.resources.values()].some(isWaiting);
        if (waiting) assert.notEqual(nextWakeMs(world.state), null);
      }),
      runs,
    );
  });

  it('takes up after a kill what it was about: the same outages open, the same verdicts', () => {
    fc.assert(
      fc.property(walks, moves => {
        const world = walk(moves);
        const about = () =>
          ids.map(id => {
            const { phase } = world.state.resources.get(id) ?? {};
            const outage = phase === undefined ? null : outageOf(phase);
            const { name } = world.phase(id);
            const { quiet, reopened, blamedRun } = outage ?? {};
            const again = [quiet, reopened, blamedRun];
            return [
              outage?.id,
              outage?.attempts,
              outage?.vetoed,
              outage?.givenUp,
              name === 'rebooting',
              again,
            ];
          });
        const before = about();
        world.restart();
        assert.deepEqual(about(), before);
      }),
      runs,
    );
  });
});
