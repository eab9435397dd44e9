/** The edges of the system, in the test's hand. The journal, the machine and the supervisor are the real ones. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Policy } from '../../src/core/policy.js';
import type {
  CommandAnswer,
  EarlierRun,
  Evidence,
  EvidencePort,
  Log,
  NetworkCounters,
  RebootPort,
  Run,
  Wanted,
  Watcher,
} from '../../src/core/ports.js';
import type { Clock, Instant } from '../../src/core/time.js';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { type OpenJournal, openJournal } from '../../src/journal/file.js';
import { RunFolder } from '../../src/monitor/run-folder.js';
import type { WatcherOptions } from '../../src/monitor/watcher.js';
import type { Reporter, Telling } from '../../src/report/telling.js';
import type { ConnectionView } from '../../src/report/views.js';

/** A watcher that nothing has gone before and nobody advises. */
export function alone(log: Log): Omit<WatcherOptions, 'onInputs'> {
  return {
    environment: {},
    bootBeganMs: 0,
    advisers: {},
    onEnd: () => {},
    early: null,
    runFolder: new RunFolder(null, log),
    log,
  };
}

const nothing = { links: 0, addresses: 0, routes: 0, rules: 0, nexthops: 0 };
/** Nothing has been heard of it. */
export const quietNetwork: NetworkCounters = {
  messages: 0,
  changes: 0,
  reads: 0,
  overflows: 0,
  confirmations: 0,
  refuted: nothing,
  audits: 0,
  corrected: nothing,
};

export class FakeWatcher implements Watcher {
  readonly calls: string[] = [];
  readonly armed = new Map<string, Run | null>();
  readonly runs: Run[] = [];

  /** Scripts of before that live. */
  living: readonly EarlierRun[] = [];
  /** Those that the journal knew of. */
  recorded: readonly EarlierRun[] = [];

  takeOver(recorded: readonly EarlierRun[]): readonly EarlierRun[] {
    this.recorded = recorded;
    return this.living;
  }
  watch(wanted: readonly Wanted[]): void {
    for (const { resource, sensors } of wanted)
      this.calls.push(`watch ${resource} ${sensors.map(sensor => sensor.kind).join('+')}`);
  }
  unwatch(resource: string): void {
    this.calls.push(`unwatch ${resource}`);
  }
  armReflex(resource: string, run: Run | null): void {
    this.armed.set(resource, run);
  }
  run(run: Run, unlessAlive: boolean): void {
    this.calls.push(`run ${run.id}${unlessAlive ? ' unless alive' : ''}`);
    this.runs.push(run);
  }
  endRun(id: string): void {
    this.calls.push(`end ${id}`);
  }
  kill(resource: string): string | null {
    this.calls.push(`kill ${resource}`);
    return null;
  }
  network(): NetworkCounters {
    return quietNetwork;
  }
  addresses(): readonly string[] {
    return [];
  }
  async ping(): Promise<void> {}
  close(): void {
    this.calls.push('close');
  }
}

export class FakeReporter implements Reporter {
  readonly calls: string[] = [];
  readonly answers: CommandAnswer[] = [];
  start(_telling: Telling): void {}
  sync(): void {}
  answer(answer: CommandAnswer): void {
    this.answers.push(answer);
  }
  networkLost(): void {
    this.calls.push('lost');
  }
  networkBack(): void {
    this.calls.push('back');
  }
  connection(): ConnectionView {
    return {
      state: 'none',
      broker: null,
      protocol: null,
      since: null,
      connects: 0,
      last_error: null,
      problem: null,
      pending: 0,
    };
  }
  async stop(): Promise<void> {}
}

export class FakeEvidence implements EvidencePort {
  readonly calls: string[] = [];
  /** What there is to be found. */
  found: Evidence = { kernel: [], addresses: [], routes: [] };
  async collect(resource: string, when: 'alive' | 'before' | 'after'): Promise<Evidence> {
    this.calls.push(`${when} ${resource}`);
    return this.found;
  }
}

export class FakeClock implements Clock {
  instant: Instant = {
    bootId: 'b0000001-boot',
    bootMs: 3_600_000,
    wallMs: Date.parse('2026-11-22T07:00:00Z'),
    synced: true,
  };
  now(): Instant {
    return this.instant;
  }
  advance(ms: number): void {
    const { bootMs, wallMs } = this.instant;
    this.instant = { ...this.instant, bootMs: bootMs + ms, wallMs: wallMs + ms };
  }
}

export class FakeLog implements Log {
  readonly lines: string[] = [];
  debug(_fields: object, sentence: string): void {
    this.lines.push(`debug ${sentence}`);
  }
  info(_fields: object, sentence: string): void {
    this.lines.push(`info ${sentence}`);
  }
  warn(_fields: object, sentence: string): void {
    this.lines.push(`warn ${sentence}`);
  }
  error(_fields: object, sentence: string): void {
    this.lines.push(`error ${sentence}`);
  }
}

export class Bench {
  readonly dir: string;
  readonly clock = new FakeClock();
  readonly watcher = new FakeWatcher();
  readonly reporter = new FakeReporter();
  readonly evidence = new FakeEvidence();
  readonly log = new FakeLog();
  /** What the reboot command was asked for, with the last record that was on disk at that moment. */
  readonly reboots: string[] = [];
  readonly rebootLevels: string[] = [];
  /** What the reboot command answers. */
  rebootError: string | null = null;
  readonly journal: OpenJournal;
  readonly supervisor: Supervisor;

  constructor(t: TestContext, policy: Policy) {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-supervisor-'));
    this.journal = openJournal(this.dir, this.clock, () => true);
    const reboot: RebootPort = {
      reboot: async level => {
        this.rebootLevels.push(level);
        const lastLine =
          fs.readFileSync(path.join(this.dir, 'journal'), 'utf8').trim().split('\n').at(-1) ?? '';
        this.reboots.push(lastLine);
        return this.rebootError;
      },
    };
    const { clock, journal, reporter, evidence, log } = this;
    this.supervisor = new Supervisor({
      node: 'gw',
      version: '0',
      policy,
      clock,
      journal,
      reboot,
      reporter,
      evidence,
      log,
    });
    t.after(() => {
      this.supervisor.stop('test');
      this.journal.close();
      fs.rmSync(this.dir, { recursive: true, force: true });
    });
    this.supervisor.start(this.watcher);
  }

  types(): string[] {
    return this.journal.entries.map(entry => entry.type);
  }

  sensor(state: 'up' | 'down' | 'absent', sensor = 0, reflex: string | null = null): void {
    this.supervisor.dispatch({
      kind: 'sensor',
      resource: 'tcpip',
      sensor,
      state,
      atMs: this.clock.instant.bootMs,
      cause: state === 'down' ? { kind: 'probe', error: 'ENETUNREACH' } : null,
      nature: state === 'down' ? 'broken' : null,
      detail: '',
      carrier: null,
      interface: null,
      ownRun: false,
      reflex,
      replaced: null,
    });
  }

  up(): void {
    this.sensor('up', 0);
    this.sensor('up', 1);
  }
}
