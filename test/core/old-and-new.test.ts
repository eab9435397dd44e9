/** The machine of before and that of now on the same stories: the same records, effects, times and states. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import type { FaultOf } from '../../src/core/detection.js';
import { History } from '../../src/core/history.js';
import type { Effect, Input, SensorInput } from '../../src/core/input.js';
import { exitStatus } from '../../src/core/ladder.js';
import { emptyState, next, nextWakeMs } from '../../src/core/machine.js';
import type { Nature, ResourcePolicy } from '../../src/core/policy.js';
import type { EarlierRun } from '../../src/core/ports.js';
import { type Action, actions, type JournalEntry } from '../../src/core/records.js';
import type { MachineState } from '../../src/core/state.js';
import type { Instant } from '../../src/core/time.js';
import { History as OldHistory } from './old/history.js';
import * as old from './old/machine.js';
import type { MachineState as OldState } from './old/state.js';
import { policy, resource, sensor, step } from './world.js';

type Move =
  | { move: 'sensors'; reports: SensorMove[] }
  | { move: 'all'; state: 'up' | 'down' }
  | { move: 'ended'; id: string; code: number; unknown: boolean }
  | { move: 'wait' }
  | { move: 'advance'; ms: number; ticks: boolean }
  | { move: 'command'; action: Action; target: string; id: string; forMs: number; everything: boolean }
  | { move: 'fault'; of: FaultOf; detail: string; active: boolean }
  | { move: 'cause'; id: string; sensor: number }
  | { move: 'evidence'; id: string }
  | { move: 'drill_failed'; id: string }
  | { move: 'reboot_failed'; cancelled: boolean }
  | { move: 'restart'; boot: boolean; runs: boolean }
  | { move: 'reload'; allowed: boolean; without: string | null };

interface SensorMove {
  readonly id: string;
  readonly sensor: number;
  readonly state: 'up' | 'down' | 'absent';
  readonly reflex: boolean;
  readonly carrier: boolean | null;
  readonly waiting: boolean;
  readonly nature: Nature;
  readonly grace: number | null;
  readonly served: boolean;
  readonly ownRun: boolean;
}

const natures: readonly Nature[] = ['gone', 'exited', 'broken', 'unreachable'];
const ladder = { attempts: 2, everyMs: 20_000 };
const resources: readonly ResourcePolicy[] = [
  resource('tcpip', { steps: [step('restart', ladder), step('driver', { attempts: 1 })] }),
  resource('dns', {
    sensors: [sensor('process dnsmasq')],
    rebootWhenFailed: false,
    needs: ['tcpip'],
    riseMs: 2000,
    steps: [step('dns', ladder)],
    restartBudget: { max: 3, perMs: 600_000 },
  }),
  resource('web', { sensors: [sensor('process nginx'), sensor('port 80')], fallMs: 3000, needs: ['dns'] }),
  resource('vpn', { sensors: [sensor('process openvpn')], needs: ['tcpip', 'dns'], rebootWhenFailed: false }),
  resource('mail', { sensors: [sensor('process exim')], needs: ['web'], steps: [] }),
  resource('alone', { sensors: [sensor('process cups')], fallMs: 1000, riseMs: 5000, settleMs: 30_000 }),
];
const ids = resources.map(({ id }) => id);
const anId = fc.constantFrom(...ids);

const aReport: fc.Arbitrary<SensorMove> = fc.record({
  id: anId,
  sensor: fc.nat(1),
  state: fc.constantFrom('up' as const, 'up' as const, 'down' as const, 'down' as const, 'absent' as const),
  reflex: fc.boolean(),
  carrier: fc.constantFrom(null, null, true, false),
  waiting: fc.boolean(),
  nature: fc.constantFrom(...natures),
  grace: fc.constantFrom(null, null, 0, 2000, 10_000),
  served: fc.nat(9).map(n => n === 0),
  ownRun: fc.nat(5).map(n => n === 0),
});

const aMove: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      move: fc.constant('sensors' as const),
      reports: fc.array(aReport, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('all' as const),
      state: fc.constantFrom('up' as const, 'up' as const, 'down' as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      move: fc.constant('ended' as const),
      id: anId,
      code: fc.constantFrom(0, 0, 1, 2, exitStatus.veto, exitStatus.permanent),
      unknown: fc.nat(6).map(n => n === 0),
    }),
  },
  { weight: 5, arbitrary: fc.constant({ move: 'wait' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('advance' as const),
      ms: fc.oneof(fc.nat(3000), fc.nat(60_000), fc.nat(3_600_000)),
      ticks: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      move: fc.constant('command' as const),
      action: fc.constantFrom(...actions),
      target: anId,
      id: fc.string({ minLength: 1, maxLength: 2 }),
      forMs: fc.constantFrom(5000, 120_000),
      everything: fc.boolean(),
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
  fc.record({ move: fc.constant('cause' as const), id: anId, sensor: fc.nat(1) }),
  fc.record({ move: fc.constant('evidence' as const), id: anId }),
  fc.record({ move: fc.constant('drill_failed' as const), id: anId }),
  fc.record({ move: fc.constant('reboot_failed' as const), cancelled: fc.boolean() }),
  fc.record({ move: fc.constant('restart' as const), boot: fc.boolean(), runs: fc.boolean() }),
  fc.record({
    move: fc.constant('reload' as const),
    allowed: fc.boolean(),
    without: fc.option(anId, { nil: null }),
  }),
);

/** Both, fed with the same. */
class Pair {
  state: MachineState = emptyState();
  oldState: OldState = old.emptyState;
  entries: JournalEntry[] = [];
  history = new History();
  oldHistory = new OldHistory();
  policy = policy(resources);
  bootId = 'b0000001-boot';
  bootMs = 3_600_000;
  wallMs = Date.parse('2026-11-22T07:00:00Z');
  boots = 0;
  /** How much has been compared. */
  effects = 0;

