/** What the demo and the benchmark make of their measurements, and how a wait complains: all pure. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { table } from '../../bench/report.js';
import { figures, interleave, percentile, row } from '../../bench/stats.js';
import { messageList, timeline } from '../../demo/render.js';
import type { Story } from '../../demo/story.js';
import { until } from './wait.js';

const story: Story = {
  killed_at: '2026-01-31T12:00:00.000Z',
  detected_ms: 1.6,
  restart_started_ms: 1.7,
  network_back_ms: 15.5,
  published_ms: 36.9,
  cause: 'killed by SIGKILL',
  attempts: 1,
  messages: [
    { topic: 'sockmon/lab/status', retain: true, payload: 'recovering' },
    { topic: 'sockmon/lab/event', retain: false, payload: JSON.stringify({ long: 'x'.repeat(400) }) },
  ],
};

describe('the demo in words', () => {
  test('the timeline has a line for each step, in order, and the cause', () => {
    const lines = timeline(story, { color: false, columns: 80 }).split('\n');
    const steps = ['+0.0 ms', '+1.6 ms', '+1.7 ms', '+15.5 ms', '+36.9 ms'];
    for (const [index, step] of steps.entries()) assert.ok(lines[index]?.includes(step), lines[index]);
    const dots = lines.slice(0, steps.length).map(line => line.indexOf('●'));
    assert.deepEqual(
      dots,
      dots.toSorted((a, b) => a - b),
    );
    assert.equal(lines.at(-1), '  cause: killed by SIGKILL; back after 1 attempt');
  });

  test('messages fit the terminal and say which are retained', () => {
    const [, first, second] = messageList(story, { color: false, columns: 80 }).split('\n');
    assert.equal(first, '  sockmon/lab/status (retained) recovering');
    assert.ok(second !== undefined && second.length <= 80 && second.endsWith('…'));
  });

  test('colour only where it is asked for', () => {
    assert.ok(!timeline(story, { color: false, columns: 80 }).includes('\x1b'));
    assert.ok(timeline(story, { color: true, columns: 80 }).includes('\x1b[31m'));
  });
});

describe('the benchmark in figures', () => {
  test('a percentile is a measured value, and none is below it too often', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
        fc.integer({ min: 1, max: 100 }),
        (samples, p) => {
          const sorted = [...samples].sort((a, b) => a - b);
          const value = percentile(sorted, p);
          assert.ok(samples.includes(value));
          assert.ok(sorted.filter(sample => sample <= value).length >= (p / 100) * sorted.length - 1e-9);
        },
      ),
    );
    assert.deepEqual(figures([5, 1, 4, 2, 3]), { n: 5, p50: 3, p90: 5 });
    assert.throws(() => figures([]));
  });

  test('a goal is met or missed by the ratio or by the value, as it says', () => {
    const rival = { name: 'C', samples: [2] };
    assert.equal(row('x', 'ms', [2.1], rival, { kind: 'ratio', atMost: 1.1 }).met, true);
    assert.equal(row('x', 'ms', [2.3], rival, { kind: 'ratio', atMost: 1.1 }).met, false);
    assert.equal(row('x', 'count', [0], null, { kind: 'value', atMost: 0 }).met, true);
    assert.equal(row('x', 'count', [1], null, { kind: 'value', atMost: 0 }).met, false);
    assert.equal(row('x', 'ms', [1], null, null).met, null);
  });

  test('the table shows both sides, the ratio and the verdict', () => {
    const text = table([row('kill', 'ms', [2], { name: 'C', samples: [4] }, { kind: 'ratio', atMost: 0.4 })]);
    assert.match(text, /^kill {2}2\.00 ms +4\.00 ms +C +0\.50 +<= 0\.4 x +MISSED$/m);
  });

  test('every round has every variant once', async () => {
    const seen: string[] = [];
    await interleave(['a', 'b', 'c'], 20, async variant => void seen.push(variant));
    for (let round = 0; round < 20; round++) {
      assert.deepEqual(seen.slice(round * 3, round * 3 + 3).sort(), ['a', 'b', 'c']);
    }
  });
});

describe('waiting', () => {
  test('gives what the probe gives, as soon as it does', async () => {
    let calls = 0;
    assert.equal(
      await until('the third look', () => (++calls === 3 ? 'there' : null), { pollMs: 1 }),
      'there',
    );
    assert.equal(calls, 3);
  });

  test('says what it waited for, with the context of that moment', async () => {
    const waiting = until('a train', () => false, { deadlineMs: 5, pollMs: 1, context: () => 'platform 2' });
    await assert.rejects(waiting, /in vain for a train\nplatform 2/);
  });
});
