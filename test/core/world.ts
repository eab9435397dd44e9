/** The machine with a clock that the test turns and a journal in memory: what the supervisor does, without the world. */
import assert from 'node:assert/strict';
import { outageId } from '../../src/core/attempt.js';
import { History } from '../../src/core/history.js';
import type { Effect, Input, SensorInput } from '../../src/core/input.js';
import { emptyState, next, nextWakeMs } from '../../src/core/machine.js';
import type { Policy, RebootPolicy, ResourcePolicy, RestartStep, Sensor } from '../../src/core/policy.js';
import type { EarlierRun, ReceivedCommand, Run } from '../../src/core/ports.js';
import type { JournalEntry, JournalRecord } from '../../src/core/records.js';
import type { MachineState, Phase } from '../../src/core/state.js';
import type { Instant } from '../../src/core/time.js';
import { lastBootOf } from '../../src/report/last-boot.js';
import { snapshot } from '../../src/report/snapshot.js';
import type { Snapshot } from '../../src/report/views.js';

export const rebootPolicy: RebootPolicy = {
  allowed: true,
  command: ['/bin/true'],
  minUptimeMs: 300_000,
  budget: { max: 3, perMs: 86_400_000 },
  holdOffMs: [],
  forceCommand: ['/bin/true', '--force'],
};

export function step(name: string, overrides: Partial<RestartStep> = {}): RestartStep {
  return {
    name,
    argv: [`/bin/${name}`],
    attempts: 6,
    everyMs: 30_000,
    backoff: 1,
    timeoutMs: 60_000,
    graceMs: 5000,
    journalLines: 0,
    ...overrides,
  };
}

/** By the name that it has in messages, e.g. `link default`: only the monitor looks at its fields. */
export function sensor(name: string): Sensor {
  const [kind = ''] = name.split(' ');
  const proves = kind === 'stack' ? 'loopback' : kind === 'link' || kind === 'uplink' ? 'traffic' : undefined;
  return { kind, name, canKill: kind === 'process', ...(proves !== undefined && { proves }), fields: {} };
}

export function resource(id: string, overrides: Partial<ResourcePolicy> = {}): ResourcePolicy {
  const isService = overrides.sensors?.every(({ kind }) => kind === 'process') ?? false;
  return {
    id,
    role: isService ? 'service' : 'network',
    sensors: [sensor('stack'), sensor('link default')],
    steps: [step('restart')],
    rebootWhenFailed: true,
    restartBudget: { max: 1000, perMs: 3_600_000 },
    flapping: { max: 4, perMs: 600_000 },
    needs: [],
    fallMs: 0,
    riseMs: 0,
    settleMs: 10_000,
    ...overrides,
  };
}

export function policy(
  resources: readonly ResourcePolicy[] = [resource('tcpip')],
  reboot: Partial<RebootPolicy> = {},
): Policy {
  return {
    resources,
    reboot: { ...rebootPolicy, ...reboot },
    commands: { enabled: true, allowPress: false },
  };
}

const hourMs = 3_600_000;

export class World {
  state: MachineState = emptyState();
  readonly entries: JournalEntry[] = [];
  history = new History();
  bootId = 'b0000001-boot';
  bootMs = hourMs;
  wallMs = Date.parse('2026-11-22T07:00:00Z');
  synced = true;
  /** Every effect so far, in order. */
  readonly effects: Effect[] = [];

  constructor(public policy: Policy = policyOfOne()) {
    this.input({ kind: 'configure' });
  }

  now(): Instant {
    return { bootId: this.bootId, bootMs: this.bootMs, wallMs: this.wallMs, synced: this.synced };
  }

  /** What comes at once is worked through at once, as the supervisor does it. */
  input(...inputs: readonly Input[]): readonly Effect[] {
    return [...inputs, { kind: 'review' } as const].flatMap(input => this.step(input));
  }

  /** One input, and no look at what depends on it. */
  step(input: Input): readonly Effect[] {
    const step = next(this.state, input, { now: this.now(), policy: this.policy, history: this.history });
    this.state = step.state;
    for (const effect of step.effects) if (effect.do === 'journal') this.append(effect.record);
    this.effects.push(...step.effects);
    return step.effects;
  }

  append(record: JournalRecord): void {
    const entry = { seq: this.entries.length + 1, ...this.now(), ...record };
    this.entries.push(entry);
    this.history.apply(entry);
  }

  advance(ms: number): void {
    this.bootMs += ms;
    this.wallMs += ms;
  }

  /** When a tick would change something; null = never by itself. */
  deadline(): number | null {
    return nextWakeMs(this.state);
  }

  /** Turns the clock to the next deadline and ticks; false when there is none. */
  wait(): boolean {
    const deadline = nextWakeMs(this.state);
    if (deadline === null) return false;
    this.advance(Math.max(0, deadline - this.bootMs));
    this.input({ kind: 'tick' });
    return true;
  }

  /** What the first sensor of a resource has to say. */
  report(id: string, state: SensorInput['state'], more: Partial<SensorInput> = {}): SensorInput {
    return {
      kind: 'sensor',
      resource: id,
      sensor: 0,
      state,
      atMs: this.bootMs,
      cause: state === 'down' ? { kind: 'unknown' } : null,
      detail: '',
      carrier: null,
      interface: null,
      nature: state === 'down' ? 'exited' : null,
      ownRun: false,
      reflex: null,
      replaced: null,
      ...more,
    };
  }

  sensor(id: string, state: SensorInput['state'], more: Partial<SensorInput> = {}): readonly Effect[] {
    return this.input(this.report(id, state, more));
  }

