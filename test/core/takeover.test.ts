/** sockmon is itself restarted in the middle of a script: one outage, one run of the script, whatever the journal had time to hear of. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from '../../src/core/history.js';
import type { EarlierRun, Run } from '../../src/core/ports.js';
import { outageOf } from '../../src/core/state.js';
import { attemptsAtWork } from '../../src/core/takeover.js';
import { describe as sentence } from '../../src/core/words.js';
import { compact } from '../../src/journal/compaction.js';
import { storyOf } from '../../src/report/story.js';
import { policy, resource, step, World } from './world.js';

const awayMs = 3000;

/** The stack is dead and its script at work, started by the reflex or from the ladder; not yet in the journal where so wished. */
function restarting(by: 'reflex' | 'ladder', isRecorded = true): { world: World; run: EarlierRun } {
  const world = new World();
  world.up();
  const reflex = world.did('arm').at(-1)?.run as Run;
  const begunMs = world.bootMs;
  if (by === 'ladder') world.die();
  else if (isRecorded) world.die('tcpip', reflex.id);
  const run = by === 'reflex' ? reflex : (world.did('run').at(-1)?.run as Run);
  return { world, run: world.earlierRun(run, begunMs) };
}

/** sockmon is away for a while, and what lives then is taken over. */
function away(world: World, ...living: EarlierRun[]): void {
  world.advance(awayMs);
  world.effects.length = 0;
  world.restart(world.bootId, living);
}

for (const by of ['reflex', 'ladder'] as const) {
  describe(`a script of the ${by} that goes on`, () => {
    it('is waited for: no second one, no armed reflex, and its own number and begin in the journal', () => {
      const { world, run } = restarting(by);
      away(world, run);
      const phase = world.phase();
      assert.ok(phase.name === 'restarting');
      assert.deepEqual([phase.running.run, phase.running.startedMs], [run.run, run.startedMs]);
      world.sensor('tcpip', 'absent');
      world.advance(10_000);
      world.runEnded(run.run, 0);
      world.up();
      assert.deepEqual(world.did('run'), []);
      assert.deepEqual(
        world.did('arm').filter(({ run: armed }) => armed !== null && armed.purpose.outage === run.outage),
        [],
      );
      assert.equal(world.of('outage_begin').length, 1);
      assert.equal(world.of('attempt').length, 1);
      assert.equal(world.of('attempt_end')[0]?.durationMs, awayMs + 10_000);
      const [end] = world.of('outage_end');
      assert.deepEqual([end?.outage, end?.attempts, end?.durationMs], [run.outage, 1, awayMs + 10_000]);
    });

    it('is ended at the time that it was given before, and then the next attempt comes', () => {
      const { world, run } = restarting(by);
      away(world, run);
      world.wait();
      assert.deepEqual(world.did('end_run'), [{ do: 'end_run', run: run.run }]);
      assert.equal(world.bootMs, run.deadlineMs);
      world.runEnded(run.run, 0);
      assert.deepEqual(world.of('attempt_end')[0]?.result, { kind: 'timeout' });
      world.wait();
      assert.deepEqual(
        world.did('run').map(one => one.run.id),
        [`${run.outage}#2`],
      );
    });

    it('whose time is over already is ended at once', () => {
      const { world, run } = restarting(by);
      world.advance(120_000);
      away(world, run);
      world.input({ kind: 'tick' });
      assert.equal(world.did('end_run').length, 1);
    });

    it('is no service that is back: what is up ends the outage, and the script is a leftover', () => {
      const { world, run } = restarting(by);
      away(world, run);
      world.up();
      assert.equal(outageOf(world.phase()), null);
      assert.equal(world.of('outage_end').length, 1);
      world.advance(1000);
      world.runEnded(run.run, 0);
      assert.equal(world.of('attempt_end')[0]?.outage, run.outage);
      assert.equal(world.of('outage_begin').length, 1);
    });
  });

  it(`a script of the ${by} that is over is not taken over: the next attempt comes as it would have`, () => {
    const { world } = restarting(by);
    const dueMs = world.bootMs + 30_000;
    world.advance(10_000);
    away(world);
    world.sensor('tcpip', 'absent');
    assert.equal(world.phase().name, 'settling');
    world.wait();
    assert.equal(world.bootMs, dueMs);
    assert.deepEqual(
      world.did('run').map(({ run }) => run.purpose.attempt),
      [2],
    );
  });
}

