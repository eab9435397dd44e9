/** One resource: what a fact about it changes. Pure; `machine.ts` routes the inputs here. */

import { downBelow, verifiedBelow } from './arming.js';
import { outageId } from './attempt.js';
import { isBetterCause, isKernelLock, kernelLockAfter } from './cause.js';
import { collectFor, noteAlive } from './evidence.js';
import { flappingNotice, noteDeath } from './flapping.js';
import type { Effect, SensorInput } from './input.js';
import { soonDeathDelayMs } from './ladder.js';
import { besideTraffic, isCutOff } from './loopback.js';
import { beginRecord, endRecord, newOutage, outageAnswer } from './outage.js';
import { everyMs, sensorsWords } from './policy.js';
import type { Cause } from './records.js';
import { beginAttempt, enterHeld, giveUp, retryHeld, scheduleNext, servedBy } from './recovery.js';
import {
  aliveWords,
  allUp,
  carrierFact,
  changed,
  handedOver,
  networkEffect,
  notices,
  waitingFor,
  wholeAfterCarrierMs,
} from './sensing.js';
import {
  type Context,
  type OpenOutage,
  outageOf,
  type Phase,
  phaseOutage,
  type ResourceState,
  record,
  type SensorState,
  type Step,
} from './state.js';
import { backInTime, drillAt, stopped, suspicion } from './suspect.js';
import { afterBack, verified, verifiedIfDue, verifyingFacts, verifyingSensor } from './verifying.js';
import { causeWords, durationWords, resultWords } from './words.js';

export function onSensor(before: ResourceState, seen: SensorInput, ctx: Context): Step<ResourceState> {
  const old = before.sensors[seen.sensor];
  if (old === undefined) return { state: before, effects: [] };
  // What a service has of the network it still has; its restart would hang as well, and nobody reboots for it.
  if (isKernelLock(seen.cause) && before.policy.role !== 'network') return { state: before, effects: [] };
  const now: SensorState = {
    name: old.name,
    state: seen.state,
    detail: seen.detail,
    carrier: seen.carrier,
    repeats: old.repeats,
    interface: seen.interface ?? old.interface,
    interfaceIndex: seen.interfaceIndex ?? old.interfaceIndex,
    standby: seen.standby ?? old.standby,
    families: seen.families ?? old.families,
    ownRun: seen.state === 'up' && seen.ownRun,
    servedBy: seen.servedBy ?? null,
    diedMs: seen.state === 'down' ? seen.atMs : old.diedMs,
    waiting: waitingFor(old, seen),
  };
  const { sensor, effects } = notices(before, old, now, seen.atMs);
  const state = { ...before, sensors: before.sensors.with(seen.sensor, sensor) };
  const input = { ...seen, cause: besideTraffic(seen.cause, state, ctx.resources) };
  const told = [...effects, ...handedOver(before, old, input), ...changed(state, old, sensor)];
  const step = judge(state, sensor, input, old.state === 'up', ctx);
  return { state: step.state, effects: [...told, ...step.effects] };
}

function judge(
  before: ResourceState,
  sensor: SensorState,
  input: SensorInput,
  wasUp: boolean,
  ctx: Context,
): Step<ResourceState> {
  const state = verifiedIfDue(before, input.atMs);
  const { phase } = state;
  if (phase.name === 'verifying' && !isStop(input)) return verifyingSensor(state, phase, input, ctx);
  if (input.state === 'up') {
    // Of a restart that was asked for, nothing has gone down yet: its script is still to do it. Or that has not been seen by this sockmon.
    const isNoNews =
      phase.name === 'restarting' &&
      phase.outage.cause.kind === 'commanded' &&
      (wasUp || phase.outage.resumed);
    return allUp(state) && !isNoNews ? rise(state, input, ctx) : { state, effects: [] };
  }
  if (isStop(input) && isAlive(state)) return takenDown(state, input);
  const open = outageOf(state.phase);
  if (open !== null) {
    const outage = { ...open, resumed: false, risingMs: null };
    const seenDown = withOutage(state, outage);
    // What went on serving was the only reason not to ask for the last resort.
    const isLeft = phase.name === 'held' && phase.held.why === 'degraded' && servedBy(seenDown) === null;
    if (isLeft) return giveUp(seenDown, outage, ctx);
    if (isCutOff(seenDown, input, ctx)) return retryHeld(seenDown, outage, ctx);
    return input.cause === null
      ? { state: seenDown, effects: [] }
      : learnCause(seenDown, input.cause, sensor.name, input.atMs);
  }
  if (input.state === 'down') return fall(state, sensor, input, ctx);
  return state.expected
    ? die(state, { cause: { kind: 'unseen' }, sensor: sensor.name, atMs: input.atMs, reflex: null }, ctx)
    : { state, effects: [] };
}

