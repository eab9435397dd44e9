/**
 * Back, and not yet verified: every "restart" stops what lives before it starts it anew, and our own script may still do so. What dies
 * before that is over has not died of itself: the same outage goes on. Pure.
 */

import { runId } from './attempt.js';
import { flappingNotice, noteReopening } from './flapping.js';
import type { Effect, SensorInput } from './input.js';
import { type ResourcePolicy, sensorsWords } from './policy.js';
import type { Cause } from './records.js';
import { scheduleNext } from './recovery.js';
import { allUp, networkEffect } from './sensing.js';
import {
  type Context,
  type Dip,
  type LastRun,
  type OpenOutage,
  type Phase,
  type ResourceState,
  type Running,
  record,
  type Step,
} from './state.js';
import { borne, replacedWords } from './suspect.js';

export type Verifying = Extract<Phase, { name: 'verifying' }>;

/** The phase of what is back: to be verified where a script of ours has run in this boot. */
export function afterBack({ phase, sensors }: ResourceState, outage: OpenOutage, atMs: number): Phase {
  if (outage.lastAttemptMs === null) return { name: 'up', sinceMs: atMs };
  const isService = sensors.some(({ ownRun }) => ownRun);
  const run: LastRun =
    phase.name === 'restarting'
      ? { kind: 'running', running: phase.running, isService }
      : { kind: 'over', endedMs: outage.lastRunEndMs ?? atMs };
  // Its command has been answered.
  return {
    name: 'verifying',
    sinceMs: atMs,
    outage: { ...outage, command: null, risingMs: null },
    run,
    dip: null,
  };
}

/** What of it stands in the record of the end, for a sockmon that begins in the middle of it. */
export function verifyingFacts({ sensors, policy }: ResourceState, { lastAttemptMs }: OpenOutage) {
  if (lastAttemptMs === null) return {};
  const ownRun = sensors.some(sensor => sensor.ownRun);
  return { sensors: sensorsWords(policy), ...(ownRun && { ownRun }) };
}

/** When it is verified, if it lives until then. */
export function verifiedAtMs({ sinceMs, run, outage }: Verifying, settleMs: number): number {
  const aliveMs = sinceMs + settleMs;
  if (run.kind === 'over') return Math.max(aliveMs, run.endedMs + settleMs, outage.lostRunUntilMs ?? 0);
  // Who outlives its own time-out beside a living service is the service.
  return run.isService ? aliveMs : Math.max(aliveMs, run.running.deadlineMs ?? 0, outage.lostRunUntilMs ?? 0);
}

export function verifyingDueMs(phase: Verifying, policy: ResourcePolicy): number {
  return phase.dip?.untilMs ?? verifiedAtMs(phase, policy.settleMs);
}

/** What has become due: a dip has lasted too long, or nothing has happened for long enough. */
export function verifyingOver(state: ResourceState, phase: Verifying, ctx: Context): Step<ResourceState> {
  if (phase.dip !== null) return reopen(state, phase, phase.dip, ctx);
  return { state: verified(state, phase, verifiedAtMs(phase, state.policy.settleMs)), effects: [] };
}

/** It is alive and verified: the next death is one of its own. */
export function verified(state: ResourceState, phase: Verifying, atMs: number): ResourceState {
  const { run, sinceMs } = phase;
  const leftovers = withRun(state.leftovers, run);
  // Restored from the journal, and a sensor has never spoken.
  const isUnseen = state.sensors.some(sensor => sensor.state === 'absent');
  const next: Phase = isUnseen ? { name: 'absent', sinceMs: atMs } : { name: 'up', sinceMs };
  return { ...state, expected: isUnseen && state.expected, leftovers, phase: next };
}

/** What has been alive for long enough at a moment, whether a tick has come since or not. */
export function verifiedIfDue(state: ResourceState, atMs: number): ResourceState {
  const { phase, policy } = state;
  if (phase.name !== 'verifying' || phase.dip !== null) return state;
  const verifiedMs = verifiedAtMs(phase, policy.settleMs);
  return atMs < verifiedMs ? state : verified(state, phase, verifiedMs);
}

/** A sensor speaks while it is being verified. */
export function verifyingSensor(
  state: ResourceState,
  phase: Verifying,
  input: SensorInput,
  ctx: Context,
): Step<ResourceState> {
  const { sensors, policy } = state;
  if (input.state === 'up') {
    if (!allUp(state)) return { state, effects: [] };
    const step = afterDip(state, phase, input);
    return { state: step.state, effects: [...sighting(state, input.atMs, ctx), ...step.effects] };
  }
  const cause: Cause = input.cause ?? { kind: input.state === 'absent' ? 'unseen' : 'unknown' };
  const { ownMs, othersMs, by } = borne(policy, input);
  const graceMs = Math.max(ownMs, othersMs);
  const sensor = sensors[input.sensor]?.name ?? '';
  const dip: Dip = { sinceMs: input.atMs, untilMs: input.atMs + graceMs, cause, sensor, by };
  if (graceMs === 0) return reopen(state, phase, dip, ctx);
  return { state: { ...state, phase: { ...phase, dip: phase.dip ?? dip } }, effects: [] };
}