  constructor() {
    this.input({ kind: 'configure' });
  }

  now(): Instant {
    return { bootId: this.bootId, bootMs: this.bootMs, wallMs: this.wallMs, synced: true };
  }

  advance(ms: number): void {
    this.bootMs += ms;
    this.wallMs += ms;
  }

  input(...inputs: readonly Input[]): void {
    for (const input of [...inputs, { kind: 'review' } as const]) this.step(input);
    this.compare();
  }

  /** To the earlier of both moments: the new machine may look once more, and then nothing comes of it. */
  wait(): void {
    const wakes = [nextWakeMs(this.state), old.nextDeadlineMs(this.oldState)].filter(at => at !== null);
    if (wakes.length === 0) return;
    this.advance(Math.max(0, Math.min(...wakes) - this.bootMs));
    this.input({ kind: 'tick' });
  }

  restart(isBoot: boolean, keepsRuns: boolean): void {
    const earlier = isBoot || !keepsRuns ? [] : this.runs();
    this.advance(1000);
    if (isBoot) {
      this.bootId = `b${++this.boots}-boot`;
      this.bootMs = 20_000;
    }
    this.state = emptyState();
    this.oldState = old.emptyState;
    this.history = new History(this.entries);
    this.oldHistory = new OldHistory(this.entries);
    this.input({ kind: 'configure', earlier });
  }

  /** As the run files would name them. */
  private runs(): EarlierRun[] {
    return [...this.state.resources.values()].flatMap(({ phase, policy: { id } }) => {
      if (phase.name !== 'restarting') return [];
      const { run, attempt, startedMs, deadlineMs, graceMs } = phase.running;
      const begun = this.entries.findLast(entry => entry.type === 'attempt' && entry.run === run);
      if (begun?.type !== 'attempt' || deadlineMs === null) return [];
      const { outage, step: name = '', script, by } = begun;
      const purpose = { resource: id, outage, attempt, step: name, script, by };
      return [{ ...purpose, run, pid: 4711, startTicks: 1, startedMs, deadlineMs, graceMs }];
    });
  }