interface Death {
  readonly cause: Cause;
  readonly sensor: string;
  readonly atMs: number;
  /** The run that the monitor thread has started. */
  readonly reflex: string | null;
}

/** Somebody took it down on purpose. */
function isStop({ state, cause }: SensorInput): boolean {
  return state === 'absent' && cause !== null;
}

function isAlive({ phase }: ResourceState): boolean {
  return phase.name === 'up' || phase.name === 'suspect' || phase.name === 'verifying';
}

/** Taken down on purpose, wherever it stands. */
function takenDown(state: ResourceState, input: SensorInput): Step<ResourceState> {
  const { phase } = state;
  return stopped(phase.name === 'verifying' ? verified(state, phase, input.atMs) : state, input);
}

/**
 * Dead at once, or only after a grace, by the nature of the loss or for somebody else who brings it back: a reload, an upgrade or a renewed
 * lease replaces what it takes away, and that is no outage.
 */
function fall(
  state: ResourceState,
  sensor: SensorState,
  input: SensorInput,
  ctx: Context,
): Step<ResourceState> {
  const { phase } = state;
  const cause = input.cause ?? { kind: 'unknown' };
  const suspect = suspicion(state, { cause, sensor: sensor.name }, input);
  const isSuspect = phase.name === 'suspect';
  if (!isSuspect && suspect.untilMs === input.atMs)
    return die(state, { cause, sensor: sensor.name, atMs: input.atMs, reflex: input.reflex }, ctx);
  const suspected = { ...state, phase: suspect };
  const isDue = isSuspect && suspect.untilMs <= ctx.now.bootMs;
  return isDue ? suspectDied(suspected, ctx, input.reflex) : { state: suspected, effects: [] };
}

/** Every sensor is up; the resource counts as back when they have been for `riseMs`. */
function rise(state: ResourceState, input: SensorInput, ctx: Context): Step<ResourceState> {
  const { phase, policy } = state;
  const { atMs } = input;
  if (phase.name === 'suspect') return backInTime(state, phase, input, ctx);
  const outage = outageOf(phase);
  if (policy.riseMs === 0 || outage === null) return recover(state, atMs, ctx);
  return { state: withOutage(state, { ...outage, risingMs: outage.risingMs ?? atMs }), effects: [] };
}

/** A suspect has had its time. */
export function suspectDied(
  state: ResourceState,
  ctx: Context,
  reflex: string | null = null,
): Step<ResourceState> {
  const { phase } = state;
  if (phase.name !== 'suspect') return { state, effects: [] };
  return die(state, { cause: phase.cause, sensor: phase.sensor, atMs: phase.sinceMs, reflex }, ctx);
}

/** A link whose carrier is back has waited in vain for its address or route. */
export function waitedInVain(state: ResourceState, ctx: Context): Step<ResourceState> | null {
  const sensor = state.sensors.find(
    ({ waiting }) => waiting !== null && ctx.now.bootMs >= waiting.sinceMs + wholeAfterCarrierMs,
  );
  if (sensor?.waiting == null) return null;
  const sensors = state.sensors.map(one =>
    one === sensor ? { ...one, state: 'down' as const, waiting: null } : one,
  );
  const death: Death = { cause: sensor.waiting.for, sensor: sensor.name, atMs: ctx.now.bootMs, reflex: null };
  return die({ ...state, sensors }, death, ctx);
}

