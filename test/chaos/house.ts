/**
 * A house whose gateway loses its network until it is rebooted, with the real supervisor and the real journal in it. The world outside
 * of sockmon goes on by a clock of its own, and sockmon may be killed at any point: from there on nothing that it does has an effect.
 */
import fs from 'node:fs';
import type { TestContext } from 'node:test';
import type { Policy } from '../../src/core/policy.js';
import type { CommandAnswer, EarlierRun, Evidence, Journal, Run, Wanted } from '../../src/core/ports.js';
import type { JournalEntry, JournalRecord } from '../../src/core/records.js';
import type { Instant } from '../../src/core/time.js';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { type OpenJournal, openJournal } from '../../src/journal/file.js';
import { isTellable } from '../../src/mqtt/events.js';
import type { Telling } from '../../src/report/telling.js';
import type { ConnectionView } from '../../src/report/views.js';
import { quietNetwork } from '../daemon/fakes.js';

const secondMs = 1000;
const hourMs = 3_600_000;
/** The service manager starts sockmon again. */
const respawnMs = 2 * secondMs;
const shutdownMs = 8 * secondMs;
const bootMs = 40 * secondMs;
/** Times within a boot. */
const sockmonStartsMs = 15 * secondMs;
const diesMs = hourMs + 60 * secondMs;

/** How the house is after the reboot. */
export interface Weather {
  /** When the network is back, as uptime. */
  readonly networkStartsMs: number;
  /** Without a clock chip: 1970 until the time has come from the network, at this uptime. null = right from the start. */
  readonly clockIsSetMs: number | null;
  /** How long a script takes. */
  readonly scriptMs: number;
}

export const fairWeather: Weather = {
  networkStartsMs: 25 * secondMs,
  clockIsSetMs: null,
  scriptMs: secondMs,
};

/** Where sockmon is killed: at the n-th point that it comes to, of all its lives together. */
export interface Cut {
  readonly points: readonly number[];
  /** 0..1: the share of the bytes of the append at such a point that is left on disk; null = all. */
  readonly torn: number | null;
}

export interface Point {
  readonly name: string;
  /** An append has just been written whole: it may be torn. */
  readonly written: boolean;
}

/** A script at work. Whoever has taken it over is told of its end. */
interface Script {
  readonly run: Run;
  readonly startedMs: number;
  life: Life;
}

/** One life of sockmon, from start to kill. */
interface Life {
  readonly journal: OpenJournal;
  supervisor: Supervisor | null;
  killed: boolean;
}

export class House {
  bootId = 'b0000001-boot';
  upMs = hourMs;
  /** By a clock that is right. */
  trueMs = Date.parse('2026-11-22T07:00:00Z');
  networkUp = true;
  /** When the network went and came back, by a clock that is right. */
  wentMs: number | null = null;
  cameMs: number | null = null;
  /** Reboots that the machine has really done, by the boot that they ended. */
  readonly reboots: string[] = [];
  readonly points: Point[] = [];
  /** What the broker has been given, in its order. */
  readonly broker: JournalEntry[] = [];
  /** The ways by which a reboot was ordered. */
  readonly orders: string[] = [];
  /** Deeds that were not in the journal's file at their moment. */
  readonly unrecorded: string[] = [];
  kills = 0;
  /** Scripts that were started while another one was at work. */
  readonly overlaps: string[] = [];
  private life: Life | null = null;
  private startsAtMs: number | null = null;
  private goesDownAtMs: number | null = null;
  private readonly armed = new Map<string, Run | null>();
  /** Scripts outlive the life that has started them. */
  private readonly running: Script[] = [];

  constructor(
    private readonly t: TestContext,
    readonly directory: string,
    private readonly policy: Policy,
    private readonly cut: Cut | null,
    private readonly weather: Weather = fairWeather,
  ) {
    this.start();
  }

  now(): Instant {
    const { clockIsSetMs } = this.weather;
    const synced = this.reboots.length === 0 || clockIsSetMs === null || this.upMs >= clockIsSetMs;
    return { bootId: this.bootId, bootMs: this.upMs, wallMs: synced ? this.trueMs : this.upMs, synced };
  }

  /** How the resource stands; null while sockmon is not there. */
  get phase(): string | null {
    const { life } = this;
    return life === null || life.killed ? null : (life.supervisor?.snapshot().resources.tcpip?.state ?? null);
  }

