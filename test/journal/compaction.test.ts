/** A compaction takes stories, never memory: the guard and the machine say the same before and after it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { judgeCommand, judgeReboot, judgeRestart } from '../../src/core/guard.js';
import { History } from '../../src/core/history.js';
import type { ReceivedCommand } from '../../src/core/ports.js';
import type { JournalEntry } from '../../src/core/records.js';
import { outageOf } from '../../src/core/state.js';
import type { Instant } from '../../src/core/time.js';
import { compact } from '../../src/journal/compaction.js';
import { policy, rebootPolicy, resource, sensor, step, World } from '../core/world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

const reboots = { ...rebootPolicy, minUptimeMs: 0 };

function notices(world: World, count: number): void {
  for (let n = 0; n < count; n++) {
    world.append({
      type: 'notice',
      resource: 'tcpip',
      atMs: world.bootMs,
      what: 'carrier_lost',
      detail: 'x',
    });
    world.advance(100);
  }
  world.append({ type: 'published', upTo: world.entries.length });
}

/** What the guard and the machine ask the history. */
function sayings(entries: readonly JournalEntry[], nows: readonly Instant[], commands: ReceivedCommand[]) {
  const history = new History(entries);
  const budgets = [hourMs, dayMs, 30 * dayMs];
  return {
    lastSeq: history.lastSeq,
    publishedSeq: history.publishedSeq,
    intended: history.intended,
    pendingIntent: history.pendingIntent?.intent,
    pendingLevel: history.pendingLevel,
    total: history.outagesTotal,
    seen: [...history.seen].sort(),
    runs: nows.map(now => history.openRuns(now)),
    resources: ['tcpip', 'dns'].map(id => {
      const open = history.openOutage(id);
      // What stood before an attempt is asked for within its own turn only.
      const {
        begin,
        evidence: _,
        beforeAttempt: __,
        ...rest
      } = open ?? { begin: undefined, evidence: null, beforeAttempt: null };
      return { rest, begin: begin?.seq, number: history.outagesOf(id) };
    }),
    verdicts: nows.map(now => ({
      witnessedMs: history.elapsedMsAt(now),
      reboot: budgets.map(perMs =>
        judgeReboot({ ...reboots, budget: { max: 2, perMs }, holdOffMs: [minuteMs, hourMs] }, history, now),
      ),
      restart: ['tcpip', 'dns'].flatMap(id =>
        budgets.map(perMs => judgeRestart(resource(id, { restartBudget: { max: 3, perMs } }), history, now)),
      ),
      commands: commands.map(command => judgeCommand(command, policyOfTwo(), history, now)),
      paused: ['tcpip', 'dns'].map(id => history.pausedUntilMs(id, now)),
    })),
  };
}

function policyOfTwo() {
  return policy(
    [
      resource('tcpip', { steps: [step('restart', { attempts: 2 })] }),
      resource('dns', { sensors: [sensor('process dnsmasq')], rebootWhenFailed: false }),
    ],
    { minUptimeMs: 0, holdOffMs: [] },
  );
}

function press(id: string, more: Partial<ReceivedCommand> = {}): ReceivedCommand {
  return {
    id,
    action: 'restart',
    target: 'tcpip',
    origin: 'mqtt:press',
    press: true,
    retained: false,
    duplicate: false,
    sinceConnectMs: minuteMs,
    ...more,
  };
}

