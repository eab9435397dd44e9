/** The machine's state: unions that the compiler checks. */
import type { Fault } from './detection.js';
import type { History } from './history.js';
import type { Effect } from './input.js';
import type { NextStep, Progress } from './ladder.js';
import type { Policy, ResourcePolicy } from './policy.js';
import type { Flood } from './rate-limit.js';
import type { Cause, JournalRecord, RunResult } from './records.js';
import type { RefusalCode } from './refusal-codes.js';
import type { Resources, ResourcesBefore } from './resources.js';
import type { Instant, Moment } from './time.js';

/** Changes of late of what may come and go: a carrier, a fault. */
export interface Repeats {
  /** When they were told, one by one. */
  readonly toldMs: readonly number[];
  readonly lastMs: number;
  /** Too many: that has been told, the single ones are not any more. */
  readonly isNamed: boolean;
}

export const noRepeats: Repeats = { toldMs: [], lastMs: 0, isNamed: false };

/** What a sensor said last. */
export interface SensorState {
  readonly name: string;
  readonly state: 'up' | 'absent' | 'down';
  readonly detail: string;
  /** null: not a link, or not known. */
  readonly carrier: boolean | null;
  readonly repeats: Repeats;
  readonly interface: string | null;
  readonly interfaceIndex: number | null;
  /** Other interfaces that could carry the traffic; null: not known. */
  readonly standby: readonly string[] | null;
  /** Of IPv4 and IPv6 those that carry traffic, where either may be lost; null: not known, or nobody wants to know. */
  readonly families: readonly string[] | null;
  readonly ownRun: boolean;
  /** Down, but what has been left behind still serves, in words; null: nobody does. */
  readonly servedBy: string | null;
  /** When it last went down, in ms of CLOCK_BOOTTIME. */
  readonly diedMs: number | null;
  /** Up, but not whole since its carrier came back: a DHCP client needs its time, but not for ever. */
  readonly waiting: { readonly for: Cause; readonly sinceMs: number } | null;
}

interface Reopened {
  /** When it was last down again. */
  readonly atMs: number;
  /** For the first time. */
  readonly isFirst: boolean;
  /** How long it has been alive since the outage began, in all. */
  readonly aliveMs: number;
}

export interface OpenOutage {
  readonly id: string;
  /** ms of CLOCK_BOOTTIME; of an outage of an earlier boot: counted back from now, by what is known to have passed. */
  readonly beganMs: number;
  /** Where it began in an earlier boot. */
  readonly origin: Moment | null;
  readonly cause: Cause;
  readonly sensor: string;
  readonly attempts: number;
  readonly lastAttemptMs: number | null;
  readonly lastResult: RunResult | null;
  /** When the last run ended; null: it has not, or nobody has seen it. */
  readonly lastRunEndMs: number | null;
  /** Until when a run that sockmon lost sight of by its own restart may be at work. */
  readonly lostRunUntilMs: number | null;
  readonly progress: Progress;
  /** A script has said: do not reboot. */
  readonly vetoed: boolean;
  /** Taken over from the journal and not seen down since: it may have ended while nobody looked. */
  readonly resumed: boolean;
  /** Nobody saw it begin. */
  readonly beganUnseen: boolean;
  /** recovery_failed has been recorded; the guard has refused a reboot since, if it has: the same refusal is recorded once. */
  readonly givenUp: { readonly refusal: RefusalCode | null } | null;
  /** Its restart budget has been used up: told once. */
  readonly overspent: boolean;
  /** The outage of something that it needs: this one is a part of that story. */
  readonly root: string | null;
  /** A single death of a flapping resource: recorded, not told. */
  readonly quiet: boolean;
  /** Killed on purpose. */
  readonly drill: boolean;
  /** The command that asked for this restart and wants an answer. */
  readonly command: string | null;
  /** It has been back, and down again. */
  readonly reopened: Reopened | null;
  /** Since when every sensor is up, while `riseMs` has not passed. */
  readonly risingMs: number | null;
  /** The last run of ours that is taken to have stopped it: each does so once. */
  readonly blamedRun: string | null;
}

