/** The machine: all that happens is decided here, without I/O and clock. It uses up the state that it is given (core/resources.ts). */

import { downBelow, review } from './arming.js';
import { isBetterCause } from './cause.js';
import { onCommand, onDrillFailed } from './commands.js';
import { configure } from './configure.js';
import { faultsDueMs, onFault, tickFaults } from './detection.js';
import { learnFromEvidence, onEvidence } from './evidence.js';
import type { Effect, Input } from './input.js';
import { othersStartWithinMs, progressAfter } from './ladder.js';
import { isVeto } from './outage-history.js';
import { countDueMs, noFlood, takeCounts } from './rate-limit.js';
import { cancelReboot, escalate, noteReboot, onRebootFailed } from './reboot.js';
import type { RunResult } from './records.js';
import { afresh, attemptEnd, block, giveUp, retryHeld, scheduleNext, tryAttempt } from './recovery.js';
import { learnCause, onSensor, recover, suspectDied, waitedInVain } from './resource.js';
import { Resources } from './resources.js';
import { allUp, calm } from './sensing.js';
import {
  type Context,
  type MachineState,
  type OpenOutage,
  type Outside,
  outageOf,
  phaseOutage,
  type ResourceState,
  type Running,
  record,
  type Step,
  withEach,
  within,
} from './state.js';
import { onRunStarted } from './takeover.js';
import { verifyingOver } from './verifying.js';
import { phaseWake } from './wake.js';

type Restarting = Extract<ResourceState['phase'], { name: 'restarting' }>;

/** So long a killed script has to be gone. */
const immortalMs = 5000;
/** What was down for long is looked for once a second: what the script of its need has brought back is to be seen before its own runs. */
const lookAgainMs = 1000;

export function emptyState(): MachineState {
  return {
    resources: new Resources(),
    reboot: null,
    pauseEndsMs: null,
    pauseChanges: 0,
    faults: [],
    flood: noFlood,
  };
}

/**
 * What an input changes and what is to be done. After the records among the effects are in the history, `next` is to be called with
 * `review`, which brings in line what depends on them.
 */
export function next(state: MachineState, input: Input, outside: Outside): Step<MachineState> {
  const ctx: Context = { ...outside, resources: state.resources.before };
  try {
    return noteReboot(route(state, input, ctx), ctx);
  } finally {
    state.resources.endInput();
  }
}

function route(state: MachineState, input: Input, ctx: Context): Step<MachineState> {
  switch (input.kind) {
    case 'sensor':
      return within(state, input.resource, resource => onSensor(resource, input, ctx));
    case 'cause':
      return within(state, input.resource, resource => onCause(resource, input, ctx));
    case 'run_started':
      return withOwner(state, input.run, resource => onRunStarted(resource, input));
    case 'run_ended':
      return withOwner(state, input.run, resource => onRunEnded(resource, input, ctx));
    case 'fault':
      return onFault(state, input, ctx);
    case 'tick':
      return onTick(state, ctx);
    case 'command':
      return onCommand(state, input.command, ctx);
    case 'reboot_failed':
      return input.cancelled ? cancelReboot(state, input, ctx) : onRebootFailed(state, input, ctx);
    case 'evidence':
      return onFound(state, input, ctx);
    case 'drill_failed':
      return within(state, input.resource, resource => onDrillFailed(resource, input, ctx));
    case 'review':
      return onReview(state, ctx);
    case 'configure':
      return configure(state, ctx, input.earlier);
  }
}

function onFound(
  before: MachineState,
  input: Extract<Input, { kind: 'evidence' }>,
  ctx: Context,
): Step<MachineState> {
  const recorded = onEvidence(input, ctx);
  const { state, effects } = within(before, input.resource, resource => learnFromEvidence(resource, input));
  return { state, effects: [...recorded, ...effects] };
}

function withOwner(
  state: MachineState,
  run: string,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  return within(state, state.resources.ownerOf(run) ?? '', change);
}

/** What has been touched since the last one: by an input, by what it needs, by a pause, or by its time. */
function onReview(before: MachineState, ctx: Context): Step<MachineState> {
  const state = withPauses(before, ctx);
  const touched = state.resources.takeTouched(ctx.now.bootMs);
  const begun = withEach(state, touched, resource => {
    const going = unblock(resource, ctx);
    const { phase } = going.state;
    const isAtOnce = phase.name === 'settling' && phase.next.kind === 'attempt' && phase.next.atOnce;
    if (!isAtOnce) return going;
    const due = beginDue(going.state, ctx);
    return { state: due.state, effects: [...going.effects, ...due.effects] };
  });
  const reviewed = withEach(begun.state, touched, resource => review(resource, ctx));
  return { state: reviewed.state, effects: [...begun.effects, ...reviewed.effects] };
}