  get entries(): readonly JournalEntry[] {
    return this.life?.journal.entries ?? [];
  }

  /** One second of the house. */
  async second(): Promise<void> {
    this.upMs += secondMs;
    this.trueMs += secondMs;
    if (this.goesDownAtMs !== null && this.upMs >= this.goesDownAtMs) this.reboot();
    if (this.startsAtMs !== null && this.upMs >= this.startsAtMs) this.start();
    this.world();
    this.t.mock.timers.tick(secondMs);
    // A tick, what it sets off and what is found out about that each take a turn of the loop.
    for (let turn = 0; turn < 3; turn++) await new Promise(resolve => setImmediate(resolve));
    this.publish();
    if (this.life?.killed) this.bury();
  }

  /** Ends the test's sockmon, with its files. */
  close(): void {
    if (this.life !== null) this.bury();
    this.t.mock.timers.reset();
  }

  private world(): void {
    if (this.upMs === diesMs && this.reboots.length === 0) {
      this.networkUp = false;
      this.wentMs = this.trueMs;
      const reflex = this.armed.get('tcpip') ?? null;
      if (this.life !== null && reflex !== null) this.startRun(reflex, this.life);
      this.armed.delete('tcpip');
      this.sense('down', reflex?.id ?? null);
    }
    if (this.upMs === this.weather.networkStartsMs && this.reboots.length > 0) {
      this.networkUp = true;
      this.cameMs ??= this.trueMs;
      this.sense('up');
    }
    const { scriptMs } = this.weather;
    for (const one of this.running.filter(({ startedMs }) => startedMs + scriptMs <= this.upMs)) {
      this.running.splice(this.running.indexOf(one), 1);
      const result = { kind: 'exit', code: 1 } as const;
      const ended = { kind: 'run_ended', run: one.run.id, atMs: this.upMs, result, output: 'no' } as const;
      if (!one.life.killed) one.life.supervisor?.dispatch(ended);
    }
  }

  private sense(state: 'up' | 'down' | 'absent', reflex: string | null = null): void {
    const cause = { kind: 'link', what: 'interface_gone', interface: 'tap0' } as const;
    if (this.life === null || this.life.killed) return;
    this.life.supervisor?.dispatch({
      kind: 'sensor',
      resource: 'tcpip',
      sensor: 0,
      state,
      atMs: this.upMs,
      cause: state === 'down' ? cause : null,
      nature: state === 'down' ? 'gone' : null,
      detail: '',
      carrier: null,
      interface: null,
      ownRun: false,
      reflex,
      replaced: null,
    });
  }

  private startRun(run: Run, life: Life): void {
    this.overlaps.push(...this.running.map(other => `${run.id} beside ${other.run.id}`));
    this.running.push({ run, life, startedMs: this.upMs });
  }

  /** What the run files of the living say. */
  private takeOver(life: Life): EarlierRun[] {
    return this.running.map((script, index) => {
      const { purpose, id: run, timeoutMs, graceMs } = script.run;
      const { startedMs } = script;
      script.life = life;
      const process = { pid: 1000 + index, startTicks: startedMs / 10 };
      return { ...purpose, run, ...process, startedMs, deadlineMs: startedMs + timeoutMs, graceMs };
    });
  }

  private reboot(): void {
    this.reboots.push(this.bootId);
    if (this.life !== null) {
      this.life.killed = true;
      this.bury();
    }
    this.running.length = 0;
    this.networkUp = false;
    this.goesDownAtMs = null;
    this.bootId = `b000000${this.reboots.length + 1}-boot`;
    this.trueMs += bootMs;
    this.upMs = secondMs;
    this.startsAtMs = sockmonStartsMs;
  }

  private bury(): void {
    this.life?.journal.close();
    this.life = null;
    this.armed.clear();
    // Its timers die with it.
    this.t.mock.timers.reset();
    this.t.mock.timers.enable({ apis: ['setTimeout'] });
    this.startsAtMs = this.upMs + respawnMs;
  }

  private start(): void {
    this.startsAtMs = null;
    const journal = openJournal(this.directory, { now: () => this.now() }, () => true);
    const life: Life = { journal, supervisor: null, killed: false };
    this.life = life;
    const guarded = this.guardedJournal(life);
    const ports = this.ports(life);
    const options = { node: 'gw', version: '0', policy: this.policy, clock: { now: () => this.now() } };
    const supervisor = new Supervisor({ ...options, ...ports, journal: guarded });
    life.supervisor = supervisor;
    supervisor.start(ports.watcher);
    if (this.networkUp || this.upMs > sockmonStartsMs) this.sense(this.networkUp ? 'up' : 'absent');
  }

