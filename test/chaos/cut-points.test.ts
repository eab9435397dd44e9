/**
 * kill -9 at every write of the journal and at every effect of a complete story: a stack dies, three attempts and another step do not
 * bring it back, the machine reboots, the stack is back, the broker is told. From every point it must go on rightly.
 */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { JournalEntry } from '../../src/core/model.js';
import { policy, resource, step } from '../core/world.js';
import { type Cut, House, type Point } from './house.js';

const story = policy([
  resource('tcpip', {
    sensors: [{ kind: 'link', interface: 'tap0' }],
    steps: [
      step('restart', { attempts: 3, everyMs: 10_000 }),
      step('reload-driver', { attempts: 1, everyMs: 10_000 }),
    ],
  }),
]);

/** Long enough for the slowest way on: killed between intent and command, the machine is rebooted by force 5 minutes later. */
const longestS = 900;
/** After the end, to see that it is one. */
const quietS = 90;
/** Killed again while it takes up what the first kill has left. */
const doubleKills = 300;

interface Told {
  readonly points: readonly Point[];
  readonly entries: readonly JournalEntry[];
  readonly broker: readonly JournalEntry[];
  readonly reboots: readonly string[];
  readonly orders: readonly string[];
  readonly unrecorded: readonly string[];
  readonly kills: number;
}

async function tell(t: TestContext, cut: Cut | null): Promise<Told> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-cut-'));
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const house = new House(t, directory, story, cut);
  try {
    let over = 0;
    for (let second = 0; second < longestS && over < quietS; second++) {
      await house.second();
      const isOver = house.entries.some(({ type }) => type === 'outage_end');
      over = isOver ? over + 1 : 0;
    }
    const { points, broker, reboots, orders, unrecorded, kills } = house;
    return { points, broker, reboots, orders, unrecorded, kills, entries: [...house.entries] };
  } finally {
    house.close();
    fs.rmSync(directory, { recursive: true });
  }
}

function of<T extends JournalEntry['type']>(told: Told, type: T): Extract<JournalEntry, { type: T }>[] {
  return told.entries.filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
}

/** What must be true wherever it was cut. */
function assertRight(told: Told): void {
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
  assert.equal(of(told, 'rebooted').length, 1, 'reported as done once');
  assert.equal(of(told, 'recovery_failed').length, 1);
  const attempts = of(told, 'attempt').map(({ attempt }) => attempt);
  assert.deepEqual(attempts, [...new Set(attempts)].sort(), 'no attempt has the number of another');
  assert.equal(of(told, 'attempt').at(-1)?.step, 'reload-driver');
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
  const numbers = firsts.map(({ seq }) => seq);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
    'in order',
  );
  assert.deepEqual(
    firsts.map(({ type }) => type),
    ['outage_begin', 'recovery_failed', 'reboot_intent', ...failed, 'rebooted', 'outage_end'],
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

describe('sockmon killed at any point of a complete story', () => {
  it('goes on rightly from every one', async t => {
    const whole = await tell(t, null);
    assertRight(whole);
    assert.equal(of(whole, 'attempt').length, 4, 'three attempts and the alternate step');
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
      const told = await tell(t, cut);
      const where = `${cut.points.map(point => `${point} ${told.points[point]?.name}`).join(' and ')}${cut.torn === null ? '' : `, torn at ${cut.torn}`}`;
      try {
        assert.ok(told.kills >= 1);
        assertRight(told);
      } catch (error) {
        const journal = told.entries.map(entry => JSON.stringify(entry)).join('\n');
        throw new Error(`cut ${where}: ${(error as Error).message}\n${journal}`);
      }
    }
    const torn = cuts.filter(cut => cut.torn !== null).length;
    const words = `${whole.points.length} points of the story, ${cuts.length} cuts, ${torn} of them through a write`;
    t.diagnostic(`${words}, and ${doubleKills} pairs of cuts (seed ${seed}): every one resumed rightly`);
  });
});