  /** Every sensor of the resource is up. */
  up(id = 'tcpip'): readonly Effect[] {
    const count = this.state.resources.get(id)?.sensors.length ?? 0;
    return Array.from({ length: count }, (_, sensor) => this.sensor(id, 'up', { sensor })).flat();
  }

  /** It is back, its script ends, and it stays alive until that is verified. */
  recovers(id = 'tcpip'): void {
    this.up(id);
    this.runEnds(0, id);
    while (this.phase(id).name === 'verifying' && this.wait());
  }

  /** The default route's interface disappears; with the reflex, if one is armed. */
  die(id = 'tcpip', reflex: string | null = null): readonly Effect[] {
    const cause = { kind: 'link', what: 'interface_gone', interface: 'tap0' } as const;
    const sensor = (this.state.resources.get(id)?.sensors.length ?? 1) - 1;
    return this.sensor(id, 'down', { sensor, cause, reflex });
  }

  runStarted(run: string, pid: number): readonly Effect[] {
    return this.input({ kind: 'run_started', run, atMs: this.bootMs, pid, startTicks: this.bootMs });
  }

  /** A run that has begun, as a run file names it. */
  earlierRun(run: Run, startedMs = this.bootMs): EarlierRun {
    const { id, purpose, timeoutMs, graceMs } = run;
    const process = { pid: 4711, startTicks: Math.floor(startedMs / 10) };
    return { ...purpose, run: id, ...process, startedMs, deadlineMs: startedMs + timeoutMs, graceMs };
  }

  runEnded(run: string, code: number, output = ''): readonly Effect[] {
    return this.input({ kind: 'run_ended', run, atMs: this.bootMs, result: { kind: 'exit', code }, output });
  }

  /** Every script fails as soon as it is waited for. */
  fails(untilMs: number, id = 'tcpip'): void {
    while (this.bootMs < untilMs) {
      const phase = this.phase(id);
      if (phase.name === 'rebooting') return;
      if (phase.name === 'restarting') this.runEnded(phase.running.run, 1, 'no');
      else if (!this.wait()) return;
    }
  }

  /** The attempt that is due was held back: its resource was found alive. */
  notNeeded(id = 'tcpip'): readonly Effect[] {
    const run = this.currentRun(id);
    assert.ok(run !== null, 'no attempt is due');
    const result = { kind: 'not_needed' } as const;
    return this.input({ kind: 'run_ended', run, atMs: this.bootMs, result, output: '' });
  }

  /** The script that runs now ends; nothing happens where none does. */
  runEnds(code: number, id = 'tcpip'): void {
    const run = this.currentRun(id);
    if (run !== null) this.runEnded(run, code);
  }

  /** The script that runs now, whether it is waited for or only not verified yet. */
  currentRun(id = 'tcpip'): string | null {
    const phase = this.phase(id);
    if (phase.name === 'restarting') return phase.running.run;
    return phase.name === 'verifying' && phase.run.kind === 'running' ? phase.run.running.run : null;
  }

  command(command: Partial<ReceivedCommand>): readonly Effect[] {
    return this.input({
      kind: 'command',
      command: {
        id: 'c1',
        action: 'reboot',
        origin: 'mqtt:press',
        press: true,
        retained: false,
        duplicate: false,
        sinceConnectMs: 60_000,
        ...command,
      },
    });
  }

  /** As the journal knows it; the process is made up. */
  private asEarlier(run: EarlierRun | string): EarlierRun {
    if (typeof run !== 'string') return run;
    const begun = this.of('attempt').findLast(attempt => attempt.run === run);
    assert.ok(begun, `no attempt ${run} in the journal`);
    const { resource, outage, attempt, step: name = '', script, by, atMs: startedMs } = begun;
    const steps = this.policy.resources.find(({ id }) => id === resource)?.steps ?? [];
    const { timeoutMs, graceMs } = steps.find(one => one.name === name) ?? step('gone');
    const purpose = { resource, outage, attempt, step: name, script, by };
    return {
      ...purpose,
      run,
      pid: 4711,
      startTicks: 1,
      startedMs,
      deadlineMs: startedMs + timeoutMs,
      graceMs,
    };
  }

  /**
   * sockmon ends without a word and starts again; in another boot if so wished.
   * @param earlier the scripts of before: by the run's id, where the journal knows its attempt.
   */
  restart(bootId = this.bootId, earlier: readonly (EarlierRun | string)[] = []): void {
    if (bootId !== this.bootId) {
      this.bootId = bootId;
      this.bootMs = 20_000;
    }
    this.state = emptyState();
    this.history = new History(this.entries);
    this.input({ kind: 'configure', earlier: earlier.map(run => this.asEarlier(run)) });
  }

  look(journalFault: string | null = null): Snapshot {
    const lastBoot = lastBootOf(this.entries, this.now());
    const info = {
      node: 'gw',
      version: '1',
      started: this.now(),
      policy: this.policy,
      journalFault,
      lastBoot,
    };
    return snapshot({ state: this.state, history: this.history, now: this.now(), info });
  }

  phase(id = 'tcpip'): Phase {
    const found = this.state.resources.get(id);
    if (found === undefined) throw new Error(`no resource ${id}`);
    return found.phase;
  }

  outage(number: number, id = 'tcpip'): string {
    return outageId(this.bootId, id, number);
  }

  types(): string[] {
    return this.entries.map(entry => entry.type);
  }

  of<T extends JournalEntry['type']>(type: T): Extract<JournalEntry, { type: T }>[] {
    return this.entries.filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
  }

  did<T extends Effect['do']>(kind: T): Extract<Effect, { do: T }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { do: T }> => effect.do === kind);
  }
}

function policyOfOne(): Policy {
  return policy();
}