describe('a script that the reflex had started before the journal heard of the death', () => {
  it('tells of the death: one outage, which began with it', () => {
    const { world, run } = restarting('reflex', false);
    away(world, run);
    const [begin] = world.of('outage_begin');
    assert.deepEqual(
      [begin?.outage, begin?.atMs, begin?.cause],
      [run.outage, run.startedMs, { kind: 'unknown' }],
    );
    assert.deepEqual(
      world.of('attempt').map(({ run: id, by, attempt, script }) => [id, by, attempt, script]),
      [[run.run, 'reflex', 1, '/bin/restart']],
    );
    world.sensor('tcpip', 'absent');
    world.advance(1000);
    world.runEnded(run.run, 0);
    world.up();
    assert.deepEqual(world.did('run'), []);
    assert.deepEqual(
      world.of('outage_end').map(({ outage, attempts }) => [outage, attempts]),
      [[run.outage, 1]],
    );
    world.advance(120_000);
    world.input({ kind: 'tick' });
    world.die();
    assert.deepEqual(
      world.of('outage_begin').map(({ outage }) => outage),
      [run.outage, world.outage(2)],
    );
  });

  it('and that is killed a second time is still the same', () => {
    const { world, run } = restarting('reflex', false);
    away(world, run);
    away(world, run);
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('attempt').length, 1);
    assert.equal(world.phase().name, 'restarting');
  });

  it('is a leftover where nothing says that it was alive: the journal is another one, or sockmon was stopped in order', () => {
    const { run } = restarting('reflex', false);
    const lost = new World();
    lost.restart(lost.bootId, [run]);
    const { world } = restarting('reflex', false);
    world.append({ type: 'stop', reason: 'SIGTERM' });
    away(world, run);
    for (const one of [lost, world]) {
      assert.equal(one.phase().name, 'absent');
      assert.equal(one.of('outage_begin').length, 0);
      assert.equal(one.state.resources.get('tcpip')?.leftovers.length, 1);
      one.runEnded(run.run, 0);
      assert.equal(one.state.resources.get('tcpip')?.leftovers.length, 0);
    }
  });
});

describe('a script that has ended while no sockmon was there', () => {
  const over = (run: EarlierRun): EarlierRun => ({ ...run, isOver: true });

  it('of the reflex, before the journal heard of the death: one outage, whose script is over', () => {
    const { world, run } = restarting('reflex', false);
    away(world, over(run));
    world.up();
    assert.equal(world.of('run_taken_over').length, 0, 'nothing runs');
    const [begin] = world.of('outage_begin');
    assert.deepEqual([begin?.outage, begin?.atMs], [run.outage, run.startedMs]);
    const [ended] = world.of('attempt_end');
    assert.deepEqual([ended?.result, ended?.atMs], [{ kind: 'unknown' }, world.bootMs]);
    const [end] = world.of('outage_end');
    assert.deepEqual([end?.attempts, end?.timeUncertain], [1, true]);
    // What it has left in the background stops it once more.
    world.advance(9000);
    world.die();
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('outage_reopened')[0]?.inDoubt, true);
  });

  it('and has brought nothing back: the next attempt comes after `every`, not at once', () => {
    const { world, run } = restarting('reflex', false);
    away(world, over(run));
    world.sensor('tcpip', 'absent');
    assert.equal(world.did('run').length, 0);
    world.wait();
    assert.equal(world.bootMs - run.startedMs, 30_000);
    assert.equal(world.did('run')[0]?.run.id, `${world.outage(1)}#2`);
  });

  it('of an attempt in the journal: its end is noted, once', () => {
    const { world, run } = restarting('ladder');
    world.runStarted(run.run, 4711);
    away(world, over(run));
    away(world, over(run));
    assert.deepEqual(
      world.of('attempt_end').map(({ result }) => result.kind),
      ['unknown'],
    );
    assert.deepEqual(world.history.openRuns(world.now()), []);
    assert.equal(world.phase().name, 'settling');
  });

  it('is nothing where nobody knows that anything was alive, or it is of an outage of long ago', () => {
    const { run } = restarting('reflex', false);
    const lost = new World();
    lost.restart(lost.bootId, [over(run)]);
    const { world } = restarting('reflex', false);
    away(world, over({ ...run, outage: world.outage(7), run: `${world.outage(7)}#1` }));
    for (const one of [lost, world]) {
      assert.equal(one.phase().name, 'absent');
      assert.equal(one.of('outage_begin').length, 0);
      assert.equal(one.of('attempt_end').length, 0);
    }
  });
});

