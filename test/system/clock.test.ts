/** The clock by which times are told: the two clocks of the machine are in the test's hand, the rest is real. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { offsetMsOf } from '../../src/base/clock-offset.js';
import { type Instant, isoTime, spanOf, wallMsAt } from '../../src/core/time.js';
import { type SystemClock, systemClock } from '../../src/system/machine.js';

const started = Date.parse('2026-11-30T08:00:00.437Z');

/** A machine that has been up for a while, with a wall clock that drifts and is read late. */
class Machine {
  bootMs = 3_600_000.123456;
  wallMs = started + 0.8;
  synced = true;
  /** Between the looks at the two clocks. */
  lateMs = 0;
  readonly clock: SystemClock;

  constructor() {
    const addon = { bootTimeMs: () => this.bootMs, clockSynchronized: () => this.synced };
    const wallClock = () => {
      this.pass(this.lateMs);
      return Math.floor(this.wallMs);
    };
    this.clock = systemClock(addon, { id: 'boot', beganMs: 0 }, wallClock);
  }

  pass(ms: number, driftMs = 0): void {
    this.bootMs += ms;
    this.wallMs += ms + driftMs;
  }
}

describe('the time of a fact', () => {
  it('is the same at every look, while the clock is slewed and read now sooner, now later', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.double({ min: 0, max: 60_000, noNaN: true }),
            fc.integer({ min: -3, max: 3 }),
            fc.nat(15),
          ),
        ),
        steps => {
          const machine = new Machine();
          const fact = machine.bootMs - 1_234_567.654321;
          const first = wallMsAt(fact, machine.clock.now());
          let driftMs = 0;
          for (const [ms, drift, late] of steps) {
            if (Math.abs(driftMs + drift) > 1900) break;
            driftMs += drift;
            machine.pass(ms, drift);
            machine.lateMs = late;
            assert.equal(wallMsAt(fact, machine.clock.now()), first);
          }
        },
      ),
    );
  });

  it('is that of another process too, which goes on from an entry of the journal', () => {
    const machine = new Machine();
    const entry = machine.clock.now();
    const first = wallMsAt(1000, entry);
    machine.pass(50_000, 700);
    const other = new Machine();
    [other.bootMs, other.wallMs] = [machine.bootMs, machine.wallMs];
    assert.notEqual(wallMsAt(1000, other.clock.now()), first, 'by itself it is not');
    other.clock.goOnFrom(entry);
    assert.equal(wallMsAt(1000, other.clock.now()), first);
    other.clock.goOnFrom({ ...entry, bootId: 'another', wallMs: 0 });
    assert.equal(wallMsAt(1000, other.clock.now()), first, 'an entry of another boot says nothing');
  });

  it('is another one when the clock is set, once', () => {
    const machine = new Machine();
    const before = wallMsAt(0, machine.clock.now());
    machine.pass(1000, 3_600_000);
    const after = wallMsAt(0, machine.clock.now());
    assert.ok(Math.abs(after - before - 3_600_000) <= 1);
    machine.pass(1000, -1000);
    assert.equal(wallMsAt(0, machine.clock.now()), after);
  });

  it('is corrected by less when the clock becomes synchronised', () => {
    const machine = new Machine();
    machine.synced = false;
    const guessed = wallMsAt(0, machine.clock.now());
    machine.pass(10, 500);
    assert.equal(wallMsAt(0, machine.clock.now()), guessed, 'not yet');
    machine.synced = true;
    const right = wallMsAt(0, machine.clock.now());
    assert.ok(Math.abs(right - guessed - 500) <= 1);
    machine.pass(10, 500);
    assert.equal(wallMsAt(0, machine.clock.now()), right, 'that was the only time');
  });

  it('does not believe a look in which the process stood still', () => {
    const machine = new Machine();
    const first = wallMsAt(0, machine.clock.now());
    machine.lateMs = 10_000;
    const seen = machine.clock.now.bind(machine.clock);
    const stopped = machine.pass.bind(machine);
    // Only the first look is late: then it goes on as before.
    machine.pass = (ms, drift) => {
      stopped(ms, drift);
      machine.lateMs = 0;
    };
    assert.equal(wallMsAt(0, seen()), first);
  });

  it('is one, whether its begin is known or follows from its end and its duration', () => {
    const beganMs = fc.double({ min: 0, max: 1e9, noNaN: true }).map(ms => Math.round(ms * 1e6) / 1e6);
    const lasted = fc.double({ min: 0, max: 1e7, noNaN: true }).map(ms => Math.round(ms * 1e6) / 1e6);
    fc.assert(
      fc.property(beganMs, lasted, (began, durationMs) => {
        const now: Instant = { bootId: 'b', bootMs: 2e9, wallMs: started, synced: true };
        const ended = { bootId: 'b', atMs: began + durationMs, wallMs: 0 };
        const span = spanOf(null, ended, durationMs, { ...now, clocks: new Map() });
        assert.equal(isoTime(span.beganMs), isoTime(wallMsAt(began, now)));
      }),
    );
  });

  it('is told by whole milliseconds of difference', () => {
    const { bootMs, wallMs } = new Machine().clock.now();
    assert.equal(offsetMsOf({ bootMs, wallMs }), wallMs - Math.floor(bootMs));
  });
});
