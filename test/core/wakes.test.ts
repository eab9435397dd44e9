import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Wakes } from '../../src/core/wakes.js';

/** What the heap is to do, by looking at everything. */
class Plain {
  private readonly moments = new Map<string, number>();

  set(id: string, atMs: number | null): void {
    if (atMs === null) this.moments.delete(id);
    else this.moments.set(id, atMs);
  }

  nextMs(): number | null {
    return this.moments.size === 0 ? null : Math.min(...this.moments.values());
  }

  due(nowMs: number): string[] {
    return [...this.moments].filter(([, atMs]) => atMs <= nowMs).map(([id]) => id);
  }
}

const change = fc.record({
  id: fc.integer({ min: 0, max: 30 }).map(String),
  atMs: fc.option(fc.nat(1000), { nil: null }),
});

describe('the wakes', () => {
  it('name the earliest moment and all that are due, however often they are put off', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 400, size: 'max' }), fc.nat(1000), (changes, nowMs) => {
        const wakes = new Wakes();
        const plain = new Plain();
        for (const { id, atMs } of changes) {
          wakes.set(id, atMs);
          plain.set(id, atMs);
          assert.equal(wakes.nextMs(), plain.nextMs());
        }
        assert.deepEqual(wakes.due(nowMs).sort(), plain.due(nowMs).sort());
        assert.equal(wakes.nextMs(), plain.nextMs(), 'being due changes nothing');
      }),
      { numRuns: 1000 },
    );
  });

  it('do not grow with what is put off again and again', () => {
    const wakes = new Wakes();
    for (let round = 0; round < 100_000; round++) wakes.set(`r${round % 10}`, 1_000_000 + round);
    assert.ok(wakes.size < 200, `${wakes.size} entries for 10 resources`);
  });
});
