import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isoTime } from '../../src/core/time.js';

describe('a time in words', () => {
  it('is what toISOString says, for the years that four digits can write', () => {
    const [from, to] = [Date.parse('0000-01-01T00:00:00Z'), Date.parse('9999-12-31T23:59:59.999Z')];
    const moment = fc.oneof(
      fc.integer({ min: from, max: to }),
      fc.double({ min: from, max: to, noNaN: true }),
    );
    fc.assert(
      fc.property(moment, ms => assert.equal(isoTime(ms), new Date(ms).toISOString())),
      { numRuns: 5000 },
    );
    assert.equal(isoTime(Date.parse('2028-02-29T23:59:59.999Z')), '2028-02-29T23:59:59.999Z');
  });

  it('is refused for what is no time', () => {
    assert.throws(() => isoTime(Number.NaN), RangeError);
    assert.throws(() => isoTime(9e15), RangeError);
  });
});
