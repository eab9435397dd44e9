/** Shapes: the same verdicts and the same copies as zod's, which is the reference and too heavy for the daemon. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import {
  array,
  boolean,
  Mismatch,
  nullable,
  number,
  object,
  oneOf,
  optional,
  ordinal,
  type Shape,
  strictObject,
  string,
  tagged,
  text,
} from '../../src/base/shape.js';
import { recordShape, stampShape } from '../../src/core/records.js';

const word = /^[a-z]{1,3}$/;
const pairs: Readonly<Record<string, readonly [Shape<unknown>, z.ZodType]>> = {
  boolean: [boolean, z.boolean()],
  number: [number, z.number()],
  ordinal: [ordinal, z.number().int().positive()],
  string: [string, z.string()],
  text: [text(value => word.test(value), 'a word'), z.string().regex(word)],
  oneOf: [oneOf('a', 'b'), z.enum(['a', 'b'])],
  literal: [oneOf(1), z.literal(1)],
  nullable: [nullable(string), z.string().nullable()],
  array: [array(number), z.array(z.number())],
  object: [object({ a: number, b: optional(string) }), z.object({ a: z.number(), b: z.string().optional() })],
  strictObject: [strictObject({ a: optional(number) }), z.strictObject({ a: z.number().optional() })],
  nested: [
    object({ a: array(object({ b: boolean })) }),
    z.object({ a: z.array(z.object({ b: z.boolean() })) }),
  ],
  tagged: [
    tagged('a', { b: {}, c: { b: number } }),
    z.discriminatedUnion('a', [
      z.object({ a: z.literal('b') }),
      z.object({ a: z.literal('c'), b: z.number() }),
    ]),
  ],
};

/** What JSON can hold, with the keys and words of the shapes above more often than chance would have them. */
const leaf = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'abcd', '', 0, 1, -1, 1.5, 2 ** 60, true, false, null),
  fc.string(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
);
const { json } = fc.letrec(tie => ({
  json: fc.oneof(
    { withCrossShrink: true },
    leaf,
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), tie('json'), { maxKeys: 3 }),
  ),
}));
const parsed = json.map(value => JSON.parse(JSON.stringify(value)) as unknown);

describe('shapes', () => {
  for (const [name, [shape, reference]] of Object.entries(pairs)) {
    it(`${name} judges and copies as zod does`, () => {
      fc.assert(
        fc.property(parsed, value => {
          const read = shape(value);
          const expected = reference.safeParse(value);
          assert.equal(!(read instanceof Mismatch), expected.success);
          if (expected.success) assert.deepEqual(read, expected.data);
        }),
        { numRuns: 2000 },
      );
    });
  }

  it('says where a value went wrong and what was expected', () => {
    const shape = object({ list: array(tagged('kind', { port: { number: ordinal } })) });
    const words = (value: unknown): string => {
      const read = shape(value);
      assert.ok(read instanceof Mismatch, JSON.stringify(value));
      return read.words;
    };
    assert.equal(words(7), 'expected object');
    assert.equal(words({}), 'list: expected array');
    assert.equal(words({ list: [{ kind: 'x' }] }), 'list.0.kind: expected "port"');
    assert.equal(
      words({
        list: [
          { kind: 'port', number: 1 },
          { kind: 'port', number: -1 },
        ],
      }),
      'list.1.number: expected a whole number from 1',
    );
    const strict = strictObject({ a: number })({ a: 1, b: 2 });
    assert.ok(strict instanceof Mismatch);
    assert.equal(strict.words, 'unknown key "b"');
  });

  it('looks at own keys only', () => {
    const inherited = Object.create({ type: 'stop', reason: 'x' }) as unknown;
    assert.ok(recordShape(inherited) instanceof Mismatch);
    assert.ok(recordShape({ type: 'toString' }) instanceof Mismatch);
    assert.ok(recordShape({ type: '__proto__' }) instanceof Mismatch);
  });

  it('reads a record without what a newer version added to it', () => {
    const line = {
      seq: 3,
      bootId: 'b',
      bootMs: 1.5,
      wallMs: 2,
      synced: false,
      type: 'stop',
      reason: 'x',
      new: 1,
    };
    assert.deepEqual(recordShape(line), { type: 'stop', reason: 'x' });
    assert.deepEqual(stampShape(line), { seq: 3, bootId: 'b', bootMs: 1.5, wallMs: 2, synced: false });
  });
});