  private step(input: Input): void {
    const outside = { now: this.now(), policy: this.policy };
    const a = next(this.state, input, { ...outside, history: this.history });
    const b = old.next(this.oldState, input, { ...outside, history: this.oldHistory });
    this.state = a.state;
    this.oldState = b.state;
    same(a.effects, b.effects, input);
    this.effects += a.effects.length;
    for (const effect of a.effects) this.journal(effect);
  }

  private journal(effect: Effect): void {
    if (effect.do !== 'journal') return;
    const entry = { seq: this.entries.length + 1, ...this.now(), ...effect.record };
    this.entries.push(entry);
    this.history.apply(entry);
    this.oldHistory.apply(entry);
  }

  private compare(): void {
    for (const [id, is] of this.state.resources) same(is, this.oldState.resources.get(id), id);
    assert.deepEqual([...this.state.resources.keys()], [...this.oldState.resources.keys()]);
    same(this.state.reboot, this.oldState.reboot, 'reboot');
    same(this.state.faults, this.oldState.faults, 'faults');
    const [is, was] = [nextWakeMs(this.state), old.nextDeadlineMs(this.oldState)];
    if (was !== null) assert.ok(is !== null && is <= was, `the next wake is ${is} and was ${was}`);
    same(
      this.history.outages.map(({ id, end, cause }) => ({ id, end, cause })),
      this.oldHistory.outages.map(({ id, end, cause }) => ({ id, end, cause })),
      'outages',
    );
  }
}

/** As deepEqual says it, which is slow where all is well. */
function same(is: unknown, was: unknown, what: unknown): void {
  if (!isDeepStrictEqual(is, was)) assert.deepEqual(is, was, JSON.stringify(what));
}

function reportOf(pair: Pair, move: SensorMove, isFirst: boolean): SensorInput {
  const found = pair.state.resources.get(move.id);
  const isDown = move.state === 'down';
  const armed = isDown && isFirst && move.reflex ? (found?.armed ?? null) : null;
  const isLink = (move.id === 'tcpip' || move.id === 'alone') && move.carrier !== null;
  return {
    kind: 'sensor',
    resource: move.id,
    sensor: move.sensor,
    state: move.state,
    atMs: pair.bootMs,
    cause: isDown
      ? { kind: 'unknown' }
      : isLink && move.waiting && move.state === 'up'
        ? { kind: 'link', what: 'no_default_route', interface: 'wan0' }
        : null,
    nature: isDown ? move.nature : null,
    detail: '',
    carrier: isLink ? move.carrier : null,
    interface: isLink ? 'wan0' : null,
    ownRun: move.ownRun && move.state === 'up',
    reflex: armed === null ? null : `${armed}#1`,
    replaced: null,
    ...(isDown && move.served && { servedBy: 'pid 7 still serves' }),
    ...(isDown && move.grace !== null && { grace: { ms: move.grace, by: 'systemd' } }),
  };
}

function runOf(pair: Pair, id: string): string {
  const phase = pair.state.resources.get(id)?.phase;
  if (phase?.name === 'restarting') return phase.running.run;
  if (phase?.name === 'verifying' && phase.run.kind === 'running') return phase.run.running.run;
  return pair.state.resources.get(id)?.leftovers[0]?.run ?? 'nobody#1';
}

function outageIdOf(pair: Pair, id: string): string {
  const phase = pair.state.resources.get(id)?.phase;
  return phase !== undefined && 'outage' in phase ? phase.outage.id : 'none';
}