/** After a stop in order nothing is known to live: what this sockmon has seen does. */
function sighting({ policy }: ResourceState, atMs: number, ctx: Context): Effect[] {
  const sensors = sensorsWords(policy);
  const known = ctx.history.seen.get(policy.id);
  if (known?.bootId === ctx.now.bootId && known.sensors === sensors) return [];
  return [record({ type: 'seen', resource: policy.id, atMs, sensors })];
}

/** Replaced in time: a note, as it would be in a resource that is up. */
function afterDip(state: ResourceState, phase: Verifying, input: SensorInput): Step<ResourceState> {
  const { dip } = phase;
  if (dip === null) return { state, effects: [] };
  const { atMs } = input;
  const detail = replacedWords(dip, input);
  const notice = record({ type: 'notice', resource: state.policy.id, atMs, what: 'replaced', detail });
  return { state: { ...state, phase: { ...phase, sinceMs: atMs, dip: null } }, effects: [notice] };
}

/** Down again: the end is taken back, and no run begins before its turn. */
function reopen(
  before: ResourceState,
  phase: Verifying,
  { sinceMs: atMs, cause, sensor }: Dip,
  ctx: Context,
): Step<ResourceState> {
  const { policy } = before;
  const blame = blamed(phase, cause, atMs, policy.settleMs);
  const state = blame === null ? { ...before, ...noteReopening(before, atMs) } : before;
  const aliveMs = phase.outage.reopened?.aliveMs ?? 0;
  const outage: OpenOutage = {
    ...phase.outage,
    resumed: false,
    quiet: state.flapping,
    reopened: {
      atMs,
      isFirst: phase.outage.reopened === null,
      aliveMs: aliveMs + Math.max(0, atMs - phase.sinceMs),
    },
    blamedRun: blame?.run ?? phase.outage.blamedRun,
  };
  const reopened = record({
    type: 'outage_reopened',
    outage: outage.id,
    resource: policy.id,
    atMs,
    cause,
    sensor,
    backMs: phase.sinceMs,
    aliveMs: outage.reopened?.aliveMs ?? 0,
    ...blame,
    ...(outage.quiet && { quiet: true }),
  });
  const told = [reopened, ...flappingNotice(before, state, atMs), ...networkEffect(state.policy, 'lost')];
  const fallen = { ...state, expected: false };
  return { state: goOn(fallen, phase, outage, ctx), effects: told };
}

/** Where an outage that is open again goes on: with its reboot, if that is still to come, with its run, or with the ladder. */
function goOn(state: ResourceState, phase: Verifying, outage: OpenOutage, ctx: Context): ResourceState {
  const { pendingIntent: pending } = ctx.history;
  if (pending?.bootId === ctx.now.bootId && pending.outage === outage.id) {
    const { intent } = pending;
    const leftovers = withRun(state.leftovers, phase.run);
    return { ...state, leftovers, phase: { name: 'rebooting', sinceMs: ctx.now.bootMs, outage, intent } };
  }
  if (phase.run.kind === 'over') return scheduleNext(state, outage, ctx.now.bootMs).state;
  const { running } = phase.run;
  return { ...state, phase: { name: 'restarting', sinceMs: running.startedMs, outage, running } };
}

/** A run that goes on is not waited for any more. */
function withRun(leftovers: readonly Running[], run: LastRun): readonly Running[] {
  return run.kind === 'over' ? leftovers : [...leftovers, { ...run.running, deadlineMs: null }];
}

/** Signals by which a service is stopped in order; by others it has died of itself. */
const stopping = ['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGHUP', 'SIGQUIT'];

/**
 * The run of ours that may have stopped it: at work, or so lately that what it has left in the background may be, which nobody knows. Each
 * stops it once; a crash is nobody's order.
 */
function blamed(
  { run, outage }: Verifying,
  cause: Cause,
  atMs: number,
  settleMs: number,
): { run: string; inDoubt?: true } | null {
  const isCrash = cause.kind === 'signal' && (cause.coreDumped || !stopping.includes(cause.signal));
  const isAtWork = run.kind === 'running' && !run.isService;
  const isRecent = run.kind === 'over' && atMs < run.endedMs + settleMs;
  const isLost = atMs < (outage.lostRunUntilMs ?? 0);
  const id = runId(outage.id, outage.attempts);
  if (isCrash || id === outage.blamedRun || !(isAtWork || isRecent || isLost)) return null;
  return isAtWork ? { run: id } : { run: id, inDoubt: true };
}