describe('a compacted journal', () => {
  it('remembers reboots, the pause and what was alive, behind thousands of carrier notices', () => {
    const world = new World(policy([resource('tcpip')], { minUptimeMs: 0 }));
    for (let n = 1; n <= 3; n++) {
      world.command({ id: `c${n}`, action: 'reboot' });
      world.advance(2 * minuteMs);
      world.restart(`boot-${n}`);
    }
    world.up();
    world.command({ id: 'p', action: 'pause', press: false, forMs: 20 * hourMs });
    notices(world, 2600);
    const history = new History(compact(world.entries, world.now()));
    const verdict = judgeReboot(reboots, history, world.now());
    assert.equal(verdict.allowed ? 'allowed' : verdict.code, 'budget_exhausted');
    assert.notEqual(history.pausedUntilMs('tcpip', world.now()), null);
    assert.equal(history.seen.get('tcpip')?.bootId, world.bootId);
    assert.equal(history.hasRun('c1'), true);
    assert.equal(history.intended, 3);
  });

  for (const synced of [false, true]) {
    it(`is emptied by no clock that runs 800 days ahead (synchronised: ${synced})`, () => {
      const world = new World(policy([resource('tcpip')], { minUptimeMs: 0 }));
      world.synced = false;
      world.up();
      for (let death = 0; death < 5; death++) {
        world.die();
        world.up();
        world.advance(hourMs);
      }
      world.command({ id: 'c', action: 'reboot' });
      world.append({ type: 'published', upTo: world.entries.length });
      const later = { ...world.now(), wallMs: world.wallMs + 800 * dayMs, synced };
      assert.deepEqual(compact(world.entries, later), world.entries);
    });
  }

  it('lets no reboot look younger or older when the boots in between are gone', () => {
    const world = new World(policy([resource('tcpip')], { minUptimeMs: 0 }));
    world.synced = false;
    world.command({ id: 'c1', action: 'reboot' });
    for (let boot = 1; boot <= 40; boot++) {
      world.restart(`boot-${boot}`);
      world.advance(hourMs);
      notices(world, 100);
    }
    const compacted = compact(compact(world.entries, world.now(), 300), world.now(), 50);
    assert.ok(compacted.length < 70, `${compacted.length} entries`);
    const [before, after] = [world.entries, compacted].map(entries => {
      const history = new History(entries);
      return [23, 42].map(hours =>
        judgeReboot({ ...reboots, budget: { max: 1, perMs: hours * hourMs } }, history, world.now()),
      );
    });
    assert.equal(before?.[0]?.allowed, true);
    assert.equal(before?.[1]?.allowed, false);
    assert.deepEqual(after, before);
  });

  it('counts the outages on that have gone, and is not believed to be whole before them', () => {
    const world = new World();
    world.up();
    for (let death = 0; death < 60; death++) {
      world.die();
      world.advance(minuteMs);
      world.up();
      world.advance(hourMs);
    }
    notices(world, 10);
    let entries: JournalEntry[] = world.entries;
    for (const kept of [150, 100, 50]) entries = compact(entries, world.now(), kept);
    const history = new History(entries);
    assert.equal(history.outagesTotal, 60);
    assert.ok(history.outages.length < 30);
    assert.ok((history.firstWallMs ?? 0) > (world.entries[100]?.wallMs ?? 0));
    assert.equal(history.outagesOf('tcpip'), 60);
    assert.deepEqual(compact(entries, world.now(), 50), entries, 'there is nothing more to take away');
  });

  it('keeps of an outage that is open again and again its latest lives, and the sum of all', () => {
    const world = new World(policy([resource('tcpip', { rebootWhenFailed: false })]));
    world.up();
    world.die();
    const lives = (count: number) => {
      for (let life = 0; life < count; life++) {
        while (world.phase().name !== 'restarting') assert.ok(world.wait());
        world.runEnds(0);
        world.up();
        world.advance(5000);
        world.die();
      }
    };
    lives(100);
    for (const isOpen of [true, false]) {
      if (!isOpen) world.recovers();
      const kept = compact(world.entries, world.now(), 10);
      const count = (entries: readonly JournalEntry[], type: string) =>
        entries.filter(entry => entry.type === type).length;
      assert.equal(count(world.entries, 'outage_reopened'), 100);
      assert.ok(count(kept, 'outage_reopened') <= 26, `${count(kept, 'outage_reopened')} are kept`);
      const [before, after] = [world.entries, kept].map(entries => new History(entries).outages[0]);
      assert.ok(before && after);
      for (const key of ['lives', 'aliveMs', 'reopenedMs', 'blamedRun', 'lastRunEndMs', 'quiet'] as const)
        assert.deepEqual(after[key], before[key], key);
      assert.equal(after.aliveMs, 100 * 5000);
      assert.equal(after.end === null, isOpen);
      assert.equal(after.end?.seq, before.end?.seq);
    }
  });

  it('still knows the true times of a boot of which little is left', () => {
    const world = new World(policy([resource('tcpip')], { minUptimeMs: 0 }));
    world.synced = false;
    world.wallMs = 0;
    world.up();
    world.command({ id: 'c', action: 'reboot', press: false });
    world.synced = true;
    world.wallMs = Date.parse('2026-11-22T07:00:00Z');
    notices(world, 20);
    world.synced = false;
    world.restart('boot-2');
    notices(world, 200);
    const kept = compact(world.entries, world.now(), 50);
    const clock = (entries: readonly JournalEntry[]) =>
      new History(entries).seenFrom(world.now()).clocks.get('b0000001-boot');
    assert.ok(kept.length < 70);
    assert.equal(clock(kept), clock(world.entries));
  });

  it('says the same to the guard and to the machine as before (property)', () => {
    let shrunk = 0;
    fc.assert(
      fc.property(walk, fc.integer({ min: 1, max: 25 }), fc.boolean(), (moves, recent, again) => {
        const world = new World(policyOfTwo());
        moves.forEach((move, index) => {
          play(world, move, index);
        });
        const nows = [0, minuteMs, 7 * hourMs, 3 * dayMs].flatMap((ms): Instant[] => [
          { ...world.now(), bootMs: world.bootMs + ms, wallMs: world.wallMs + ms },
          { bootId: 'b-next', bootMs: ms, wallMs: world.wallMs + ms, synced: world.synced },
        ]);
        const commands = ['c0', 'c7', 'new'].flatMap(id => [
          press(id),
          press(id, { action: 'reboot' }),
          press(id, { action: 'drill', target: 'dns' }),
        ]);
        let kept = compact(world.entries, world.now(), recent);
        if (again) kept = compact(kept, world.now(), recent);
        if (kept.length < world.entries.length) shrunk++;
        assert.deepEqual(sayings(kept, nows, commands), sayings(world.entries, nows, commands));
        const seqs = kept.map(({ seq }) => seq);
        assert.deepEqual(
          seqs,
          [...new Set(seqs)].sort((a, b) => a - b),
        );
      }),
      { numRuns: 500 },
    );
    assert.ok(shrunk > 200, `${shrunk} of them had anything to lose`);
  });
});