/** A pause that has begun, ended or been put off may be one of everything. */
function withPauses(state: MachineState, ctx: Context): MachineState {
  const pauseEndsMs = ctx.history.nextPauseEndMs(ctx.now);
  const { pauseChanges } = ctx.history;
  if (pauseEndsMs === state.pauseEndsMs && pauseChanges === state.pauseChanges) return state;
  state.resources.touchAll();
  return { ...state, pauseEndsMs, pauseChanges };
}

/** The earliest moment (ms of CLOCK_BOOTTIME) at which a tick would change something; null = none. */
export function nextWakeMs({ resources, reboot, pauseEndsMs, flood, faults }: MachineState): number | null {
  const moments = [
    resources.nextWakeMs(),
    reboot?.nextAtMs ?? null,
    pauseEndsMs,
    countDueMs(flood),
    faultsDueMs(faults),
  ].filter(at => at !== null);
  return moments.length === 0 ? null : Math.min(...moments);
}

/** What had to wait for something else may go on, with the whole of its time; what it waits for may have got an outage of its own. */
function unblock(resource: ResourceState, ctx: Context): Step<ResourceState> {
  const { phase, policy } = resource;
  const nowMs = ctx.now.bootMs;
  const settle = (outage: OpenOutage, inMs: number): Step<ResourceState> => {
    const soon = afresh(policy.steps, nowMs + inMs, outage.givenUp !== null ? 0 : outage.progress.step);
    const next = soon.kind === 'attempt' ? { ...soon, atOnce: inMs === 0 } : soon;
    return { state: { ...resource, phase: { name: 'settling', sinceMs: nowMs, outage, next } }, effects: [] };
  };
  if (phase.name === 'blocked') {
    const below = downBelow(policy, ctx);
    if (below === null)
      return settle({ ...phase.outage, progress: { step: 0, attempts: 0, beganMs: nowMs } }, lookAgainMs);
    return below.outage === null || below.outage === phase.outage.root
      ? { state: resource, effects: [] }
      : block(resource, phase.outage, below, ctx);
  }
  const isPauseOver =
    phase.name === 'held' &&
    phase.held.why === 'paused' &&
    ctx.history.pausedUntilMs(policy.id, ctx.now) === null;
  return isPauseOver ? settle(phase.outage, 0) : { state: resource, effects: [] };
}

/** The exit cause of a process whose death has been reported: an orphan is reaped when PID 1 finds the time, 2 s later in one measurement. */
function onCause(
  resource: ResourceState,
  input: Extract<Input, { kind: 'cause' }>,
  ctx: Context,
): Step<ResourceState> {
  const sensor = resource.sensors[input.sensor];
  if (sensor?.diedMs == null) return { state: resource, effects: [] };
  if (phaseOutage(resource.phase) !== null)
    return learnCause(resource, input.cause, sensor.name, sensor.diedMs);
  const last = ctx.history.latestOutage(resource.policy.id);
  if (last === undefined || last.begin.bootId !== ctx.now.bootId) return { state: resource, effects: [] };
  const known = { beganMs: last.begin.atMs, cause: last.cause };
  if (!isBetterCause(known, input.cause, sensor.diedMs)) return { state: resource, effects: [] };
  const { id } = resource.policy;
  const { cause } = input;
  const learned = record({ type: 'outage_cause', outage: last.id, resource: id, cause, sensor: sensor.name });
  return { state: resource, effects: [learned] };
}

/** What never went down while the script ran is back with its end. */
function afterRun(
  resource: ResourceState,
  outage: OpenOutage,
  atMs: number,
  ctx: Context,
): Step<ResourceState> {
  const settled = scheduleNext(resource, outage, atMs).state;
  const back = allUp(resource) && outage.risingMs === null;
  return back ? recover(settled, atMs, ctx) : { state: settled, effects: [] };
}

/** That it is alive comes next from its sensors. Should it be gone again by then, whoever has started it gets his time. */
function notNeeded(resource: ResourceState, outage: OpenOutage, atMs: number): Step<ResourceState> {
  const { state, effects } = scheduleNext(resource, outage, atMs);
  const { phase } = state;
  if (phase.name !== 'settling') return { state, effects };
  const next = { ...phase.next, atMs: Math.max(phase.next.atMs, atMs + othersStartWithinMs) };
  return { state: { ...state, phase: { ...phase, next } }, effects };
}

type RunEnded = Extract<Input, { kind: 'run_ended' }>;

function resultOf({ timedOut }: Running, { result }: RunEnded): RunResult {
  return timedOut ? { kind: 'timeout' } : result;
}

function afterResult(outage: OpenOutage, running: Running, ended: RunEnded): OpenOutage {
  const result = resultOf(running, ended);
  if (result.kind === 'not_needed') return { ...outage, ...running.before };
  const vetoed = outage.vetoed || isVeto(result);
  const progress = progressAfter(outage.progress, result);
  // A status that the kernel did not keep is no failure, which would be repeated soon.
  const lastResult = result.kind === 'unknown' ? null : result;
  return { ...outage, lastResult, lastRunEndMs: ended.atMs, vetoed, progress };
}

