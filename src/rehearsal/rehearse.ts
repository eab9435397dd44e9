/** What another policy would have done in a recorded outage: the real machine, a clock that is turned by hand, and the recorded facts. Pure. */

import { natureOf } from '../core/cause.js';
import { History } from '../core/history.js';
import type { Effect, Input, SensorInput } from '../core/input.js';
import { emptyState, next, nextWakeMs } from '../core/machine.js';
import type { Policy, Proof } from '../core/policy.js';
import type { Run } from '../core/ports.js';
import type { Cause, JournalEntry, JournalRecord, RunResult } from '../core/records.js';
import type { Held, MachineState } from '../core/state.js';
import type { Instant } from '../core/time.js';
import { describe } from '../core/words.js';

/** A death or a return that the recording tells, on one axis of true time. */
export interface Fact {
  readonly wallMs: number;
  /** Of the recorded boot. */
  readonly bootMs: number;
  readonly resource: string;
  readonly what: 'down' | 'up';
  readonly cause: Cause;
  /** The machine was booted before it, by others than sockmon: that would have happened with any policy. */
  readonly newBoot: boolean;
  readonly attempts: readonly RecordedAttempt[];
}

export interface RecordedAttempt {
  /** null: it went on until the end of the outage. */
  readonly durationMs: number | null;
  readonly result: RunResult;
}

export interface RehearsedMoment {
  /** Since the first fact. */
  readonly after_s: number;
  readonly resource: string | null;
  readonly type: JournalRecord['type'];
  readonly text: string;
}

export interface Rehearsal {
  readonly moments: readonly RehearsedMoment[];
  readonly attempts: number;
  readonly attempts_by_step: Readonly<Record<string, number>>;
  readonly reboots: number;
  readonly reboots_refused: number;
  /** How each resource stands at the end. */
  readonly ended: Readonly<Record<string, string>>;
}

/** A boot takes this long here, and what is watched comes up with it. */
const bootMs = 60_000;
/** Whoever is down for ever is looked at no longer than this after the last fact. */
const horizonMs = 24 * 3_600_000;
/** A fault in the recording or in the machine must not become an endless loop. */
const maxTurns = 100_000;

type Due = { readonly atMs: number; readonly input: Input };

/** @param facts in the order of time. Resources that the policy does not know are left out. */
export function rehearse(facts: readonly Fact[], policy: Policy): Rehearsal {
  const known = facts.filter(fact => policy.resources.some(({ id }) => id === fact.resource));
  return new Rehearser(known, policy).run();
}

class Rehearser {
  private state: MachineState = emptyState();
  private readonly history = new History();
  private readonly moments: RehearsedMoment[] = [];
  private readonly steps = new Map<string, number>();
  private readonly armed = new Map<string, Run | null>();
  /** Ends of scripts that run now, by run. */
  private readonly running = new Map<string, Due>();
  private readonly down = new Map<string, Fact>();
  private now: Instant;
  private seq = 0;
  private boots = 1;
  private reboots = 0;
  private rebootOrdered = false;
  private readonly startMs: number;

  constructor(
    private readonly facts: readonly Fact[],
    private readonly policy: Policy,
  ) {
    const [first] = facts;
    this.startMs = first?.wallMs ?? 0;
    this.now = { bootId: 'rehearsal-1', bootMs: first?.bootMs ?? 0, wallMs: this.startMs, synced: true };
  }

  run(): Rehearsal {
    this.begin();
    for (const fact of this.facts) {
      this.advanceTo(fact.wallMs);
      this.take(fact);
    }
    this.advanceTo(this.now.wallMs + horizonMs, () => this.isOver());
    return this.outcome();
  }

  /** sockmon starts and sees everything that is not known to be down. */
  private begin(): void {
    this.state = emptyState();
    this.armed.clear();
    this.running.clear();
    this.input({ kind: 'configure' });
    for (const { id } of this.policy.resources) {
      const down = this.down.get(id);
      this.sense(id, down === undefined ? 'up' : 'absent', null, null);
    }
  }

  private take(fact: Fact): void {
    if (fact.newBoot) {
      this.down.clear();
      this.boot(fact.bootMs);
    }
    const { resource, what } = fact;
    if (what === 'up') {
      this.down.delete(resource);
      this.sense(resource, 'up', null, null);
      return;
    }
    // A reboot of the rehearsal has taken another course: what is down already cannot die.
    if (this.down.has(resource)) return;
    this.down.set(resource, fact);
    const reflex = this.armed.get(resource) ?? null;
    this.armed.set(resource, null);
    this.sense(resource, 'down', fact.cause, reflex?.id ?? null);
    if (reflex !== null) this.start(reflex);
  }

  private boot(uptimeMs: number): void {
    this.boots++;
    this.now = { ...this.now, bootId: `rehearsal-${this.boots}`, bootMs: uptimeMs };
    this.begin();
  }

  /** Deadlines and ends of scripts in their order, up to a moment of true time. */
  private advanceTo(wallMs: number, isOver: () => boolean = () => false): void {
    for (let turn = 0; turn < maxTurns && !isOver(); turn++) {
      const ends = [...this.running.values()].sort((a, b) => a.atMs - b.atMs);
      const deadlineMs = nextWakeMs(this.state) ?? Number.POSITIVE_INFINITY;
      const atMs = Math.max(this.now.bootMs, Math.min(deadlineMs, ends[0]?.atMs ?? Number.POSITIVE_INFINITY));
      if (atMs - this.now.bootMs > wallMs - this.now.wallMs) break;
      this.turnClock(atMs - this.now.bootMs);
      const [due] = ends;
      if (due !== undefined && due.atMs <= this.now.bootMs) this.end(due);
      else this.input({ kind: 'tick' });
    }
    this.turnClock(Math.max(0, wallMs - this.now.wallMs), isOver());
  }

