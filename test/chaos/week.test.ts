/**
 * A week with every known way into a reboot loop, against the machine and its guard: a network that never comes back, a broker that
 * gives a press at each connect, automations that answer a reboot with a press, clocks that are wrong. Every reboot is a real one here:
 * another boot id, an uptime of zero, nothing remembered but the journal.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RebootPolicy } from '../../src/core/policy.js';
import type { ReceivedCommand } from '../../src/core/ports.js';
import type { RefusalCode } from '../../src/core/refusal-codes.js';
import { policy, resource, World } from '../core/world.js';

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;
/** As the configuration has them where the owner says nothing. */
const holdOffMs = [10 * minuteMs, hourMs, 6 * hourMs];
const budget = { max: 3, perMs: dayMs };
/** From the order to reboot until sockmon is stopped: what comes then must not be a second one. */
const goesDownMs = 8 * secondMs;
/** Firmware, kernel, services. */
const bootTakesMs = 40 * secondMs;
const startsAtMs = 20 * secondMs;
const connectsAtMs = 30 * secondMs;

interface Way {
  readonly name: string;
  readonly networkUp: boolean;
  /** What the broker or somebody behind it sends this long after a connect; called once per connect. */
  readonly sends?: (loop: Loop) => readonly Sent[];
  /** The wall clock at the begin of a boot; as it went on if not given. */
  readonly clockAtBoot?: (loop: Loop) => { wallMs: number; synced: boolean };
  /** How often it loses the broker without a reboot. */
  readonly reconnectsEveryMs?: number;
  /** A power cut so often. */
  readonly powerFailsEveryMs?: number;
  readonly rebootPolicy?: Partial<RebootPolicy>;
  /** How many reboots: 'some' = up to the budget, but at least a day's worth, since a way that never gets through proves nothing about it. */
  readonly reboots: number | 'some';
  /** Why, and for no other reason, its commands are refused. */
  readonly refusedAs?: readonly RefusalCode[];
}

interface Sent {
  readonly afterMs: number;
  readonly command: Partial<ReceivedCommand>;
}

class Loop {
  readonly world: World;
  /** By a clock that is right. */
  trueMs = 0;
  readonly reboots: number[] = [];
  boots = 1;
  /** Orders to reboot: one for each reboot. */
  orders = 0;
  sent = 0;
  private readonly inbox: { atMs: number; command: Partial<ReceivedCommand>; connectedMs: number }[] = [];
  private connectAtMs: number | null = null;
  private seen = 0;
  private connectedMs = 0;
  private powerFailsAtMs: number;

  constructor(private readonly way: Way) {
    this.world = new World(policy([resource('tcpip')], { holdOffMs, budget, ...way.rebootPolicy }));
    this.powerFailsAtMs = way.powerFailsEveryMs ?? Infinity;
    this.world.synced = this.way.clockAtBoot?.(this).synced ?? true;
    this.world.up();
    this.connectAtMs = this.trueMs;
    if (!way.networkUp) this.world.die();
  }

  run(): void {
    while (this.trueMs < weekMs) this.step();
  }

  /** To the next thing that happens. */
  private step(): void {
    const { world } = this;
    const untilMs = Math.min(
      this.trueMs + hourMs,
      this.connectAtMs ?? Infinity,
      this.inbox[0]?.atMs ?? Infinity,
      this.powerFailsAtMs,
    );
    for (;;) {
      const phase = world.phase();
      if (phase.name === 'restarting') world.runEnded(phase.running.run, 1);
      const before = world.bootMs;
      const deadline = world.deadline();
      if (deadline === null || this.trueMs + (deadline - before) > untilMs) break;
      world.wait();
      this.trueMs += world.bootMs - before;
      if (this.rebootIfOrdered()) return;
    }
    world.advance(untilMs - this.trueMs);
    this.trueMs = untilMs;
    if (this.trueMs >= this.powerFailsAtMs) {
      this.failPower();
      return;
    }
    this.deliver();
    this.rebootIfOrdered();
  }

  private failPower(): void {
    this.boot();
    this.powerFailsAtMs = this.trueMs + (this.way.powerFailsEveryMs ?? Infinity);
  }

  private deliver(): void {
    if (this.connectAtMs !== null && this.trueMs >= this.connectAtMs) this.connect();
    this.deliverDue(this.trueMs);
  }

  private deliverDue(untilMs: number): void {
    for (let one = this.inbox[0]; one !== undefined && one.atMs <= untilMs; one = this.inbox[0]) {
      this.inbox.shift();
      this.sent++;
      const sinceConnectMs = one.atMs - one.connectedMs;
      const effects = this.world.command({ id: `c${this.sent}`, sinceConnectMs, ...one.command });
      if (effects.some(({ do: kind }) => kind === 'reboot')) return;
    }
  }