/** What an attempt changes in its outage. */
export type Tried = Pick<
  OpenOutage,
  'attempts' | 'lastAttemptMs' | 'lastResult' | 'lastRunEndMs' | 'progress'
>;

export interface Running {
  readonly run: string;
  readonly outage: string;
  readonly attempt: number;
  readonly startedMs: number;
  /** When its session is ended, or, once that has been ordered, when it is given up; null: never. */
  readonly deadlineMs: number | null;
  readonly timedOut: boolean;
  readonly graceMs: number;
  /** How it stood before, should it not be started after all; null: it is known to have been. */
  readonly before: Tried | null;
}

/** Why a resource is held: it is down, watched, and nothing is done about it for now. */
export type Held =
  | { readonly why: 'no_script' | 'used_up' | 'vetoed' | 'paused' }
  /** Used up as well, but this still serves, in words. */
  | { readonly why: 'degraded'; readonly server: string }
  /** Loopback alone fails, while this carries the network's traffic. */
  | { readonly why: 'loopback_only'; readonly beside: string }
  | { readonly why: 'reboot_refused'; readonly code: RefusalCode; readonly detail: string }
  | { readonly why: 'reboot_failed'; readonly error: string }
  | { readonly why: 'restart_budget'; readonly detail: string };

/** What is known of the last run of an outage that has come back. */
export type LastRun =
  /** isService: it, or what it has started, is what is watched. */
  | { readonly kind: 'running'; readonly running: Running; readonly isService: boolean }
  | { readonly kind: 'over'; readonly endedMs: number };

export interface Dip {
  readonly sinceMs: number;
  /** When it counts as down. */
  readonly untilMs: number;
  readonly cause: Cause;
  readonly sensor: string;
  /** Who is bringing it back; null: it may be being replaced. */
  readonly by: string | null;
}

/**
 *            death                    script ends              steps used up
 *   absent ─┐     ┌──> restarting <──────────────> settling ─────────────────────┬──> rebooting
 *           ├─────┤        │          next attempt   │    │                       │        │ every way failed
 *   up ─────┘  suspect     │                         │  blocked: what it needs     │        │
 *    ^         (fallMs)    │                         │    │      is down           │        │
 *    │ settleMs   │        └───────────┬─────────────┴────┴──── guard: no ───────> held <───┘
 *    │            │ back in time       │ every sensor has been up for riseMs
 *    └────────────┴─ verifying <───────┘ (straight to up where no script has run)
 *                        └── down again: restarting or settling, in the same outage
 */
export type Phase =
  | { readonly name: 'absent'; readonly sinceMs: number }
  | { readonly name: 'up'; readonly sinceMs: number }
  /** Back, and told so; but a script of ours may still stop it, as every "restart" does. Then the same outage goes on. */
  | {
      readonly name: 'verifying';
      readonly sinceMs: number;
      readonly outage: OpenOutage;
      readonly run: LastRun;
      /** It has been down since then for less than `fallMs`. */
      readonly dip: Dip | null;
    }
  /** Dead, but perhaps only being replaced: no outage before `untilMs`. */
  | ({ readonly name: 'suspect' } & Dip)
  | {
      readonly name: 'restarting';
      readonly sinceMs: number;
      readonly outage: OpenOutage;
      readonly running: Running;
    }
  | {
      readonly name: 'settling';
      readonly sinceMs: number;
      readonly outage: OpenOutage;
      readonly next: NextStep;
    }
  | { readonly name: 'blocked'; readonly sinceMs: number; readonly outage: OpenOutage; readonly on: string }
  | {
      readonly name: 'rebooting';
      readonly sinceMs: number;
      readonly outage: OpenOutage;
      readonly intent: string;
    }
  | {
      readonly name: 'held';
      readonly sinceMs: number;
      readonly outage: OpenOutage;
      readonly held: Held;
      /** When one more attempt is made; null = never by itself. */
      readonly retryAtMs: number | null;
    };