describe('a script that means no attempt at an open outage', () => {
  it('is a leftover: its outage is over, or has left the journal', () => {
    const { world, run } = restarting('reflex');
    world.up();
    away(world, run);
    assert.equal(world.phase().name, 'verifying', 'it may still stop what it has brought back');
    assert.equal(world.of('run_taken_over').length, 1);
    world.up();
    while (world.phase().name === 'verifying') world.wait();
    assert.deepEqual(
      world.state.resources.get('tcpip')?.leftovers.map(({ run: id, deadlineMs }) => [id, deadlineMs]),
      [[run.run, null]],
    );
    // The next death is one of its own, with a reflex.
    assert.equal(world.did('arm').at(-1)?.run?.id, `${world.outage(2)}#1`);
    world.die('tcpip', `${world.outage(2)}#1`);
    world.up();
    away(world, { ...run, outage: world.outage(0), run: `${world.outage(0)}#1` });
    assert.equal(world.of('outage_begin').length, 2);
    assert.equal(world.state.resources.get('tcpip')?.leftovers.length, 1);
  });

  it('is one that a later attempt has given up', () => {
    const { world, run } = restarting('ladder');
    world.advance(60_000);
    world.input({ kind: 'tick' });
    // Not even SIGKILL ends it.
    while (world.of('attempt').length < 2) world.wait();
    const second = world.earlierRun(world.did('run').at(-1)?.run as Run);
    away(world, second, run);
    const phase = world.phase();
    assert.ok(phase.name === 'restarting' && phase.running.run === second.run);
    assert.deepEqual(
      world.state.resources.get('tcpip')?.leftovers.map(({ run: id }) => id),
      [run.run],
    );
  });

  it('is one of which only the next has a living process: it is not waited for', () => {
    const { world, run } = restarting('ladder');
    world.advance(60_000);
    world.input({ kind: 'tick' });
    while (world.of('attempt').length < 2) world.wait();
    away(world, run);
    assert.equal(world.phase().name, 'settling');
  });

  it('is one whose reboot is on its way', () => {
    const world = new World();
    world.up();
    world.die();
    world.fails(world.bootMs + 400_000);
    assert.equal(world.phase().name, 'rebooting');
    const last = world.earlierRun(world.did('run').at(-1)?.run as Run);
    away(world, last);
    assert.equal(world.phase().name, 'rebooting');
    assert.equal(world.state.resources.get('tcpip')?.leftovers.length, 1);
  });

  it('is one of a resource that is not watched any more: its outage is closed, the script is let alone', () => {
    const { world, run } = restarting('ladder');
    world.policy = policy([resource('dns')]);
    away(world, run);
    assert.deepEqual(
      world.of('outage_end').map(({ outage, outcome }) => [outage, outcome]),
      [[run.outage, 'forgotten']],
    );
    world.runEnded(run.run, 0);
    assert.equal(world.of('attempt_end').length, 0);
  });
});

