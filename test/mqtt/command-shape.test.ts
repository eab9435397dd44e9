/** The payload of `…/cmd/run` beside the same schema in zod: the same verdicts, its times included. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { parseDuration } from '../../src/base/duration.js';
import { Mismatch } from '../../src/base/shape.js';
import { actions } from '../../src/core/records.js';
import { runCommandShape } from '../../src/mqtt/commands.js';

const time = z.iso.datetime({ offset: true });
const reference = z.strictObject({
  v: z.literal(1),
  id: z.string().regex(/^[A-Za-z0-9._-]{8,64}$/),
  action: z.enum(actions),
  target: z
    .string()
    .regex(/^[a-zA-Z0-9_-]{1,64}$/)
    .optional(),
  issued_at: time,
  expires_at: time.optional(),
  reason: z.string().max(256).optional(),
  dry_run: z.boolean().optional(),
  for: z
    .string()
    .refine(value => parseDuration(value) !== null)
    .optional(),
  for_s: z.number().optional(),
  sig: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .optional(),
});
const good = { v: 1, id: 'ha-12345678', action: 'restart', issued_at: '2026-01-02T03:04:05Z' };

function agree(command: unknown): void {
  const read = runCommandShape(command);
  const expected = reference.safeParse(command);
  assert.equal(!(read instanceof Mismatch), expected.success, JSON.stringify(command));
  if (expected.success) assert.deepEqual(read, expected.data);
}

const two = fc.integer({ min: 0, max: 62 }).map(number => String(number).padStart(2, '0'));
const stamp = fc
  .tuple(
    fc.constantFrom('0000', '1900', '2000', '2024', '2026', '2100', '26', '+02026'),
    fc.constantFrom('00', '01', '02', '04', '12', '13'),
    fc.constantFrom('00', '01', '28', '29', '30', '31', '32'),
    fc.constantFrom('T', ' ', 't'),
    two,
    two,
    fc.oneof(
      fc.constant(''),
      two.map(seconds => `:${seconds}`),
      fc.constantFrom(':05.5', ':05.', ':59.123456789'),
    ),
    fc.constantFrom('Z', 'z', '', '+01:00', '-23:59', '+24:00', '+0100'),
  )
  .map(([year, month, day, t, hour, minute, seconds, zone]) => {
    return `${year}-${month}-${day}${t}${hour}:${minute}${seconds}${zone}`;
  });

it('agrees with zod on times', () => {
  fc.assert(
    fc.property(stamp, issued_at => agree({ ...good, issued_at })),
    { numRuns: 20_000 },
  );
  for (let month = 1; month <= 12; month++) {
    for (let day = 0; day <= 32; day++) {
      for (const year of [1900, 2000, 2023, 2024]) {
        const date = [year, month, day].map(part => String(part).padStart(2, '0')).join('-');
        agree({ ...good, issued_at: `${date}T12:00:00Z` });
      }
    }
  }
});

it('agrees with zod on everything else', () => {
  const value = fc.oneof(
    fc.string({ maxLength: 300 }),
    fc.boolean(),
    fc.constantFrom(1, null, 'pause', '10m', Number.NaN, 'ha-12345678', 'a'.repeat(43), 'a\n'),
  );
  const key = fc.constantFrom(
    'v',
    'id',
    'action',
    'target',
    'issued_at',
    'expires_at',
    'reason',
    'dry_run',
    'for',
    'for_s',
    'sig',
    'x',
  );
  fc.assert(
    fc.property(fc.dictionary(key, value, { noNullPrototype: true }), more => agree({ ...good, ...more })),
    { numRuns: 5000 },
  );
});
