/**
 * kill -9 at every write of the journal and at every effect of a complete story: a stack dies, three attempts and another step do not
 * bring it back, the machine reboots, the stack is back, the broker is told. From every point it must go on rightly.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { History } from '../../src/core/history.js';
import { isCertain, timesOf } from '../../src/core/outage-times.js';
import type { JournalEntry } from '../../src/core/records.js';
import type { RefusalCode } from '../../src/core/refusal-codes.js';
import type { Instant } from '../../src/core/time.js';
import { policy, resource, sensor, step } from '../core/world.js';
import { type Cut, fairWeather, House, type Point, type Weather } from './house.js';

const story = policy(
  [
    resource('tcpip', {
      sensors: [sensor('link tap0')],
      steps: [
        step('restart', { attempts: 3, everyMs: 10_000 }),
        step('reload-driver', { attempts: 1, everyMs: 10_000 }),
      ],
    }),
  ],
  { holdOffMs: [1_200_000] },
);

/** Long enough for the slowest way on: killed between intent and command, the machine is rebooted by force 5 minutes later. */
const longestS = 1500;
/** Two kills, one upon the other. */
const longestAwayMs = 10_000;
/** After the end, to see that it is one. */
const quietS = 90;

interface Told {
  readonly points: readonly Point[];
  readonly entries: readonly JournalEntry[];
  readonly broker: readonly JournalEntry[];
  readonly reboots: readonly string[];
  readonly orders: readonly string[];
  readonly unrecorded: readonly string[];
  readonly kills: number;
  readonly overlaps: readonly string[];
  /** How the resource stood in each second of the second boot before the network was back. */
  readonly phases: readonly (string | null)[];
  readonly trueTimes: { readonly beganMs: number | null; readonly endedMs: number | null };
  readonly now: Instant;
}

async function tell(t: TestContext, weather: Weather, cut: Cut | null): Promise<Told> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-cut-'));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  // No power cut: a kill leaves the page cache, and thousands of journals on a slow disk are minutes.
  const syncs = [t.mock.method(fs, 'fdatasyncSync', () => {}), t.mock.method(fs, 'fsyncSync', () => {})];
  const house = new House(t, directory, story, cut, weather);
  const phases: (string | null)[] = [];
  try {
    let over = 0;
    for (let second = 0; second < longestS && over < quietS; second++) {
      await house.second();
      const isOver = house.entries.some(({ type }) => type === 'outage_end');
      over = isOver ? over + 1 : 0;
      if (house.reboots.length > 0 && house.cameMs === null) phases.push(house.phase);
    }
    const { points, broker, reboots, orders, unrecorded, kills, overlaps } = house;
    const trueTimes = { beganMs: house.wentMs, endedMs: house.cameMs };
    const entries = [...house.entries];
    const now = house.now();
    return { points, broker, reboots, orders, unrecorded, kills, overlaps, entries, phases, trueTimes, now };
  } finally {
    house.close();
    for (const sync of syncs) sync.mock.restore();
    fs.rmSync(directory, { recursive: true });
  }
}

function of<T extends JournalEntry['type']>(told: Told, type: T): Extract<JournalEntry, { type: T }>[] {
  return told.entries.filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
}

/** What must be true wherever it was cut. */
function assertRight(told: Told, refusals: readonly RefusalCode[]): void {
  assert.equal(of(told, 'outage_begin').length, 1, 'one outage');
  assert.equal(of(told, 'outage_end').length, 1, 'which is closed');
  const [begin] = of(told, 'outage_begin');
  const [end] = of(told, 'outage_end');
  assert.equal(end?.outage, begin?.outage);
  assert.equal(end?.outcome, 'recovered');
  assert.equal(told.reboots.length, 1, 'one reboot');
  assert.equal(of(told, 'reboot_intent').length, 1, 'of one intent');
  assert.equal(told.orders.length, 1, 'ordered once');
  assert.deepEqual(told.unrecorded, [], 'recorded before it was done');
  assert.deepEqual(told.overlaps, [], 'no script runs beside another');
  assert.equal(of(told, 'rebooted').length, 1, 'reported as done once');
  assert.equal(of(told, 'recovery_failed').length, 1);
  const attempts = of(told, 'attempt').map(({ attempt }) => attempt);
  assert.deepEqual(
    attempts,
    [...new Set(attempts)].sort((a, b) => a - b),
    'no attempt has the number of another',
  );
  const [intent] = of(told, 'reboot_intent');
  const before = of(told, 'attempt').filter(({ seq }) => seq < (intent?.seq ?? 0));
  assert.equal(before.at(-1)?.step, 'reload-driver', 'the ladder was gone up before the reboot');
  const refused = of(told, 'reboot_refused').map(({ code }) => code);
  assert.deepEqual(refused, refusals, 'no second reboot, and why, once');
  assertToldOnce(told);
}