  private connect(): void {
    const { reconnectsEveryMs, sends } = this.way;
    this.connectedMs = this.trueMs;
    this.connectAtMs = reconnectsEveryMs === undefined ? null : this.trueMs + reconnectsEveryMs;
    for (const { afterMs, command } of sends?.(this) ?? [])
      this.inbox.push({ atMs: this.trueMs + afterMs, command, connectedMs: this.connectedMs });
    this.inbox.sort((one, other) => one.atMs - other.atMs);
  }

  private rebootIfOrdered(): boolean {
    const { effects } = this.world;
    const ordered = effects.slice(this.seen).some(({ do: kind }) => kind === 'reboot');
    this.seen = effects.length;
    if (!ordered) return false;
    this.reboots.push(this.trueMs);
    this.deliverDue(this.trueMs + goesDownMs);
    this.seen = effects.length;
    this.orders = effects.filter(({ do: kind }) => kind === 'reboot').length;
    this.boot();
    return true;
  }

  private boot(): void {
    this.trueMs += bootTakesMs + startsAtMs;
    this.world.advance(bootTakesMs + startsAtMs);
    this.boots++;
    const clock = this.way.clockAtBoot?.(this);
    if (clock !== undefined) {
      this.world.wallMs = clock.wallMs;
      this.world.synced = clock.synced;
    }
    this.inbox.length = 0;
    this.world.restart(`boot${this.boots}-of-a-week`);
    this.world.sensor('tcpip', 'absent');
    if (this.way.networkUp) this.world.up();
    this.connectAtMs = this.trueMs + connectsAtMs - startsAtMs;
  }
}

const press = (afterMs: number, more: Partial<ReceivedCommand> = {}): Sent => ({ afterMs, command: more });
/** Long enough after the connect not to be taken for an answer to it. */
const run = (command: Partial<ReceivedCommand>): Sent => press(20_000, { press: false, ...command });
const every = (everyMs: number, count: number, more: Partial<ReceivedCommand> = {}): Sent[] =>
  Array.from({ length: count }, (_, n) => press((n + 1) * everyMs, more));
const often = 10 * minuteMs;
const fakeClockMs = Date.parse('2026-11-22T07:00:00Z');