  /** Reaches a point; true when sockmon is dead from here on. */
  private reach(life: Life, name: string, written = false): boolean {
    if (life.killed) return true;
    this.points.push({ name, written });
    if (this.cut?.points.includes(this.points.length - 1)) {
      this.kills++;
      life.killed = true;
    }
    return life.killed;
  }

  /** Before the write nothing is on disk; after it everything, or as much as the cut leaves. */
  private guardedJournal(life: Life): Journal {
    const { journal } = life;
    const file = `${this.directory}/journal`;
    const added: string[] = [];
    return {
      get entries() {
        return journal.entries;
      },
      add: (records: readonly JournalRecord[]) => {
        added.push(...records.map(({ type }) => type));
        return journal.add(records);
      },
      commit: () => {
        const what = added.splice(0).join('+');
        if (what === '') return;
        if (this.reach(life, `before writing ${what}`)) return;
        const before = fs.statSync(file).size;
        journal.commit();
        const bytes = fs.statSync(file).size - before;
        if (this.reach(life, `after writing ${what}`, true) && this.cut?.torn != null)
          fs.truncateSync(file, before + Math.floor(bytes * this.cut.torn));
      },
      close: () => {},
    };
  }

  /** Record, then act: these words must be on disk. */
  private demand(...words: string[]): void {
    const text = fs.readFileSync(`${this.directory}/journal`, 'utf8');
    this.unrecorded.push(...words.filter(word => !text.includes(word)));
  }

  /** An effect happens between two points, or not at all. */
  private effect(life: Life, name: string, act: () => void = () => {}): void {
    if (this.reach(life, `before ${name}`)) return;
    act();
    this.reach(life, `after ${name}`);
  }

  private ports(life: Life) {
    const effect = (name: string, act?: () => void): void => this.effect(life, name, act);
    return {
      watcher: {
        takeOver: () => this.takeOver(life),
        watch: (wanted: readonly Wanted[]) =>
          effect(`watch ${wanted.map(({ resource }) => resource).join(' ')}`),
        unwatch: (id: string) => effect(`unwatch ${id}`),
        armReflex: (id: string, run: Run | null) => effect('arm', () => this.armed.set(id, run)),
        run: (run: Run) =>
          effect(`run ${run.env.SOCKMON_STEP}`, () => {
            this.demand(`"type":"attempt","outage":"${run.env.SOCKMON_OUTAGE_ID}"`, `"run":"${run.id}"`);
            this.startRun(run, life);
          }),
        endRun: () => effect('end run'),
        kill: () => null,
        addresses: () => [],
        network: () => quietNetwork,
        ping: () => Promise.resolve(),
        close: () => {},
      },
      reporter: {
        start: (_telling: Telling) => {},
        sync: () => {},
        answer: (_answer: CommandAnswer) => effect('answer'),
        networkLost: () => effect('network lost'),
        networkBack: () => effect('network back'),
        connection: () => ({}) as ConnectionView,
        stop: async () => {},
      },
      reboot: {
        reboot: async (level: string) => {
          effect(`reboot by ${level}`, () => {
            this.orders.push(level);
            this.demand(level === 'command' ? '"type":"reboot_intent"' : '"type":"reboot_forced"');
            this.goesDownAtMs = this.upMs + shutdownMs;
          });
          return null;
        },
      },
      evidence: {
        collect: async (_resource: string, when: string): Promise<Evidence> => {
          effect(`collect ${when}`);
          return { kernel: [`kernel ${when}`], addresses: [], routes: [] };
        },
      },
      log: { debug() {}, info() {}, warn() {}, error() {} },
    };
  }

  /** As the reporter does it: everything after the cursor, in order, and the cursor when the broker has it. */
  private publish(): void {
    const { life } = this;
    if (life === null || life.killed || life.supervisor === null || !this.networkUp) return;
    const { supervisor } = life;
    const pending = supervisor.entriesAfter(supervisor.acknowledgedSeq()).filter(isTellable);
    for (const entry of pending) {
      this.effect(life, `publish ${entry.type}`, () => this.broker.push(entry));
      if (life.killed) return;
      supervisor.acknowledge(entry.seq);
    }
  }
}
