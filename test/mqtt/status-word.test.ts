/** The word on the status topic: the last one is that of the daemon that lives, and two of them do not shout each other down. */
import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { StatusWord, statusWordTimes } from '../../src/mqtt/status-word.js';

/** Time in the test's hand, for all timers. */
class Clock {
  nowMs = 0;

  static run(work: (clock: Clock) => void): void {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      work(new Clock());
    } finally {
      mock.timers.reset();
    }
  }

  advance(ms: number): void {
    // In small steps: what a timer sets off is to be timed from its own moment.
    for (let left = ms; left > 0; left -= 50) {
      const step = Math.min(50, left);
      this.nowMs += step;
      mock.timers.tick(step);
    }
  }
}

/** Keeps one word, and passes each on to everybody who listens, after the time that it takes. */
class Broker {
  retained = '';
  said = 0;
  gaveIn = 0;
  readonly #ears = new Set<{ hear(word: string): void; readonly wayMs: number }>();

  publish(word: string): void {
    this.retained = word;
    for (const ear of this.#ears) setTimeout(() => ear.hear(word), ear.wayMs);
  }

  /** @returns what ends it. */
  connect(
    clock: Clock,
    word: string,
    wayMs: number,
    mayListen = true,
  ): { statusWord: StatusWord; end(): void } {
    const statusWord = new StatusWord({
      say: one => {
        this.said += 1;
        // What is under way when the connection ends may be read all the same.
        setTimeout(() => this.publish(one), wayMs);
      },
      gaveIn: () => {
        this.gaveIn += 1;
      },
      nowMs: () => clock.nowMs,
    });
    const ear = { hear: (one: string) => statusWord.heard(one), wayMs };
    statusWord.tell(word);
    if (mayListen)
      setTimeout(() => {
        this.#ears.add(ear);
        setTimeout(() => ear.hear(this.retained), wayMs);
      }, wayMs);
    return {
      statusWord,
      end: () => {
        statusWord.end();
        this.#ears.delete(ear);
      },
    };
  }
}

type Happening =
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'word'; readonly word: 'online' | 'recovering' }
  | { readonly kind: 'reconnect'; readonly wayMs: number; readonly willAfterMs: number | null };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({
    kind: fc.constant('word' as const),
    word: fc.constantFrom('online' as const, 'recovering' as const),
  }),
  fc.record({
    kind: fc.constant('reconnect' as const),
    wayMs: fc.integer({ min: 0, max: 400 }),
    willAfterMs: fc.option(fc.integer({ min: 0, max: 60_000 })),
  }),
);

describe('the word on the status topic', () => {
  it('is ours in the end, whatever own words, late wills and reconnects come between', () => {
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 40 }), story => {
        Clock.run(clock => {
          const broker = new Broker();
          let word = 'online';
          let connection = broker.connect(clock, word, 10);
          for (const one of story) {
            if (one.kind === 'wait') clock.advance(one.ms);
            else if (one.kind === 'word') {
              word = one.word;
              connection.statusWord.tell(word);
            } else {
              const { willAfterMs, wayMs } = one;
              connection.end();
              if (willAfterMs !== null) setTimeout(() => broker.publish('offline'), willAfterMs);
              connection = broker.connect(clock, word, wayMs);
            }
          }
          // The last will, and the longest wait before it is answered.
          clock.advance(60_000 + statusWordTimes.longestHealMs + 2000);
          assert.equal(broker.retained, word);
          connection.end();
        });
      }),
      { numRuns: 300 },
    );
  });

  it('is put right within a second after a will that comes late, also after two more', () => {
    for (const wills of [1, 3])
      Clock.run(clock => {
        const broker = new Broker();
        const { end } = broker.connect(clock, 'online', 5);
        clock.advance(10_000);
        for (let i = 0; i < wills; i++) {
          broker.publish('offline');
          clock.advance(1000);
          assert.equal(broker.retained, 'online');
        }
        clock.advance(120_000);
        assert.equal(broker.said, 1 + wills, 'and nothing is said without a reason');
        end();
      });
  });

  it('is said once more where the broker lets us hear nothing, and then no more', () => {
    Clock.run(clock => {
      const broker = new Broker();
      const { statusWord, end } = broker.connect(clock, 'online', 5, false);
      // As at a take-over: the will comes after our word, and nobody tells us.
      clock.advance(500);
      broker.publish('offline');
      clock.advance(statusWordTimes.echoMs);
      assert.equal(broker.retained, 'online');
      clock.advance(600_000);
      assert.equal(broker.said, 2);
      statusWord.tell('recovering');
      clock.advance(600_000);
      assert.equal(broker.said, 4);
      end();
    });
  });

  it('is not argued about for ever by two living daemons of one node', () => {
    Clock.run(clock => {
      const broker = new Broker();
      const one = broker.connect(clock, 'online', 5);
      const other = broker.connect(clock, 'recovering', 7);
      clock.advance(3_600_000);
      assert.ok(broker.said <= 20, `${broker.said} words`);
      assert.ok(broker.gaveIn >= 1 && broker.gaveIn <= 2, 'which is told');
      const before = broker.said;
      clock.advance(3_600_000);
      assert.equal(broker.said, before);
      // Each of them tells it once, however often a third says another word.
      for (let i = 0; i < 100; i++) {
        broker.publish('somebody');
        clock.advance(60_000);
      }
      assert.equal(broker.gaveIn, 2);
      // What one of them has news of is told all the same.
      one.statusWord.tell('recovering');
      clock.advance(1000);
      assert.equal(broker.retained, 'recovering');
      one.end();
      other.end();
    });
  });

  it('answers one that says offline again and again with ever longer waits, and has the last word all the same', () => {
    Clock.run(clock => {
      const broker = new Broker();
      const { end } = broker.connect(clock, 'online', 5);
      for (let i = 0; i < 3600; i++) {
        broker.publish('offline');
        clock.advance(500);
      }
      assert.ok(broker.said >= 25 && broker.said <= 60, `${broker.said} words in half an hour`);
      clock.advance(statusWordTimes.longestHealMs + 100);
      assert.equal(broker.retained, 'online');
      // After a calm time it is quick again.
      clock.advance(statusWordTimes.calmMs);
      broker.publish('offline');
      clock.advance(1000);
      assert.equal(broker.retained, 'online');
      end();
    });
  });
});