/** The resource is dead: an outage begins, and with it the first attempt, unless the monitor thread has made it already. */
function die(before: ResourceState, death: Death, ctx: Context): Step<ResourceState> {
  const { policy } = before;
  const { sensor, atMs, reflex } = death;
  // Once more: it may have been borne for some seconds, and the network has died meanwhile.
  const cause = besideTraffic(death.cause, before, ctx.resources);
  const number = before.outagesBegun + 1;
  const drill = drillAt(before, atMs);
  const id =
    reflex === null ? outageId(ctx.now.bootId, policy.id, number) : reflex.slice(0, reflex.lastIndexOf('#'));
  const outage: OpenOutage = {
    ...newOutage(id, atMs, cause, sensor),
    root: downBelow(policy, ctx)?.outage ?? verifiedBelow(policy, ctx),
    quiet: before.flapping,
    drill: drill !== null,
    command: drill?.command ?? null,
  };
  const state: ResourceState = {
    ...before,
    ...noteDeath(before, atMs, drill !== null),
    outagesBegun: number,
    expected: false,
    drill: null,
    armed: reflex === null ? before.armed : null,
  };
  const step = firstStep(state, outage, reflex, ctx);
  const told = [
    beginRecord(policy, outage),
    ...flappingNotice(before, state, atMs),
    ...networkEffect(policy, 'lost'),
  ];
  const last = collectFor(policy.id, outage, 'before');
  return { state: step.state, effects: [...told, ...step.effects, ...last] };
}

function firstStep(
  state: ResourceState,
  outage: OpenOutage,
  reflex: string | null,
  ctx: Context,
): Step<ResourceState> {
  const { steps, rebootWhenFailed } = state.policy;
  if (steps.length === 0 && !rebootWhenFailed) {
    return enterHeld(state, outage, { why: 'no_script' }, ctx);
  }
  if (steps.length === 0) return scheduleNext(state, outage, outage.beganMs);
  if (reflex !== null) return beginAttempt(state, outage, 'reflex', outage.beganMs);
  const delayMs = soonDeathDelayMs(state.soonDeaths, everyMs(state.policy));
  // Never here and now: what came at once with this death may say that it is back, or that what it needs is dead too.
  const next = { kind: 'attempt', atMs: ctx.now.bootMs + delayMs, step: 0, atOnce: delayMs === 0 } as const;
  return {
    state: { ...state, phase: { name: 'settling', sinceMs: outage.beganMs, outage, next } },
    effects: [],
  };
}

/** The resource is back: the outage, if there is one, is over. */
export function recover(state: ResourceState, atMs: number, ctx: Context): Step<ResourceState> {
  const { phase, policy } = state;
  if (phase.name === 'up' || phase.name === 'verifying') return { state, effects: [] };
  const alive = aliveWords(state);
  const outage = outageOf(phase);
  const up: ResourceState = {
    ...state,
    expected: false,
    phase: { name: 'up', sinceMs: atMs },
  };
  const detail = alive === '' ? {} : { detail: alive };
  const carrier = carrierFact(state);
  const sensors = sensorsWords(policy);
  const seen = record({ type: 'seen', resource: policy.id, atMs, ...detail, sensors, ...carrier });
  if (outage === null) return { state: up, effects: [seen, noteAlive(policy.id)] };
  const recovered = { ...up, recoveredMs: atMs, phase: afterBack(state, outage, atMs) };
  // What was heard since a command to restart may have been heard before the restart: it proves no connection alive.
  const network = outage.cause.kind === 'commanded' ? networkEffect(policy, 'lost') : [];
  network.push(...networkEffect(policy, 'back'));
  const facts = { ...carrier, ...verifyingFacts(state, outage) };
  const effects: Effect[] = [endRecord(policy.id, outage, atMs, ctx, facts), ...network];
  const sighting = ctx.history.seen.get(policy.id);
  // That of before belongs to another boot or to other sensors, or was forgotten at a stop.
  if (sighting?.bootId !== ctx.now.bootId || sighting.sensors !== sensors) effects.push(seen);
  const picture = outage.reopened === null ? collectFor(policy.id, outage, 'after') : [noteAlive(policy.id)];
  effects.push(...doneAnswer(policy.id, outage, atMs, ctx), ...picture);
  return { state: recovered, effects };
}

