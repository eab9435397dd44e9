import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDuration, parseDuration } from '../../src/base/duration.js';

test('durations are read with their units', () => {
  const table: readonly [string, number][] = [
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['1d2h3m4s5ms', 93_784_005],
    ['90s', 90_000],
    ['0s', 0],
  ];
  for (const [text, ms] of table) assert.equal(parseDuration(text), ms, text);
});

test('what is not a duration is refused', () => {
  const refused = [
    '',
    '30',
    's',
    '1.5s',
    '-1s',
    '30 s',
    '30S',
    '1m1h',
    '1s1s',
    '1min',
    '30s ',
    '٣s',
    '1e3s',
    'ms',
  ];
  for (const text of refused) assert.equal(parseDuration(text), null, JSON.stringify(text));
});

test('a duration that was written is read back as the same', () => {
  fc.assert(
    fc.property(fc.nat({ max: 10 * 365 * 86_400_000 }), ms => parseDuration(formatDuration(ms)) === ms),
  );
});

test('any text is a whole number of milliseconds or nothing', () => {
  const pieces = fc.array(fc.constantFrom('1', '30', 'd', 'h', 'm', 's', 'ms', ' ', '.', '-'), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(pieces, parts => {
      const ms = parseDuration(parts.join(''));
      return ms === null || (Number.isSafeInteger(ms) && ms >= 0);
    }),
  );
});