describe('a script that is taken over', () => {
  it('keeps its time and grace though its step is gone; what follows is the new ladder', () => {
    const { world, run } = restarting('ladder');
    world.policy = policy([resource('tcpip', { steps: [step('other', { timeoutMs: 1000, graceMs: 1 })] })]);
    away(world, run);
    const phase = world.phase();
    assert.ok(phase.name === 'restarting');
    assert.deepEqual([phase.running.deadlineMs, phase.running.graceMs], [run.deadlineMs, run.graceMs]);
    world.runEnded(run.run, 1);
    while (world.did('run').length === 0) world.wait();
    assert.equal(world.did('run')[0]?.run.purpose.step, 'other');
  });

  it('of a resource that has no step any more is waited for as well', () => {
    const { world, run } = restarting('ladder');
    world.policy = policy([resource('tcpip', { steps: [], rebootWhenFailed: false })]);
    away(world, run);
    assert.equal(world.phase().name, 'restarting');
    world.runEnded(run.run, 0);
    world.up();
    while (world.phase().name === 'verifying') world.wait();
    assert.equal(world.phase().name, 'up');
  });

  it('by a command has not done its work as long as nothing has gone down', () => {
    const world = new World();
    world.up();
    world.command({ action: 'restart', target: 'tcpip', press: false });
    const run = world.earlierRun(world.did('run').at(-1)?.run as Run);
    away(world, run);
    world.up();
    assert.equal(world.phase().name, 'restarting', 'it is still the one that is to be restarted');
    world.die();
    world.up();
    assert.equal(outageOf(world.phase()), null);
    assert.equal(world.of('outage_begin').length, 1);

    world.advance(600_000);
    world.command({ id: 'c2', action: 'restart', target: 'tcpip', press: false });
    const second = world.earlierRun(world.did('run').at(-1)?.run as Run);
    away(world, second);
    world.up();
    world.runEnded(second.run, 0);
    assert.equal(outageOf(world.phase()), null, 'what never went down is back with the end of the script');
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('and whose status nobody knows has not failed at once: the next attempt has its whole time', () => {
    for (const [result, waitMs] of [
      [{ kind: 'unknown' }, 30_000 - awayMs],
      [{ kind: 'exit', code: 1 }, 1000],
    ] as const) {
      const { world, run } = restarting('ladder');
      away(world, run);
      const endedMs = world.bootMs;
      world.input({ kind: 'run_ended', run: run.run, atMs: endedMs, result, output: '' });
      world.wait();
      assert.equal(world.bootMs - endedMs, waitMs, result.kind);
      assert.equal(world.did('run').length, 1);
    }
  });

  it('stands in the story, once for each restart of sockmon, in words', () => {
    const { world, run } = restarting('ladder');
    world.runStarted(run.run, 4711);
    away(world, run);
    world.runEnded(run.run, 0);
    world.up();
    const outage = world.history.outages.at(-1);
    assert.ok(outage);
    const told = storyOf(world.entries, outage, 'network', world.history.seenFrom(world.now()));
    const words = told.moments.map(({ text }) => text);
    const restarted = words.filter(text => /sockmon was itself restarted/.test(text));
    assert.deepEqual(restarted, [
      'tcpip: sockmon was itself restarted; it has taken over attempt 1, which has been running for 3.0 s (pid 4711)',
    ]);
    assert.ok(!words.some(text => /is process/.test(text)), 'which process it is interests nobody');
    assert.equal(told.attempts[0]?.ended, 'finished');
  });
});

describe('the stop record', () => {
  it('names the scripts that go on, in words too', () => {
    const { world, run } = restarting('reflex');
    const running = attemptsAtWork(world.state);
    assert.deepEqual(running, [{ resource: 'tcpip', attempt: 1, run: run.run }]);
    world.append({ type: 'stop', reason: 'SIGTERM', running });
    const { text } = sentence(world.of('stop')[0] as never);
    assert.equal(
      text,
      'sockmon stops: SIGTERM; the restart script of tcpip (attempt 1) goes on by itself, and the next sockmon takes it over',
    );
    world.runEnded(run.run, 0);
    world.up();
    assert.deepEqual(attemptsAtWork(world.state), []);
  });
});

describe('the process of a run, in the journal', () => {
  it('is known until its end is: by a later sockmon of the same boot, also after a compaction', () => {
    const { world, run } = restarting('reflex');
    world.runStarted(run.run, 4711);
    const known = { ...run, startTicks: world.bootMs };
    assert.deepEqual(world.history.openRuns(world.now()), [known]);
    for (let n = 0; n < 50; n++)
      world.append({ type: 'notice', resource: 'tcpip', atMs: world.bootMs, what: 'degraded', detail: 'x' });
    world.append({ type: 'published', upTo: world.entries.length });
    const compacted = compact(world.entries, world.now(), 5);
    assert.ok(compacted.length < world.entries.length);
    assert.deepEqual(new History(compacted).openRuns(world.now()), [known]);
    assert.deepEqual(world.history.openRuns({ ...world.now(), bootId: 'another' }), []);
    world.runEnded(run.run, 0);
    assert.deepEqual(world.history.openRuns(world.now()), []);
  });

  it('is not recorded for a run that nobody knows, nor without its start', () => {
    const { world, run } = restarting('reflex');
    world.runStarted('x#1', 4711);
    world.input({ kind: 'run_started', run: run.run, atMs: 1, pid: 4711, startTicks: 0 });
    assert.equal(world.of('run_started').length, 0);
  });
});
