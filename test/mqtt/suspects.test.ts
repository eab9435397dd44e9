/** Which message is blamed for a hang-up, against brokers in memory of which exactly one thing is wrong, or nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Blame, type InFlight, Suspects } from '../../src/mqtt/suspects.js';

/** Sends all over one connection after the other, as the daemon does, until all has been told or `connections` have been made. */
function tell(
  suspects: Suspects,
  messages: readonly InFlight[],
  window: number,
  isBad: (one: InFlight) => boolean,
  connections = 20,
) {
  const leftOut = new Set<string>();
  const blames: (Blame | null)[] = [];
  for (let made = 1; made <= connections; made++) {
    const wasCareful = suspects.isCareful;
    const most = wasCareful ? 1 : window;
    const wanted = messages.filter(
      ({ topic, bytes }) => !leftOut.has(topic) && bytes <= suspects.maximumBytes,
    );
    const badAt = wanted.findIndex(isBad);
    const taken = badAt < 0 ? wanted : wanted.slice(0, badAt);
    for (const one of taken) suspects.acknowledged(one);
    if (badAt < 0) return { made, leftOut, blames };
    const inFlight = wanted.slice(badAt, badAt + most);
    const blame = suspects.ended({ inFlight, wasCareful, code: 0, refused: null });
    blames.push(blame);
    if (blame?.kind === 'guilty') leftOut.add(blame.topic);
  }
  return { made: Number.POSITIVE_INFINITY, leftOut, blames };
}

const messagesOf = (sizes: readonly number[]): InFlight[] =>
  sizes.map((bytes, i) => ({ topic: `t/${i}`, bytes }));

describe('what a broker hangs up at', () => {
  it('is found within four connections, whichever topic it is, and nothing else is left out', () => {
    const sizes = fc.array(fc.integer({ min: 10, max: 1024 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(sizes, fc.nat(), fc.integer({ min: 1, max: 16 }), (sizes, pick, window) => {
        const messages = messagesOf(sizes);
        const bad = messages[pick % messages.length]?.topic ?? '';
        const { made, leftOut, blames } = tell(
          new Suspects(),
          messages,
          window,
          ({ topic }) => topic === bad,
        );
        assert.ok(made <= 4, `${made} connections`);
        assert.deepEqual([...leftOut], [bad]);
        assert.ok(
          blames.every(blame => blame !== null),
          'none of it is taken for a rival',
        );
      }),
    );
  });

  it('is the size, where nothing of that size was taken: all smaller ones are told', () => {
    const small = fc.array(fc.integer({ min: 10, max: 4000 }), { minLength: 1, maxLength: 8 });
    const large = fc.array(fc.integer({ min: 8093, max: 100_000 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(small, large, fc.integer({ min: 1, max: 16 }), (small, large, window) => {
        // The daemon tells the largest last.
        const messages = messagesOf([...small, ...large.sort((a, b) => a - b)]);
        const suspects = new Suspects();
        const { made, leftOut } = tell(suspects, messages, window, ({ bytes }) => bytes > 8092);
        assert.ok(made <= 4);
        assert.equal(leftOut.size, 0);
        assert.ok(suspects.maximumBytes >= 8092 && suspects.maximumBytes < Math.min(...large));
      }),
    );
  });

  it('is the topic after all, where a smaller one on it is hung up at too', () => {
    const suspects = new Suspects();
    const blame = (bytes: number) => {
      const hangUp = () =>
        suspects.ended({ inFlight: [{ topic: 't', bytes }], wasCareful: true, code: 0, refused: null });
      hangUp();
      return hangUp()?.kind;
    };
    assert.equal(blame(9000), 'too_large');
    assert.equal(suspects.maximumBytes, 8999);
    assert.equal(blame(2000), 'guilty');
    assert.equal(suspects.maximumBytes, Number.POSITIVE_INFINITY, 'all else may have any size');
  });

  it('is nothing that was sent, where all of it had been taken before', () => {
    const suspects = new Suspects();
    const one = { topic: 'state', bytes: 900 };
    suspects.acknowledged(one);
    assert.equal(suspects.ended({ inFlight: [], wasCareful: false, code: 0, refused: null }), null);
    assert.equal(suspects.ended({ inFlight: [one], wasCareful: false, code: 0, refused: null }), null);
    const larger = { ...one, bytes: 901 };
    assert.equal(
      suspects.ended({ inFlight: [larger], wasCareful: false, code: 0, refused: null })?.kind,
      'suspected',
    );
  });

  it('is also what was allowed once, when it is hung up at again and again', () => {
    const suspects = new Suspects();
    const one = { topic: 'state', bytes: 900 };
    suspects.acknowledged(one);
    const kinds = Array.from({ length: 4 }, () => {
      const wasCareful = suspects.isCareful;
      return suspects.ended({ inFlight: [one], wasCareful, code: 0, refused: null })?.kind;
    });
    assert.deepEqual(kinds.slice(0, 2), [undefined, 'suspected']);
    assert.ok(kinds.includes('guilty'));
  });

  it('is believed at once where the broker says it', () => {
    const [a, b, c] = messagesOf([100, 20_000, 200]) as [InFlight, InFlight, InFlight];
    const inFlight = [a, b, c];
    const tooLarge = new Suspects().ended({ inFlight, wasCareful: false, code: 0x95, refused: null });
    assert.deepEqual(tooLarge, { kind: 'too_large', ...b });
    const forbidden = new Suspects().ended({ inFlight: [c], wasCareful: false, code: 0x87, refused: a });
    assert.deepEqual(forbidden, { kind: 'guilty', ...a });
    const restart = new Suspects().ended({ inFlight, wasCareful: true, code: 0x8b, refused: a });
    assert.equal(restart, null, 'a server that shuts down means nothing of ours');
  });

  it('is one result by itself, and all results with the second, unless one was taken in between', () => {
    const result = (id: string): InFlight => ({ topic: `sockmon/gw/result/${id}`, bytes: 200 });
    const kindsOf = (suspects: Suspects, id: string) =>
      [1, 2].map(() => {
        const wasCareful = suspects.isCareful;
        return suspects.ended({ inFlight: [result(id)], wasCareful, code: 0, refused: null })?.kind;
      });
    const forbidden = new Suspects();
    assert.deepEqual(kindsOf(forbidden, 'one'), ['suspected', 'suspected']);
    forbidden.calm();
    assert.deepEqual(kindsOf(forbidden, 'two'), ['suspected', 'guilty']);
    const dots = new Suspects();
    assert.deepEqual(kindsOf(dots, 'a.dot'), ['suspected', 'suspected']);
    dots.acknowledged({ ...result('no-dot'), bytes: 100 });
    assert.deepEqual(kindsOf(dots, 'another.dot'), ['suspected', 'suspected']);
  });

  it('is forgotten by a connection that lives on', () => {
    const suspects = new Suspects();
    const one = { topic: 't', bytes: 100 };
    const hangUp = () =>
      suspects.ended({ inFlight: [one], wasCareful: suspects.isCareful, code: 0, refused: null })?.kind;
    assert.equal(hangUp(), 'suspected');
    suspects.calm();
    assert.equal(suspects.isCareful, false);
    assert.equal(hangUp(), 'suspected', 'counted from one again');
  });
});
