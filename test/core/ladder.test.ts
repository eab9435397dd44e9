import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NextStep, nextStep, type Progress, soonDeathDelayMs } from '../../src/core/ladder.js';
import type { RestartStep } from '../../src/core/policy.js';
import type { RunResult } from '../../src/core/records.js';
import { step } from './world.js';

const good: RunResult = { kind: 'exit', code: 0 };
const bad: RunResult = { kind: 'exit', code: 1 };
const permanent: RunResult = { kind: 'exit', code: 125 };
const seed = [step('restart')];
const two = [step('restart', { attempts: 2 }), step('reload-driver', { attempts: 1, everyMs: 60_000 })];
const patient = [step('restart', { backoff: 2 })];
const on = (attempts: number, stepIndex = 0, beganMs = 0): Progress => ({
  step: stepIndex,
  attempts,
  beganMs,
});
const attempt = (atMs: number, stepIndex = 0): NextStep => ({ kind: 'attempt', atMs, step: stepIndex });
const giveUp = (atMs: number): NextStep => ({ kind: 'give_up', atMs });

type Case = [
  what: string,
  steps: RestartStep[],
  progress: Progress,
  lastMs: number,
  result: RunResult,
  nowMs: number,
  then: NextStep,
];

describe('the ladder', () => {
  const cases: Case[] = [
    ['a success that is none: after `every`', seed, on(1), 0, good, 100, attempt(30_000)],
    ['a first failure at once: soon, with time for others', seed, on(1), 0, bad, 100, attempt(2000)],
    ['a first failure soon: a second later', seed, on(1), 0, bad, 1500, attempt(2500)],
    ['an end that nobody saw is no failure', seed, on(1), 0, { kind: 'unknown' }, 100, attempt(30_000)],
    ['a first failure late: after `every`', seed, on(1), 0, bad, 6000, attempt(30_000)],
    ['a second failure: after `every`', seed, on(2), 1100, bad, 1200, attempt(31_100)],
    [
      'slower than `every`: once what it has started would be seen',
      seed,
      on(2),
      0,
      bad,
      75_000,
      attempt(76_000),
    ],
    ['the last one: three minutes after the death', seed, on(6), 121_100, bad, 122_000, giveUp(180_000)],
    ['a late last one: it gets its time', seed, on(6), 200_000, good, 200_100, giveUp(230_000)],
    ['`every` shorter than the quick retry', [step('r', { everyMs: 200 })], on(1), 0, bad, 10, attempt(210)],
    ['a permanent failure with nothing above: give up at once', seed, on(1), 0, permanent, 10, giveUp(10)],
    ['a permanent failure: the next step at once', two, on(1), 0, permanent, 10, attempt(10, 1)],
    ['a step used up: the next one when its time is over', two, on(2), 1100, bad, 1200, attempt(60_000, 1)],
    ['the last step used up: give up', two, on(1, 1, 60_000), 60_000, good, 60_100, giveUp(120_000)],
    ['back-off: twice as long each time', patient, on(3), 90_000, good, 90_100, attempt(210_000)],
    ['back-off has an end', patient, on(5), 0, good, 1, attempt(480_000)],
    ['a step that is gone: give up', [], on(1), 0, bad, 10, giveUp(10)],
  ];
  for (const [what, steps, progress, lastMs, result, nowMs, then] of cases) {
    it(what, () => assert.deepEqual(nextStep(steps, progress, lastMs, result, nowMs), then));
  }

  it('waits longer for what keeps dying, never longer than `every`', () => {
    const delays = [0, 1, 2, 3, 4, 5, 8, 60].map(soonDeaths => soonDeathDelayMs(soonDeaths, 30_000));
    assert.deepEqual(delays, [0, 0, 0, 1000, 2000, 4000, 30_000, 30_000]);
  });
});

describe('a machine that is shutting down', () => {
  it('is no reason to go up the ladder: nothing has been tried', () => {
    const cancelled: RunResult = { kind: 'not_started', error: 'ECANCELED' };
    assert.deepEqual(nextStep(two, on(2), 30_000, cancelled, 30_001), attempt(60_000));
    assert.deepEqual(nextStep(seed, on(6), 150_000, cancelled, 150_001), attempt(180_000));
    const missing: RunResult = { kind: 'not_started', error: 'ENOENT' };
    assert.deepEqual(nextStep(seed, on(6), 150_000, missing, 150_001), giveUp(180_000));
  });
});