type Move =
  | { move: 'up' | 'die' | 'started' | 'end' | 'down'; id: string; code: number }
  | { move: 'wait' | 'stop' | 'published' | 'notice' | 'cancel' }
  | { move: 'advance'; ms: number }
  | { move: 'command'; action: ReceivedCommand['action']; target: string }
  | { move: 'restart'; boot: boolean }
  | { move: 'clock'; ms: number; synced: boolean };

const id = fc.constantFrom('tcpip', 'dns');
const walk = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        move: fc.constantFrom('up' as const, 'die' as const, 'started' as const, 'end' as const),
        id,
        code: fc.constantFrom(0, 1, 100, -1),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        move: fc.constantFrom(
          'wait' as const,
          'stop' as const,
          'published' as const,
          'notice' as const,
          'cancel' as const,
        ),
      }),
    },
    fc.record({
      move: fc.constant('advance' as const),
      ms: fc.constantFrom(10, 1000, minuteMs, hourMs, dayMs),
    }),
    {
      weight: 3,
      arbitrary: fc.record({
        move: fc.constant('command' as const),
        action: fc.constantFrom('reboot' as const, 'restart' as const, 'pause' as const, 'resume' as const),
        target: fc.constantFrom('tcpip', 'dns', ''),
      }),
    },
    { weight: 2, arbitrary: fc.record({ move: fc.constant('restart' as const), boot: fc.boolean() }) },
    fc.record({
      move: fc.constant('clock' as const),
      ms: fc.constantFrom(-800 * dayMs, 800 * dayMs, hourMs),
      synced: fc.boolean(),
    }),
  ),
  { maxLength: 80, size: 'max' },
);

function play(world: World, move: Move, index: number): void {
  switch (move.move) {
    case 'up':
      world.up(move.id);
      return;
    case 'die':
    case 'down':
      world.die(move.id);
      return;
    case 'started': {
      const phase = world.phase(move.id);
      if (phase.name === 'restarting') world.runStarted(phase.running.run, index + 2);
      return;
    }
    case 'end': {
      const run = world.currentRun(move.id) ?? `${outageId(world, move.id)}#1`;
      const result =
        move.code < 0
          ? ({ kind: 'not_started', error: 'ECANCELED' } as const)
          : ({ kind: 'exit', code: move.code } as const);
      world.input({ kind: 'run_ended', run, atMs: world.bootMs, result, output: 'said' });
      return;
    }
    case 'wait':
      world.wait();
      return;
    case 'stop':
      world.append({ type: 'stop', reason: 'test' });
      world.restart();
      return;
    case 'published':
      world.append({ type: 'published', upTo: world.entries.length });
      return;
    case 'notice':
      notices(world, 3);
      return;
    case 'cancel': {
      const intent = world.history.pendingIntent?.intent ?? '';
      world.input({ kind: 'reboot_failed', intent, error: 'no', cancelled: true });
      return;
    }
    case 'advance':
      world.advance(move.ms);
      return;
    case 'command': {
      const { action, target } = move;
      const wanted = action === 'reboot' || target === '' ? {} : { target };
      world.command({ id: `c${index}`, action, ...wanted, press: false, forMs: 2 * hourMs });
      return;
    }
    case 'restart':
      world.restart(move.boot ? `boot-${index}` : world.bootId);
      return;
    case 'clock':
      world.wallMs += move.ms;
      world.synced = move.synced;
  }
}

function outageId(world: World, resourceId: string): string {
  const { phase } = world.state.resources.get(resourceId) ?? {};
  return (phase && outageOf(phase)?.id) ?? '';
}
