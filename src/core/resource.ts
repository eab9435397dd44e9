/** One resource: what a fact about it changes. Pure; `machine.ts` routes the inputs here. */
import { laterAnswer, outageAnswer } from './answer.js';
import { isBetterCause } from './cause.js';
import { collectFor, noteAlive } from './evidence.js';
import {
  aliveWords,
  allUp,
  carrierFact,
  changed,
  notices,
  waitingFor,
  wholeAfterCarrierMs,
} from './facts.js';
import { flappingNotice, noteDeath } from './flapping.js';
import { downBelow } from './hindrance.js';
import { relapseDelayMs } from './ladder.js';
import type { Cause } from './model.js';
import { beginRecord, endRecord, newOutage } from './outage.js';
import { everyMs, roleOf, sensorsWords } from './policy.js';
import { beginAttempt, enterHeld, scheduleNext } from './recovery.js';
import { outageId } from './run.js';
import { causeWords, durationWords, resultWords } from './sentence.js';
import {
  type Context,
  type Effect,
  type OpenOutage,
  outageOf,
  type Phase,
  type ResourceState,
  record,
  type SensorInput,
  type SensorState,
  type Step,
} from './state.js';

/** A death later than this after the order to kill is not the drill's. */
const drillMs = 10_000;

export function onSensor(before: ResourceState, input: SensorInput, ctx: Context): Step<ResourceState> {
  const old = before.sensors[input.sensor];
  if (old === undefined) return { state: before, effects: [] };
  const now: SensorState = {
    name: old.name,
    state: input.state,
    detail: input.detail,
    carrier: input.carrier,
    twitches: old.twitches,
    interface: input.interface ?? old.interface,
    diedMs: input.state === 'down' ? input.atMs : old.diedMs,
    waiting: waitingFor(old, input),
  };
  const { sensor, effects } = notices(before, old, now, input);
  const state = { ...before, sensors: before.sensors.with(input.sensor, sensor) };
  const told = [...effects, ...changed(state, old, sensor)];
  const step = judge(state, sensor, input, old.state === 'up', ctx);
  return { state: step.state, effects: [...told, ...step.effects] };
}

function judge(
  state: ResourceState,
  sensor: SensorState,
  input: SensorInput,
  wasUp: boolean,
  ctx: Context,
): Step<ResourceState> {
  if (input.state === 'up') {
    const { phase } = state;
    // Of a restart that was asked for, nothing has gone down yet: its script is still to do it.
    const isNoNews = wasUp && phase.name === 'restarting' && phase.outage.cause.kind === 'commanded';
    return allUp(state) && !isNoNews ? rise(state, input.atMs, ctx) : { state, effects: [] };
  }
  const fallen = { ...state, risingMs: null };
  const outage = outageOf(state.phase);
  if (outage !== null) {
    const seenDown = withOutage(fallen, { ...outage, resumed: false });
    return input.cause === null
      ? { state: seenDown, effects: [] }
      : learnCause(seenDown, input.cause, sensor.name, input.atMs);
  }
  if (input.state === 'down') return fall(fallen, sensor, input, ctx);
  return state.expected
    ? die(fallen, { cause: { kind: 'unseen' }, sensor: sensor.name, atMs: input.atMs, reflex: null }, ctx)
    : { state, effects: [] };
}

interface Death {
  readonly cause: Cause;
  readonly sensor: string;
  readonly atMs: number;
  /** The run that the monitor thread has started. */
  readonly reflex: string | null;
}

/** Dead at once, or only after `fallMs`: a reload or an upgrade replaces a process, and that is no outage. */
function fall(
  state: ResourceState,
  sensor: SensorState,
  input: SensorInput,
  ctx: Context,
): Step<ResourceState> {
  const { phase, policy } = state;
  const cause = input.cause ?? { kind: 'unknown' };
  if (policy.fallMs === 0)
    return die(state, { cause, sensor: sensor.name, atMs: input.atMs, reflex: input.reflex }, ctx);
  if (phase.name === 'suspect') {
    const known = { beganMs: phase.sinceMs, cause: phase.cause };
    const better = isBetterCause(known, cause, input.atMs);
    return {
      state: better ? { ...state, phase: { ...phase, cause, sensor: sensor.name } } : state,
      effects: [],
    };
  }
  const untilMs = input.atMs + policy.fallMs;
  const suspect: Phase = { name: 'suspect', sinceMs: input.atMs, untilMs, cause, sensor: sensor.name };
  return { state: { ...state, phase: suspect }, effects: [] };
}