/** At least once by number, exactly once as news, in order. */
function assertToldOnce(told: Told): void {
  const firsts = told.broker.filter(
    (entry, index) => told.broker.findIndex(({ seq }) => seq === entry.seq) === index,
  );
  for (const entry of told.broker) {
    const first = firsts.find(({ seq }) => seq === entry.seq);
    assert.deepEqual(entry, first, 'a number means one fact for ever');
  }
  // Killed between intent and command: the machine was still up after 5 minutes, which is told before it is rebooted by force.
  const failed = of(told, 'reboot_forced').map(() => 'reboot_failed');
  assert.ok(failed.length <= 1);
  const refused = of(told, 'reboot_refused').map(({ type }) => type);
  const numbers = firsts.map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
    'in order',
  );
  assert.deepEqual(
    firsts.map(({ type }) => type),
    ['outage_begin', 'recovery_failed', 'reboot_intent', ...failed, 'rebooted', ...refused, 'outage_end'],
    'each fact once, none lost',
  );
}

/** mulberry32: the same bytes are torn in every run. */
const seed = 20_081_122;
let state = seed;
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
}

interface Tale {
  readonly name: string;
  readonly weather: Weather;
  /** Pairs of cuts: killed again while it takes up what the first kill has left. */
  readonly doubleKills: number;
  /** Why no second reboot was done, in this order. */
  readonly refusals: readonly RefusalCode[];
  readonly alsoRight: (told: Told) => void;
}

const tales: readonly Tale[] = [
  {
    name: 'that ends with the reboot',
    weather: fairWeather,
    doubleKills: 300,
    refusals: [],
    alsoRight: () => {},
  },
  {
    name: 'whose network is back only when the ladder of the second boot has run out as well',
    weather: { ...fairWeather, networkStartsMs: 500_000 },
    doubleKills: 100,
    refusals: ['uptime_floor', 'hold_off'],
    alsoRight: ({ phases, kills }) => {
      // Between the uptime floor, 300 s, and the hold-off. Who was killed just now has to find its place again.
      const last = phases.slice(-100);
      assert.ok(last.includes('held'), `the state is held, not ${[...new Set(last)].join(', ')}`);
      if (kills === 0) assert.deepEqual([...new Set(last)], ['held']);
    },
  },
  {
    name: 'after whose reboot it is 1970 for a minute',
    weather: { ...fairWeather, clockIsSetMs: 60_000 },
    doubleKills: 100,
    refusals: [],
    alsoRight: ({ entries, trueTimes, now, kills }) => {
      const history = new History(entries);
      const [outage] = history.outages;
      assert.ok(outage);
      const { beganMs, endedMs, doubts } = timesOf(outage, history.seenFrom(now));
      // Nobody was there when it began, or ended: it is told so, with the time at which sockmon was back.
      const lateMs = [beganMs - (trueTimes.beganMs ?? 0), (endedMs ?? 0) - (trueTimes.endedMs ?? 0)];
      const mayBeLateMs = isCertain(doubts) || kills === 0 ? 0 : longestAwayMs;
      for (const late of lateMs)
        assert.ok(late >= 0 && late <= mayBeLateMs, `begin and end are ${lateMs.join(' and ')} ms late`);
    },
  },
  {
    name: 'whose scripts take longer than sockmon is away',
    weather: { ...fairWeather, scriptMs: 14_000 },
    doubleKills: 100,
    refusals: [],
    alsoRight: told => {
      const ends = of(told, 'attempt_end').map(({ run }) => run);
      assert.equal(new Set(ends).size, ends.length, 'a script ends once');
    },
  },
];

describe('sockmon killed at any point of a story', () => {
  for (const { name, weather, doubleKills, refusals, alsoRight } of tales) {
    it(`${name} goes on rightly from every one`, async t => {
      const whole = await tell(t, weather, null);
      assertRight(whole, refusals);
      alsoRight(whole);
      assert.ok(whole.points.length > 60, `${whole.points.length} points`);
      const cuts = whole.points.flatMap(({ written }, point): Cut[] => [
        { points: [point], torn: null },
        ...(written ? [0.001, random(), random(), 0.999].map(torn => ({ points: [point], torn })) : []),
      ]);
      const twice = Array.from({ length: doubleKills }, (): Cut => {
        const first = Math.floor(random() * whole.points.length);
        return {
          points: [first, first + 1 + Math.floor(random() * 30)],
          torn: random() < 0.3 ? random() : null,
        };
      });
      for (const cut of [...cuts, ...twice]) {
        const told = await tell(t, weather, cut);
        const where = `${cut.points.map(point => `${point} ${told.points[point]?.name}`).join(' and ')}${cut.torn === null ? '' : `, torn at ${cut.torn}`}`;
        try {
          assert.ok(told.kills >= 1);
          assertRight(told, refusals);
          alsoRight(told);
        } catch (error) {
          const journal = told.entries.map(entry => JSON.stringify(entry)).join('\n');
          throw new Error(`cut ${where}: ${(error as Error).message}\n${journal}`);
        }
      }
      const torn = cuts.filter(cut => cut.torn !== null).length;
      const words = `${whole.points.length} points of the story, ${cuts.length} cuts, ${torn} of them through a write`;
      t.diagnostic(`${words}, and ${doubleKills} pairs of cuts (seed ${seed}): every one resumed rightly`);
    });
  }
});