function doneAnswer(resource: string, outage: OpenOutage, atMs: number, ctx: Context): Effect[] {
  const took = durationWords(Math.max(0, atMs - outage.beganMs));
  const { lastResult } = outage;
  const hasFailed = lastResult !== null && !(lastResult.kind === 'exit' && lastResult.code === 0);
  // It never went down, so nothing but the script can tell whether it was restarted.
  if (outage.cause.kind === 'commanded' && hasFailed)
    return outageAnswer(outage, 'failed', `the script ${resultWords(lastResult)}; ${resource} is up`, ctx);
  const detail = outage.drill
    ? `${resource} was killed and is back after ${took}`
    : `${resource} has been restarted within ${took}`;
  return outageAnswer(outage, 'done', detail, ctx);
}

/** A second sensor saw the same death, or the kernel told more about it. */
export function learnCause(
  state: ResourceState,
  cause: Cause,
  sensor: string,
  diedMs: number,
): Step<ResourceState> {
  const outage = phaseOutage(state.phase);
  if (outage === null || !isBetterCause(outage, cause, diedMs)) return { state, effects: [] };
  // Of its end after it had been back: that is told with the reopening.
  if (outage.reopened !== null && diedMs >= outage.reopened.atMs) return { state, effects: [] };
  const { id } = state.policy;
  const learned = isKernelLock(cause) ? kernelLockAfter(causeWords(outage.cause)) : cause;
  const known = { ...outage, cause: learned, sensor };
  const told = record({ type: 'outage_cause', outage: outage.id, resource: id, cause: learned, sensor });
  const held = isKernelLock(cause) ? collectFor(id, known, 'before') : [];
  return { state: withOutage(state, known), effects: [told, ...held] };
}

/** A commanded restart: an outage that begins with its attempt; the reflex must not answer what the script itself does. */
export function restartByCommand(state: ResourceState, command: string, ctx: Context): Step<ResourceState> {
  const { policy } = state;
  if (state.phase.name === 'suspect') {
    const died = suspectDied(state, ctx);
    const step = restartByCommand(died.state, command, ctx);
    return { state: step.state, effects: [...died.effects, ...step.effects] };
  }
  const { phase } = state;
  if (phase.name === 'verifying')
    return restartByCommand(verified(state, phase, ctx.now.bootMs), command, ctx);
  const open = outageOf(phase);
  if (open !== null) {
    const step = beginAttempt(state, { ...open, command }, 'command', ctx.now.bootMs);
    // Of the command before: the new one will be told what becomes of it.
    const detail = `${policy.id} did not come back before the next command to restart it`;
    return { state: step.state, effects: [...outageAnswer(open, 'failed', detail, ctx), ...step.effects] };
  }
  const number = state.outagesBegun + 1;
  const id = outageId(ctx.now.bootId, policy.id, number);
  const outage = { ...newOutage(id, ctx.now.bootMs, { kind: 'commanded' }, 'command'), command };
  const step = beginAttempt({ ...state, outagesBegun: number }, outage, 'command', ctx.now.bootMs);
  const told = [beginRecord(policy, outage), ...networkEffect(policy, 'lost')];
  return { state: step.state, effects: [...told, ...step.effects] };
}

function withOutage(state: ResourceState, outage: OpenOutage): ResourceState {
  return phaseOutage(state.phase) === null ? state : { ...state, phase: { ...state.phase, outage } as Phase };
}