const ways: readonly Way[] = [
  { name: 'the network never comes back', networkUp: false, reboots: 'some' },
  {
    name: 'it never comes back, and the clock starts at the same moment at every boot',
    networkUp: false,
    clockAtBoot: () => ({ wallMs: fakeClockMs, synced: false }),
    reboots: 'some',
  },
  {
    name: 'it never comes back, and the clock jumps on by years at every boot',
    networkUp: false,
    clockAtBoot: ({ boots }) => ({ wallMs: fakeClockMs + boots * 400 * dayMs, synced: false }),
    reboots: 'some',
  },
  {
    name: 'it never comes back, and the clock falls back by years at every boot',
    networkUp: false,
    clockAtBoot: ({ boots }) => ({ wallMs: fakeClockMs - boots * 400 * dayMs, synced: false }),
    reboots: 'some',
  },
  {
    name: 'a retained press comes at each connect',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: () => [press(5, { retained: true }), press(30_000, { retained: true })],
    reboots: 0,
    refusedAs: ['retained'],
  },
  {
    name: 'a session of the broker gives back the presses of hours ago',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: () => every(200, 20),
    reboots: 0,
    refusedAs: ['too_soon'],
  },
  {
    name: 'a run command of hours ago comes at each connect',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: ({ world }) => [
      run({ id: 'old', issuedWallMs: world.wallMs - 3 * hourMs }),
      run({ id: `old${world.wallMs}`, issuedWallMs: world.wallMs - 3 * hourMs }),
    ],
    reboots: 0,
    refusedAs: ['stale'],
  },
  {
    name: 'a run command that has expired comes at each connect',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: ({ world: { wallMs } }) => [
      run({ id: `old${wallMs}`, issuedWallMs: wallMs - 3 * hourMs, expiresWallMs: wallMs }),
    ],
    reboots: 0,
    refusedAs: ['expired'],
  },
  {
    name: 'run commands come from a sender whose clock is ahead',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: ({ world: { wallMs } }) => [run({ id: `ahead${wallMs}`, issuedWallMs: wallMs + hourMs })],
    reboots: 0,
    refusedAs: ['stale'],
  },
  {
    name: 'run commands come while the own clock is wrong',
    networkUp: true,
    reconnectsEveryMs: often,
    clockAtBoot: () => ({ wallMs: fakeClockMs, synced: false }),
    sends: ({ world: { wallMs } }) => [run({ id: `new${wallMs}`, issuedWallMs: wallMs + 20_000 })],
    reboots: 0,
    refusedAs: ['clock_unsynced'],
  },
  {
    name: 'a broker redelivers presses at each connect, marked as duplicates',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: () => [press(20_000, { duplicate: true })],
    reboots: 0,
    refusedAs: ['duplicate'],
  },
  {
    name: 'one run command is redelivered at each connect, as new',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: () => [run({ id: 'once' }), run({ id: 'once' })],
    reboots: 1,
    refusedAs: ['duplicate'],
  },
  {
    name: 'every press comes twice, by overlapping filters',
    networkUp: true,
    reconnectsEveryMs: hourMs,
    sends: ({ sent }) => [press(20_000, { id: `twice${sent}` }), press(20_001, { id: `twice${sent}` })],
    reboots: 'some',
  },
  {
    name: 'every press is three, and two come while the machine goes down',
    networkUp: true,
    reconnectsEveryMs: hourMs,
    sends: () => [press(20_000), press(21_000, { origin: 'control' }), press(22_000)],
    reboots: 'some',
    refusedAs: ['budget_exhausted', 'busy', 'hold_off', 'rate_limited', 'uptime_floor'],
  },
  {
    name: 'an automation presses when the gateway comes online',
    networkUp: true,
    sends: () => every(minuteMs, 5),
    // The first, which nothing tells from a wish.
    reboots: 1,
  },
  {
    name: 'the power fails every 20 minutes and an automation presses when the gateway comes online',
    networkUp: true,
    powerFailsEveryMs: 20 * minuteMs,
    sends: ({ boots }) => (boots === 1 ? [] : every(minuteMs, 4)),
    reboots: 0,
    refusedAs: ['uptime_floor'],
  },
  {
    name: 'recovery is paused and an automation presses all the time',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: ({ world: { bootMs } }) => [
      run({ id: `pause${bootMs}`, action: 'pause', forMs: hourMs }),
      ...every(61_000, 9),
    ],
    reboots: 0,
    refusedAs: ['paused'],
  },
  {
    name: 'reboots are not allowed, whoever asks',
    networkUp: false,
    rebootPolicy: { allowed: false },
    sends: () => every(61_000, 1000),
    reboots: 0,
    refusedAs: ['not_allowed'],
  },
  {
    name: 'an automation presses ten minutes after every connect, and again whenever it is refused',
    networkUp: true,
    sends: () => every(10 * minuteMs, 7 * 24 * 6),
    reboots: 'some',
  },
  {
    name: 'somebody leans on the button',
    networkUp: true,
    sends: () => every(61_000, 10_000),
    reboots: 'some',
  },
  {
    name: 'run commands with new ids and good times come all the time',
    networkUp: true,
    reconnectsEveryMs: often,
    sends: ({ world, sent }) =>
      Array.from({ length: 60 }, (_, n) => ({
        afterMs: n * 10_000,
        command: { id: `run${sent}-${n}`, press: false, issuedWallMs: world.wallMs + n * 10_000 },
      })),
    reboots: 'some',
  },
  {
    name: 'the network never comes back and an automation presses every ten minutes',
    networkUp: false,
    sends: () => every(10 * minuteMs, 7 * 24 * 6),
    reboots: 'some',
  },
  {
    name: 'the same, with a clock that jumps on by years at every boot',
    networkUp: false,
    sends: () => every(10 * minuteMs, 7 * 24 * 6),
    clockAtBoot: ({ boots }) => ({ wallMs: fakeClockMs + boots * 400 * dayMs, synced: false }),
    reboots: 'some',
  },
];

describe('the reboots of a week', () => {
  for (const way of ways) {
    it(`stay within the budget when ${way.name}`, t => {
      const loop = new Loop(way);
      loop.run();
      const { reboots } = loop;
      const refusals = loop.world.of('command').filter(({ status }) => status === 'rejected');
      const codes = [...new Set(refusals.map(({ code }) => code))].sort();
      const count = `${reboots.length} reboots in 7 days`;
      const refused = `${refusals.length} of ${loop.sent} commands refused`;
      t.diagnostic(`${way.name}: ${count}, ${refused}${codes.length > 0 ? `: ${codes.join(', ')}` : ''}`);
      if (way.reboots === 'some') assert.ok(reboots.length >= budget.max, count);
      else assert.equal(reboots.length, way.reboots);
      if (way.refusedAs !== undefined) assert.deepEqual(codes, [...way.refusedAs].sort());
      assert.equal(loop.orders, reboots.length, 'ordered while the machine was going down already');
      reboots.forEach((at, n) => {
        const within = reboots.slice(n).filter(other => other - at < budget.perMs);
        assert.ok(
          within.length <= budget.max,
          `${within.length} reboots in the 24 h from hour ${at / hourMs}`,
        );
        const before = reboots.slice(0, n).filter(other => at - other < budget.perMs);
        const last = before.at(-1);
        const waitMs = holdOffMs[Math.min(before.length, holdOffMs.length) - 1];
        if (last !== undefined && waitMs !== undefined)
          assert.ok(at - last >= waitMs, `reboot ${n + 1} came ${(at - last) / minuteMs} min after the last`);
      });
      const ids = loop.world.of('reboot_intent').map(({ intent }) => intent);
      assert.equal(new Set(ids).size, reboots.length, 'one reboot per intent');
    });
  }
});