function apply(pair: Pair, move: Move): void {
  const atMs = pair.bootMs;
  switch (move.move) {
    case 'sensors': {
      const dead = new Set<string>();
      const reports = move.reports.map(report => {
        const one = reportOf(pair, report, !dead.has(report.id));
        if (report.state === 'down') dead.add(report.id);
        return one;
      });
      pair.input(...reports);
      return;
    }
    case 'all':
      pair.input(
        ...[...pair.state.resources].flatMap(([id, { sensors }]) =>
          sensors.map((_, sensor) => reportOf(pair, { ...plain, id, sensor, state: move.state }, true)),
        ),
      );
      return;
    case 'ended': {
      const result = move.unknown
        ? ({ kind: 'unknown' } as const)
        : ({ kind: 'exit', code: move.code } as const);
      pair.input({ kind: 'run_ended', run: runOf(pair, move.id), atMs, result, output: '' });
      return;
    }
    case 'wait':
      pair.wait();
      return;
    case 'advance':
      pair.advance(move.ms);
      if (move.ticks) pair.input({ kind: 'tick' });
      return;
    case 'command': {
      const { action, id, target, forMs, everything } = move;
      const isPress = action === 'reboot';
      const command = {
        id,
        action,
        origin: 'mqtt:press',
        press: isPress,
        retained: false,
        duplicate: false,
        sinceConnectMs: 60_000,
        ...(!(everything && (action === 'pause' || action === 'resume')) && { target }),
        ...(action === 'pause' && { forMs }),
      };
      pair.input({ kind: 'command', command });
      return;
    }
    case 'fault':
      pair.input({ kind: 'fault', of: move.of, detail: move.detail, active: move.active });
      return;
    case 'cause': {
      const cause = { kind: 'signal', signal: 'SIGSEGV', coreDumped: false } as const;
      pair.input({ kind: 'cause', resource: move.id, sensor: move.sensor, cause });
      return;
    }
    case 'evidence': {
      const outage = outageIdOf(pair, move.id);
      pair.input({
        kind: 'evidence',
        resource: move.id,
        outage,
        when: 'after',
        evidence: { kernel: [], addresses: [], routes: [] },
      });
      return;
    }
    case 'drill_failed':
      pair.input({ kind: 'drill_failed', resource: move.id, command: 'c', error: 'nobody' });
      return;
    case 'reboot_failed': {
      const intent = pair.history.pendingIntent?.intent;
      const { cancelled } = move;
      if (intent !== undefined) pair.input({ kind: 'reboot_failed', intent, error: 'stub', cancelled });
      return;
    }
    case 'restart':
      pair.restart(move.boot, move.runs);
      return;
    case 'reload': {
      const left = resources
        .filter(({ id }) => id !== move.without)
        .map(one => ({ ...one, needs: one.needs.filter(id => id !== move.without) }));
      pair.policy = policy(left, { allowed: move.allowed });
      pair.input({ kind: 'configure' });
      return;
    }
  }
}

const plain: SensorMove = {
  id: '',
  sensor: 0,
  state: 'up',
  reflex: true,
  carrier: null,
  waiting: false,
  nature: 'exited',
  grace: null,
  served: false,
  ownRun: false,
};

describe('the old machine and the new', () => {
  it('tell 5,000 random stories in the same way', () => {
    const seen = new Map<string, number>();
    const stories = fc.array(aMove, { maxLength: 80, size: 'max' });
    fc.assert(
      fc.property(stories, moves => {
        const pair = new Pair();
        pair.input(...everyUp(pair));
        for (const move of moves) apply(pair, move);
        for (const { type } of pair.entries) seen.set(type, (seen.get(type) ?? 0) + 1);
      }),
      { numRuns: 5000 },
    );
    // The stories are worth something only if they get everywhere.
    for (const type of [
      'outage_begin',
      'outage_end',
      'outage_reopened',
      'attempt_end',
      'recovery_failed',
      'reboot_intent',
      'pause',
    ] as const)
      assert.ok((seen.get(type) ?? 0) > 500, `${type}: ${JSON.stringify([...seen])}`);
  });
});

function everyUp(pair: Pair): SensorInput[] {
  return [...pair.state.resources].flatMap(([id, { sensors }]) =>
    sensors.map((_, sensor) => reportOf(pair, { ...plain, id, sensor }, true)),
  );
}