function onRunEnded(resource: ResourceState, input: RunEnded, ctx: Context): Step<ResourceState> {
  const { phase, policy } = resource;
  const end = (running: Running): Effect =>
    attemptEnd(policy.id, running, resultOf(running, input), input.output, input.atMs);
  if (phase.name === 'restarting' && phase.running.run === input.run) {
    const outage = afterResult(phase.outage, phase.running, input);
    const step =
      input.result.kind === 'not_needed'
        ? notNeeded(resource, outage, input.atMs)
        : afterRun(resource, outage, input.atMs, ctx);
    return { state: step.state, effects: [end(phase.running), ...step.effects] };
  }
  if (phase.name === 'verifying' && phase.run.kind === 'running' && phase.run.running.run === input.run) {
    const { running } = phase.run;
    const outage = afterResult(phase.outage, running, input);
    const run = { kind: 'over', endedMs: outage.lastRunEndMs ?? input.atMs } as const;
    const known = { ...phase, run, outage };
    return { state: { ...resource, phase: known }, effects: [end(running)] };
  }
  const leftover = resource.leftovers.find(running => running.run === input.run);
  if (leftover === undefined) return { state: resource, effects: [] };
  const leftovers = resource.leftovers.filter(running => running !== leftover);
  return { state: { ...resource, leftovers }, effects: [end(leftover)] };
}

/** Not even SIGKILL ends a script that the kernel holds (state D); the ladder does not wait for it. */
function abandon(
  resource: ResourceState,
  { running, outage }: Restarting,
  ctx: Context,
): Step<ResourceState> {
  const nowMs = ctx.now.bootMs;
  const result = { kind: 'timeout' } as const;
  const step = afterRun(resource, { ...outage, lastResult: result, lastRunEndMs: nowMs }, nowMs, ctx);
  return {
    state: step.state,
    effects: [attemptEnd(resource.policy.id, running, result, '', nowMs), ...step.effects],
  };
}

function onTick(before: MachineState, ctx: Context): Step<MachineState> {
  const harder = escalate(before, ctx);
  const due = harder.state.resources.due(ctx.now.bootMs);
  const calmed = withEach(harder.state, due, resource => calm(resource, ctx));
  const step = withEach(calmed.state, due, resource => onWake(resource, ctx));
  const tried = tickFaults(step.state, ctx);
  const { flood, records } = takeCounts(tried.state.flood, ctx.now.bootMs);
  const state = records.length === 0 ? tried.state : { ...tried.state, flood };
  const effects = [
    ...harder.effects,
    ...calmed.effects,
    ...step.effects,
    ...tried.effects,
    ...records.map(record),
  ];
  return { state, effects };
}

/** What its phase has waited for. */
function onWake(resource: ResourceState, ctx: Context): Step<ResourceState> {
  const wake = phaseWake(resource);
  const same = { state: resource, effects: [] };
  if (wake === null || ctx.now.bootMs < wake.atMs) return same;
  const { phase } = resource;
  switch (wake.why) {
    case 'risen':
      return recover(resource, outageOf(phase)?.risingMs ?? ctx.now.bootMs, ctx);
    case 'waited_in_vain':
      return waitedInVain(resource, ctx) ?? same;
    case 'suspect_died':
      return suspectDied(resource, ctx);
    case 'verified':
      return phase.name === 'verifying' ? verifyingOver(resource, phase, ctx) : same;
    case 'script_timed_out':
      return phase.name === 'restarting' ? endScript(resource, phase, ctx) : same;
    case 'script_immortal':
      return phase.name === 'restarting' ? abandon(resource, phase, ctx) : same;
    case 'attempt':
      return beginDue(resource, ctx);
    case 'give_up':
      return phase.name === 'settling' ? giveUp(resource, phase.outage, ctx) : same;
    case 'retry':
      return phase.name === 'held' ? retryHeld(resource, phase.outage, ctx) : same;
  }
}

/** The attempt whose time has come. */
function beginDue(resource: ResourceState, ctx: Context): Step<ResourceState> {
  const { phase } = resource;
  const wake = phaseWake(resource);
  const isDue = wake?.why === 'attempt' && wake.atMs <= ctx.now.bootMs;
  return isDue && phase.name === 'settling' && phase.next.kind === 'attempt'
    ? tryAttempt(resource, phase.outage, phase.next.step, ctx)
    : { state: resource, effects: [] };
}

function endScript(resource: ResourceState, phase: Restarting, ctx: Context): Step<ResourceState> {
  const { running } = phase;
  const deadlineMs = ctx.now.bootMs + running.graceMs + immortalMs;
  const ending = { ...running, deadlineMs, timedOut: true };
  return {
    state: { ...resource, phase: { ...phase, running: ending } },
    effects: [{ do: 'end_run', run: running.run }],
  };
}
