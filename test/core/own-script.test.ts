/** Random houses: whatever script, other supervisor, restarts of sockmon and deaths there are, its own script is no death. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Cause } from '../../src/core/records.js';
import { House, type HousePlan, type ScriptPlan } from './house-of-one.js';

/** `SOCKMON_HOUSES=20000 npm test -- core/own-script` looks at more of them, `SOCKMON_SEED` at the same ones again. */
const numRuns = Number(process.env.SOCKMON_HOUSES ?? 2000);
const seed = process.env.SOCKMON_SEED === undefined ? {} : { seed: Number(process.env.SOCKMON_SEED) };

const ms = (min: number, max: number) => fc.integer({ min, max });
/** Short ones as often as long ones. */
const spread = (...bounds: readonly number[]) => {
  const spans = bounds.slice(1).map((max, index) => ms(bounds[index] ?? 0, max));
  return fc.oneof(...spans);
};

const cause: fc.Arbitrary<Cause> = fc.oneof(
  fc.constantFrom('SIGKILL', 'SIGTERM', 'SIGSEGV').map(signal => ({
    kind: 'signal' as const,
    signal,
    coreDumped: signal === 'SIGSEGV',
  })),
  fc.constant({ kind: 'exit' as const, code: 1 }),
);

const aPolicy = fc.record({
  everyMs: spread(1000, 3000, 10_000, 30_000),
  settleMs: spread(1000, 10_000, 30_000),
  riseMs: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, ms(1, 3000)),
});

/**
 * Times within the script, or in the background after its end. Of that sockmon sees nothing: it minds it until `settle` later, and takes an
 * attempt that has brought nothing back within `every` for a failed one.
 */
function aScript(settleMs: number, everyMs: number): fc.Arbitrary<ScriptPlan> {
  const length = spread(0, 1000, 5000, 20_000);
  const raw = fc.record({
    length,
    isBackground: fc.boolean(),
    at: fc.tuple(ms(0, 1000), ms(0, 1000)),
    doesStop: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false)),
    as: fc.constantFrom('daemon' as const, 'daemon' as const, 'child' as const, 'exec' as const),
    status: fc.constantFrom(0, 0, 1),
    failures: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, ms(1, 3)),
    failsAfterMs: spread(0, 1000, 6000),
  });
  return raw.map(({ length: lengthMs, isBackground, at, doesStop, as, status, ...fails }) => {
    const lastMs = isBackground
      ? Math.max(lengthMs, Math.min(lengthMs + settleMs - 300, everyMs - 300))
      : lengthMs;
    const [stopAtMs = 0, startAtMs = 0] = at
      .map(part => Math.round((lastMs * part) / 1000))
      .sort((a, b) => a - b);
    return {
      lengthMs: as === 'exec' ? Math.max(lengthMs, startAtMs) : lengthMs,
      stopAtMs: doesStop ? stopAtMs : null,
      startAtMs,
      as,
      ...fails,
      // Who says that it has failed has left nothing behind that goes on.
      status: startAtMs > lengthMs ? 0 : status,
    };
  });
}

const another = fc.record({
  afterMs: spread(100, 1000, 5000),
  times: fc.oneof(ms(1, 3), fc.constant(Number.POSITIVE_INFINITY)),
});

const house: fc.Arbitrary<HousePlan> = aPolicy.chain(({ everyMs, settleMs, riseMs }) =>
  fc
    .record({
      script: aScript(settleMs, everyMs),
      slackMs: spread(1500, 5000, 60_000),
      other: fc.option(another),
      deaths: fc.array(fc.record({ gapMs: spread(0, 3000, 30_000, 300_000), cause }), {
        minLength: 1,
        maxLength: 3,
      }),
      restarts: fc.array(
        fc.record({
          gapMs: spread(0, 3000, 30_000, 300_000),
          awayMs: spread(50, 1000, 5000),
          how: fc.constantFrom('killed' as const, 'stopped' as const, 'at_death' as const),
        }),
        { maxLength: 2 },
      ),
      scansMs: fc.array(spread(0, 10, 1000), { minLength: 1, maxLength: 4 }),
      commitMs: fc.oneof(fc.constant(0), spread(1, 20, 200)),
    })
    .map(({ slackMs, ...plan }) => {
      // A script that is always ended before what it starts is seen is no restart script.
      const atLeastMs = Math.min(plan.script.lengthMs, plan.script.startAtMs);
      return { ...plan, everyMs, settleMs, riseMs, timeoutMs: atLeastMs + slackMs };
    }),
);

function live(plan: HousePlan): House {
  const built = new House(plan);
  try {
    built.live();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${built.diary.join('\n')}`);
  }
  return built;
}

it('one death is one outage, at most one run more than were needed, never two at once, and it ends', () => {
  const sum = {
    houses: 0,
    deaths: 0,
    separate: 0,
    outages: 0,
    runs: 0,
    needed: 0,
    reopened: 0,
    takenOver: 0,
    heldBack: 0,
  };
  const property = fc.property(house, plan => {
    const { world, injected, separate, runs } = live(plan);
    sum.houses++;
    sum.deaths += injected;
    sum.separate += separate;
    sum.outages += world.of('outage_begin').length;
    sum.runs += runs.length;
    sum.needed += runs.filter(({ needed }) => needed).length;
    sum.reopened += world.of('outage_reopened').length;
    sum.takenOver += world.of('run_taken_over').length;
    sum.heldBack += world.of('attempt_end').filter(({ result }) => result.kind === 'not_needed').length;
  });
  fc.assert(property, { numRuns, ...seed, includeErrorInReport: true });
  console.log(JSON.stringify(sum));
  for (const [what, count] of Object.entries(sum))
    assert.ok(count > 0, `no ${what} at all: nothing was tried`);
});
