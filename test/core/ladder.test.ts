import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nextStep, relapseDelayMs } from '../../src/core/ladder.js';
import type { RunResult } from '../../src/core/model.js';

const seed = { argv: ['/r'], attempts: 6, everyMs: 30_000, timeoutMs: 60_000, graceMs: 5000 };
const good: RunResult = { kind: 'exit', code: 0 };
const bad: RunResult = { kind: 'exit', code: 1 };

describe('the ladder', () => {
  const cases: [string, Parameters<typeof nextStep>, ReturnType<typeof nextStep>][] = [
    [
      'nothing tried yet: now',
      [seed, { beganMs: 0, attempts: 0, lastAttemptMs: null }, null, 7],
      { kind: 'attempt', atMs: 7 },
    ],
    [
      'a success that is none: after `every`',
      [seed, { beganMs: 0, attempts: 1, lastAttemptMs: 0 }, good, 100],
      { kind: 'attempt', atMs: 30_000 },
    ],
    [
      'a first failure at once: soon',
      [seed, { beganMs: 0, attempts: 1, lastAttemptMs: 0 }, bad, 100],
      { kind: 'attempt', atMs: 1100 },
    ],
    [
      'a first failure late: after `every`',
      [seed, { beganMs: 0, attempts: 1, lastAttemptMs: 0 }, bad, 6000],
      { kind: 'attempt', atMs: 30_000 },
    ],
    [
      'a second failure: after `every`',
      [seed, { beganMs: 0, attempts: 2, lastAttemptMs: 1100 }, bad, 1200],
      { kind: 'attempt', atMs: 31_100 },
    ],
    [
      'a script slower than `every`: at once',
      [seed, { beganMs: 0, attempts: 2, lastAttemptMs: 30_000 }, bad, 75_000],
      { kind: 'attempt', atMs: 75_000 },
    ],
    [
      'the last one: three minutes after the death',
      [seed, { beganMs: 0, attempts: 6, lastAttemptMs: 121_100 }, bad, 122_000],
      { kind: 'give_up', atMs: 180_000 },
    ],
    [
      'a late last one: it gets its time',
      [seed, { beganMs: 0, attempts: 6, lastAttemptMs: 200_000 }, good, 200_100],
      { kind: 'give_up', atMs: 230_000 },
    ],
    [
      '`every` shorter than the quick retry',
      [{ ...seed, everyMs: 200 }, { beganMs: 0, attempts: 1, lastAttemptMs: 0 }, bad, 10],
      { kind: 'attempt', atMs: 210 },
    ],
  ];
  for (const [name, input, expected] of cases) it(name, () => assert.deepEqual(nextStep(...input), expected));

  it('waits longer for what keeps dying, never longer than `every`', () => {
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 8, 60].map(relapses => relapseDelayMs(relapses, 30_000)),
      [0, 0, 0, 1000, 2000, 4000, 30_000, 30_000],
    );
  });
});