export interface ResourceState {
  readonly policy: ResourcePolicy;
  readonly sensors: readonly SensorState[];
  readonly phase: Phase;
  /** Scripts that outlive their outage: one that stays in the foreground as the service, for instance. */
  readonly leftovers: readonly Running[];
  /** It was alive when sockmon was last heard of in this boot: being absent now means that it died in between. */
  readonly expected: boolean;
  /** Outages begun so far; the next one gets the number after it. */
  readonly outagesBegun: number;
  /** Deaths in a row, each soon after a recovery. */
  readonly soonDeaths: number;
  /** The latest deaths, in ms of CLOCK_BOOTTIME: as many as make a flapping one, no older than their time. */
  readonly deaths: readonly number[];
  readonly recoveredMs: number | null;
  /** It keeps dying; that has been told, its single deaths are not. */
  readonly flapping: boolean;
  /** The outage id that the monitor thread's reflex is armed for; null = disarmed. */
  readonly armed: string | null;
  /** When the wish to arm is to be looked at again; null = at the next event. */
  readonly reviewAtMs: number | null;
  /** The command that kills it on purpose, and when that was ordered. */
  readonly drill: { readonly command: string; readonly atMs: number } | null;
}

export type RebootLevel = 'command' | 'force' | 'kernel';

/** A reboot that has been ordered and has not come yet. */
export interface PendingReboot {
  readonly intent: string;
  readonly level: RebootLevel;
  /** When the next harder way is taken; null = nothing harder is left. */
  readonly nextAtMs: number | null;
  readonly command: string | null;
  /** Nobody at the machine has asked for it: a pause outranks it. */
  readonly yieldsToPause: boolean;
}

/** The resources are one table that is changed in place: of two states, only the newer one may be gone on from. */
export interface MachineState {
  readonly resources: Resources;
  readonly reboot: PendingReboot | null;
  /** When the next pause ends: that is news by itself. */
  readonly pauseEndsMs: number | null;
  /** How many changes of pauses the history had when the resources were looked at for them. */
  readonly pauseChanges: number;
  /** Degraded detection, now and of late. */
  readonly faults: readonly Fault[];
  /** How many commands have come from the broker of late. */
  readonly flood: Flood;
}

/** What `next` may look at besides state and input. */
export interface Outside {
  readonly now: Instant;
  readonly policy: Policy;
  readonly history: History;
}

/** The same for one resource, which may look at the others too. */
export interface Context extends Outside {
  readonly resources: ResourcesBefore;
}

export interface Step<S> {
  readonly state: S;
  readonly effects: readonly Effect[];
}

/** The outage that it is in: null while it lives, also while that is being verified. */
export function outageOf(phase: Phase): OpenOutage | null {
  return phase.name === 'verifying' ? null : phaseOutage(phase);
}

/** The outage that is being told, over or not. */
export function phaseOutage(phase: Phase): OpenOutage | null {
  return phase.name === 'absent' || phase.name === 'up' || phase.name === 'suspect' ? null : phase.outage;
}

/** The run that is waited for, beside what is back as well. */
export function atWork(phase: Phase): Running[] {
  if (phase.name === 'restarting') return [phase.running];
  return phase.name === 'verifying' && phase.run.kind === 'running' ? [phase.run.running] : [];
}

export function record(entry: JournalRecord): Effect {
  return { do: 'journal', record: entry };
}

/** Changes one resource of the machine. */
export function within(
  state: MachineState,
  id: string,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  const resource = state.resources.get(id);
  if (resource === undefined) return { state, effects: [] };
  const step = change(resource);
  state.resources.set(id, step.state);
  return { state, effects: step.effects };
}

/** Changes some, one after the other. */
export function withEach(
  state: MachineState,
  ids: Iterable<string>,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  const effects: Effect[] = [];
  for (const id of ids) effects.push(...within(state, id, change).effects);
  return { state, effects };
}