/** Every sensor is up; the resource counts as back when they have been for `riseMs`. */
function rise(state: ResourceState, atMs: number, ctx: Context): Step<ResourceState> {
  const { phase, policy } = state;
  if (phase.name === 'suspect') {
    const away = durationWords(Math.max(0, atMs - phase.sinceMs));
    const detail = `it was replaced within ${away}: ${causeWords(phase.cause)}`;
    const notice = record({ type: 'notice', resource: policy.id, atMs, what: 'replaced', detail });
    const drill = drillAt(state, phase.sinceMs);
    const done =
      drill === null
        ? []
        : [laterAnswer(drill.command, 'drill', 'done', `${policy.id} was killed; ${detail}`, ctx)];
    return {
      state: { ...state, phase: { name: 'up', sinceMs: atMs }, drill: null },
      effects: [notice, ...done],
    };
  }
  if (policy.riseMs === 0 || outageOf(phase) === null) return recover(state, atMs, ctx);
  return { state: { ...state, risingMs: state.risingMs ?? atMs }, effects: [] };
}

function drillAt({ drill }: ResourceState, diedMs: number): ResourceState['drill'] {
  return drill !== null && diedMs - drill.atMs <= drillMs ? drill : null;
}

/** A suspect has had its time. */
export function suspectDied(state: ResourceState, ctx: Context): Step<ResourceState> {
  const { phase } = state;
  if (phase.name !== 'suspect') return { state, effects: [] };
  return die(state, { cause: phase.cause, sensor: phase.sensor, atMs: phase.sinceMs, reflex: null }, ctx);
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
  const { cause, sensor, atMs, reflex } = death;
  const number = before.outagesBegun + 1;
  const drill = drillAt(before, atMs);
  const id =
    reflex === null ? outageId(ctx.now.bootId, policy.id, number) : reflex.slice(0, reflex.lastIndexOf('#'));
  const outage: OpenOutage = {
    ...newOutage(id, atMs, cause, sensor),
    root: downBelow(policy, ctx)?.outage ?? null,
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
    beginRecord(policy.id, outage),
    ...flappingNotice(before, state, atMs),
    ...networkEffect(state, 'lost'),
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
    return enterHeld(
      state,
      outage,
      { why: 'no_script', reason: 'it has no restart script; sockmon only watches it' },
      ctx,
    );
  }
  if (steps.length === 0) return scheduleNext(state, outage, outage.beganMs);
  if (reflex !== null) return beginAttempt(state, outage, 'reflex', outage.beganMs);
  const delayMs = relapseDelayMs(state.relapses, everyMs(state.policy));
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
  if (phase.name === 'up') return { state, effects: [] };
  const alive = aliveWords(state);
  const outage = outageOf(phase);
  const up: ResourceState = {
    ...state,
    expected: false,
    risingMs: null,
    phase: { name: 'up', sinceMs: atMs },
  };
  const detail = alive === '' ? {} : { detail: alive };
  const carrier = carrierFact(state);
  const sensors = sensorsWords(policy);
  const seen = record({ type: 'seen', resource: policy.id, atMs, ...detail, sensors, ...carrier });
  if (outage === null) return { state: up, effects: [seen, noteAlive(policy.id)] };
  const leftover = phase.name === 'restarting' ? [{ ...phase.running, deadlineMs: null }] : [];
  const recovered = { ...up, recoveredMs: atMs, leftovers: [...state.leftovers, ...leftover] };
  // What was heard since a command to restart may have been heard before the restart: it proves no connection alive.
  const network = outage.cause.kind === 'commanded' ? networkEffect(state, 'lost') : [];
  network.push(...networkEffect(state, 'back'));
  const effects: Effect[] = [endRecord(policy.id, outage, atMs, ctx, carrier), ...network];
  const sighting = ctx.history.seen.get(policy.id);
  // That of before belongs to another boot or to other sensors, or was forgotten at a stop.
  if (sighting?.bootId !== ctx.now.bootId || sighting.sensors !== sensors) effects.push(seen);
  effects.push(...doneAnswer(policy.id, outage, atMs, ctx), ...collectFor(policy.id, outage, 'after'));
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
  const outage = outageOf(state.phase);
  if (outage === null || !isBetterCause(outage, cause, diedMs)) return { state, effects: [] };
  return {
    state: withOutage(state, { ...outage, cause, sensor }),
    effects: [record({ type: 'outage_cause', outage: outage.id, resource: state.policy.id, cause, sensor })],
  };
}

/** A commanded restart: an outage that begins with its attempt; the reflex must not answer what the script itself does. */
export function restartByCommand(state: ResourceState, command: string, ctx: Context): Step<ResourceState> {
  const { policy } = state;
  if (state.phase.name === 'suspect') {
    const died = suspectDied(state, ctx);
    const step = restartByCommand(died.state, command, ctx);
    return { state: step.state, effects: [...died.effects, ...step.effects] };
  }
  const open = outageOf(state.phase);
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
  const told = [beginRecord(policy.id, outage), ...networkEffect(state, 'lost')];
  return { state: step.state, effects: [...told, ...step.effects] };
}

function networkEffect(state: ResourceState, now: 'lost' | 'back'): Effect[] {
  return roleOf(state.policy) === 'stack' ? [{ do: 'network', state: now }] : [];
}

function withOutage(state: ResourceState, outage: OpenOutage): ResourceState {
  return outageOf(state.phase) === null ? state : { ...state, phase: { ...state.phase, outage } as Phase };
}
