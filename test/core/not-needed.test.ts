/** An attempt that was held back because its resource was alive again: it was none, and nothing is counted by it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from '../../src/core/history.js';
import { compact } from '../../src/journal/compaction.js';
import { storyOf } from '../../src/report/story.js';
import { policy, resource, sensor, step, World } from './world.js';

const dns = resource('dns', { sensors: [sensor('process dnsmasq')], rebootWhenFailed: false });

/** It is dead, and its first attempt is due and held back. */
function heldBack(of = dns): World {
  const world = new World(policy([of]));
  world.up('dns');
  world.sensor('dns', 'down');
  world.notNeeded('dns');
  return world;
}

describe('which runs are held back', () => {
  it('those of the ladder, not those that a person asks for', () => {
    const world = new World(policy([dns]));
    world.up('dns');
    world.sensor('dns', 'down');
    world.runEnds(1, 'dns');
    world.command({ action: 'restart', target: 'dns', press: false });
    assert.deepEqual(
      world.did('run').map(({ run, unlessAlive }) => [run.purpose.by, unlessAlive]),
      [
        ['ladder', true],
        ['command', false],
      ],
    );
  });
});

describe('a first attempt that was not needed', () => {
  it('leaves an outage that ended by itself: nothing of ours to be verified, the next death is one of its own', () => {
    const world = heldBack();
    world.up('dns');
    assert.equal(world.phase('dns').name, 'up');
    assert.equal(world.of('outage_end')[0]?.attempts, 0);
    const [end] = world.of('attempt_end');
    assert.deepEqual(end?.result, { kind: 'not_needed' });
    const { outages } = world.history;
    assert.ok(outages[0]);
    const story = storyOf(world.entries, outages[0], 'service', world.history.seenFrom(world.now()));
    assert.deepEqual(story.moments.map(({ text }) => text).slice(-2), [
      'dns: attempt 1 was not started: it is alive again',
      'dns is back after 0 ms, by itself',
    ]);
    world.sensor('dns', 'down');
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('is no restart for the budget', () => {
    const world = heldBack(resource('dns', { ...dns, restartBudget: { max: 1, perMs: 3_600_000 } }));
    world.up('dns');
    world.sensor('dns', 'down');
    assert.equal(world.phase('dns').name, 'restarting');
  });

  it('is made after two seconds where it is dead again, under the same number', () => {
    const world = heldBack();
    const heldMs = world.bootMs;
    world.wait();
    assert.equal(world.bootMs, heldMs + 2000);
    assert.deepEqual(
      world.of('attempt').map(({ attempt }) => attempt),
      [1, 1],
    );
    world.runEnds(0, 'dns');
    const { outages } = world.history;
    assert.ok(outages[0]);
    const story = storyOf(world.entries, outages[0], 'service', world.history.seenFrom(world.now()));
    assert.deepEqual(
      story.attempts.map(({ ended }) => ended),
      ['was not started: it is alive again', 'finished'],
    );
  });

  it('does not begin anew what has been back for less than `rise`', () => {
    const world = heldBack(resource('dns', { ...dns, riseMs: 5000 }));
    const heldMs = world.bootMs;
    world.up('dns');
    world.wait();
    assert.equal(world.phase('dns').name, 'up');
    assert.equal(world.bootMs, heldMs + 5000);
    assert.equal(world.of('attempt').length, 1);
  });
});

describe('a later attempt that was not needed', () => {
  /** One has been made. */
  function second(): World {
    const world = new World(policy([resource('dns', { ...dns, steps: [step('restart', { attempts: 2 })] })]));
    world.up('dns');
    world.sensor('dns', 'down');
    world.advance(500);
    world.runEnds(0, 'dns');
    while (world.of('attempt').length < 2) world.wait();
    return world;
  }

  it('leaves everything as the one before it had left it: for the machine, a later sockmon, and a compacted journal', () => {
    const world = second();
    const { lastAttemptMs, lastRunEndMs } = {
      lastAttemptMs: world.bootMs - 30_000,
      lastRunEndMs: world.bootMs - 29_500,
    };
    world.notNeeded('dns');
    const facts = () => {
      const phase = world.phase('dns');
      assert.ok(phase.name === 'settling', phase.name);
      const { attempts, progress, lastResult, ...outage } = phase.outage;
      return [
        attempts,
        progress.attempts,
        progress.step,
        lastResult,
        outage.lastAttemptMs,
        outage.lastRunEndMs,
      ];
    };
    const expected = [1, 1, 0, { kind: 'exit', code: 0 }, lastAttemptMs, lastRunEndMs];
    assert.deepEqual(facts(), expected);
    world.restart();
    assert.deepEqual(facts(), expected);
    const kept = new History(compact(world.entries, world.now(), 1)).openOutage('dns');
    assert.deepEqual(
      [kept?.attempts, kept?.stepAttempts, kept?.lastAttemptMs, kept?.lastRunEndMs],
      [1, 1, lastAttemptMs, lastRunEndMs],
    );
  });

  it('is verified from the end of the one before, which is the one that may have stopped it', () => {
    const world = second();
    world.notNeeded('dns');
    world.up('dns');
    assert.equal(world.of('outage_end')[0]?.attempts, 1);
    assert.equal(world.phase('dns').name, 'verifying');
    world.advance(9999);
    world.input({ kind: 'tick' });
    assert.equal(world.phase('dns').name, 'verifying');
    world.advance(1);
    world.input({ kind: 'tick' });
    assert.equal(world.phase('dns').name, 'up');
  });

  it('at what was given up is not the last word after a compaction', () => {
    const world = second();
    world.runEnds(1, 'dns');
    while (world.of('recovery_failed').length === 0) assert.ok(world.wait());
    // So old that no budget remembers it.
    const retry = () => {
      const count = world.of('attempt').length;
      world.advance(40 * 86_400_000);
      while (world.of('attempt').length === count) assert.ok(world.wait());
    };
    retry();
    world.runEnds(1, 'dns');
    retry();
    world.notNeeded('dns');
    retry();
    world.notNeeded('dns');
    const before = world.history.openOutage('dns');
    const kept = compact(world.entries, world.now(), 1);
    const after = new History(kept).openOutage('dns');
    assert.ok(kept.length < world.entries.length);
    for (const key of ['attempts', 'lastAttemptMs', 'lastRunEndMs', 'step', 'stepAttempts'] as const)
      assert.deepEqual(after?.[key], before?.[key], key);
    assert.equal(after?.attempts, 3);
  });
});