  private turnClock(ms: number, stay = false): void {
    if (stay) return;
    this.now = { ...this.now, bootMs: this.now.bootMs + ms, wallMs: this.now.wallMs + ms };
  }

  /** Nothing more will come by itself that has not been seen already. */
  private isOver(): boolean {
    return [...this.state.resources.values()].every(
      ({ phase }) =>
        phase.name === 'up' ||
        phase.name === 'absent' ||
        (phase.name === 'blocked' && phase.outage.risingMs === null) ||
        (phase.name === 'held' && phase.outage.risingMs === null && !mayStillAct(phase.held)),
    );
  }

  private sense(resource: string, state: SensorInput['state'], cause: Cause | null, reflex: string | null) {
    const sensors = this.policy.resources.find(({ id }) => id === resource)?.sensors ?? [];
    const hit = sensors.flatMap(({ proves }, sensor) => (isHit(cause, proves) ? [sensor] : []));
    const seeing = hit.length > 0 ? hit : [...sensors.keys()];
    const nature = cause === null ? null : natureOf(cause);
    const atMs = this.now.bootMs;
    const common = {
      kind: 'sensor',
      resource,
      atMs,
      nature,
      detail: '',
      carrier: null,
      replaced: null,
    } as const;
    for (const sensor of seeing)
      this.input({
        ...common,
        sensor,
        state,
        cause,
        interface: null,
        ownRun: false,
        reflex: sensor === seeing[0] ? reflex : null,
      });
  }

  private input(input: Input): void {
    for (const one of [input, { kind: 'review' } as const]) {
      const step = next(this.state, one, { now: this.now, policy: this.policy, history: this.history });
      this.state = step.state;
      for (const effect of step.effects) if (effect.do === 'journal') this.record(effect.record);
      for (const effect of step.effects) this.act(effect);
    }
    if (this.rebootOrdered) this.reboot();
  }

  private record(record: JournalRecord): void {
    const entry: JournalEntry = { seq: ++this.seq, ...this.now, ...record };
    this.history.apply(entry);
    if (entry.type === 'attempt') {
      const step = entry.step ?? entry.script;
      this.steps.set(step, (this.steps.get(step) ?? 0) + 1);
    }
    if (entry.type === 'seen') return;
    const since = 'atMs' in entry ? this.now.bootMs - entry.atMs : 0;
    this.moments.push({
      after_s: Math.round(this.now.wallMs - since - this.startMs) / 1000,
      resource: 'resource' in entry ? (entry.resource ?? null) : null,
      type: entry.type,
      text: describe(entry).text,
    });
  }

  private act(effect: Effect): void {
    if (effect.do === 'arm') this.armed.set(effect.resource, effect.run);
    if (effect.do === 'run') this.start(effect.run);
    if (effect.do === 'end_run') {
      const due = this.running.get(effect.run);
      if (due !== undefined) this.running.set(effect.run, { ...due, atMs: this.now.bootMs });
    }
    if (effect.do === 'reboot') this.rebootOrdered = true;
  }

  /** The n-th attempt goes as the n-th recorded one did, later ones as the last. */
  private start({ id, env }: Run): void {
    const attempts = this.down.get(env.SOCKMON_RESOURCE ?? '')?.attempts ?? [];
    const recorded = attempts[Number(env.SOCKMON_ATTEMPT) - 1] ?? attempts.at(-1);
    const { durationMs, result } = recorded ?? unheardOf;
    const atMs = durationMs === null ? Number.POSITIVE_INFINITY : this.now.bootMs + durationMs;
    const input = { kind: 'run_ended', run: id, atMs, result, output: '' } as const;
    this.running.set(id, { atMs, input });
  }

  private end({ atMs, input }: Due): void {
    if (input.kind !== 'run_ended') return;
    this.running.delete(input.run);
    this.input({ ...input, atMs });
  }

  /** It comes, and everything with it: what another policy's reboot would have healed nobody can know. */
  private reboot(): void {
    this.rebootOrdered = false;
    this.reboots++;
    this.down.clear();
    this.now = { ...this.now, wallMs: this.now.wallMs + bootMs };
    this.boot(bootMs / 2);
  }

  private outcome(): Rehearsal {
    const ended = [...this.state.resources].map(([id, { phase }]) => [id, phase.name] as const);
    return {
      moments: this.moments,
      attempts: [...this.steps.values()].reduce((sum, count) => sum + count, 0),
      attempts_by_step: Object.fromEntries(this.steps),
      reboots: this.reboots,
      reboots_refused: this.moments.filter(({ type }) => type === 'reboot_refused').length,
      ended: Object.fromEntries(ended),
    };
  }
}

/** Where loopback failed beside a network that was alive, the sensors of the network saw nothing. */
function isHit(cause: Cause | null, proves: Proof | undefined): boolean {
  return cause?.kind !== 'probe' || cause.beside === undefined || proves === 'loopback';
}

/** Held by a budget or a hold-off, which end by themselves. */
function mayStillAct(held: Held): boolean {
  return held.why === 'restart_budget' || (held.why === 'reboot_refused' && held.code !== 'not_allowed');
}

/** A recording without attempts: sockmon only watched. A script that does nothing, quickly. */
const unheardOf: RecordedAttempt = { durationMs: 1000, result: { kind: 'exit', code: 1 } };
