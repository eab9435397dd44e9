/** One resource: what a fact about it changes. Pure; `machine.ts` routes the inputs here. */

import { isBetterCause } from './cause.js';
import { wallMsAt } from './clock.js';
import { aliveWords, allUp, notices, waitingFor, wholeAfterCarrierMs } from './facts.js';
import { relapseDelayMs } from './ladder.js';
import type { Cause } from './model.js';
import { type ResourcePolicy, roleOf } from './policy.js';
import { beginAttempt, enterHeld, giveUpWithoutScriptMs } from './recovery.js';
import { attemptRun, outageId } from './run.js';
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

export function onSensor(before: ResourceState, input: SensorInput, ctx: Context): Step<ResourceState> {
  const old = before.sensors[input.sensor];
  if (old === undefined) return { state: before, effects: [] };
  const sensor: SensorState = {
    name: old.name,
    state: input.state,
    detail: input.detail,
    carrier: input.carrier,
    interface: input.interface ?? old.interface,
    diedMs: input.state === 'down' ? input.atMs : old.diedMs,
    waiting: waitingFor(old, input),
  };
  const state = { ...before, sensors: before.sensors.with(input.sensor, sensor) };
  const told = notices(state, old, sensor, input.atMs);
  const step = judge(state, sensor, input, ctx);
  return { state: step.state, effects: [...told, ...step.effects] };
}

function judge(
  state: ResourceState,
  sensor: SensorState,
  input: SensorInput,
  ctx: Context,
): Step<ResourceState> {
  if (input.state === 'up') return allUp(state) ? recover(state, input.atMs, ctx) : { state, effects: [] };
  const outage = outageOf(state.phase);
  if (outage !== null) {
    const seenDown = withOutage(state, { ...outage, resumed: false });
    return input.cause === null
      ? { state: seenDown, effects: [] }
      : learnCause(seenDown, input.cause, sensor.name, input.atMs);
  }
  if (input.state === 'down') {
    return die(state, input.cause ?? { kind: 'unknown' }, sensor.name, input.atMs, input.reflex, ctx);
  }
  return state.expected
    ? die(state, { kind: 'unseen' }, sensor.name, input.atMs, null, ctx)
    : { state, effects: [] };
}

function newOutage(
  id: string,
  beganMs: number,
  cause: Cause,
  sensor: string,
  command: string | null,
): OpenOutage {
  return {
    id,
    beganMs,
    cause,
    sensor,
    attempts: 0,
    lastAttemptMs: null,
    lastResult: null,
    climb: { step: 0, attempts: 0, beganMs },
    vetoed: false,
    resumed: false,
    timeUncertain: cause.kind === 'unseen',
    failed: false,
    refusal: null,
    command,
  };
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
  const step = die({ ...state, sensors }, sensor.waiting.for, sensor.name, ctx.now.bootMs, null, ctx);
  // The monitor thread has not seen this death, so its reflex is still armed.
  return {
    state: step.state,
    effects: [{ do: 'arm', resource: state.policy.id, run: null }, ...step.effects],
  };
}

/** The resource is dead: an outage begins, and with it the first attempt, unless the monitor thread has made it already. */
function die(
  state: ResourceState,
  cause: Cause,
  sensor: string,
  atMs: number,
  reflex: string | null,
  ctx: Context,
): Step<ResourceState> {
  const { policy } = state;
  const soon = state.recoveredMs !== null && atMs - state.recoveredMs < everyMs(policy);
  const relapses = soon ? state.relapses + 1 : 0;
  const number = state.outagesBegun + 1;
  const outage = newOutage(
    reflex === null ? outageId(ctx.now.bootId, policy.id, number) : reflex.slice(0, reflex.lastIndexOf('#')),
    atMs,
    cause,
    sensor,
    null,
  );
  const begun = { ...state, outagesBegun: number, relapses, expected: false };
  const begin = record({ type: 'outage_begin', outage: outage.id, resource: policy.id, atMs, cause, sensor });
  const step = firstStep(begun, outage, reflex, ctx);
  return { state: step.state, effects: [begin, ...networkEffect(state, 'lost'), ...step.effects] };
}

function firstStep(
  state: ResourceState,
  outage: OpenOutage,
  reflex: string | null,
  ctx: Context,
): Step<ResourceState> {
  const { steps, rebootWhenFailed } = state.policy;
  if (steps.length === 0) {
    if (!rebootWhenFailed)
      return enterHeld(state, outage, 'it has no restart script; sockmon only watches it', null, ctx);
    const next = { kind: 'give_up', atMs: outage.beganMs + giveUpWithoutScriptMs } as const;
    return {
      state: { ...state, phase: { name: 'settling', sinceMs: outage.beganMs, outage, next } },
      effects: [],
    };
  }
  if (reflex !== null) return beginAttempt(state, outage, 'reflex', outage.beganMs);
  const delayMs = relapseDelayMs(state.relapses, everyMs(state.policy));
  if (delayMs === 0) return beginAttempt(state, outage, 'ladder', ctx.now.bootMs);
  const next = { kind: 'attempt', atMs: ctx.now.bootMs + delayMs, step: 0 } as const;
  return {
    state: { ...state, phase: { name: 'settling', sinceMs: outage.beganMs, outage, next } },
    effects: [],
  };
}

/** Every sensor is up: the outage, if there is one, is over; the reflex is armed for the next. */
export function recover(state: ResourceState, atMs: number, ctx: Context): Step<ResourceState> {
  const { phase, policy } = state;
  if (phase.name === 'up') return { state, effects: [] };
  const alive = aliveWords(state);
  const outage = outageOf(phase);
  if (outage === null) {
    const seen = record({ type: 'seen', resource: policy.id, atMs, ...(alive && { detail: alive }) });
    const up: ResourceState = {
      ...state,
      expected: false,
      phase: { name: 'up', sinceMs: atMs, armAtMs: null },
    };
    return { state: up, effects: state.expected ? [seen, ...armEffect(up, ctx)] : [seen] };
  }
  const wait = relapseDelayMs(state.relapses + 1, everyMs(policy)) > 0;
  const up: ResourceState = {
    ...state,
    expected: false,
    recoveredMs: atMs,
    leftovers:
      phase.name === 'restarting'
        ? [...state.leftovers, { ...phase.running, deadlineMs: null }]
        : state.leftovers,
    phase: { name: 'up', sinceMs: atMs, armAtMs: wait ? atMs + everyMs(policy) : null },
  };
  const effects: Effect[] = [endRecord(policy.id, outage, atMs, ctx), ...networkEffect(state, 'back')];
  if (outage.command !== null)
    effects.push(answerEffect(outage.command, 'done', `${policy.id} has been restarted`, ctx));
  return { state: up, effects: wait ? effects : [...effects, ...armEffect(up, ctx)] };
}

export function endRecord(
  resource: string,
  outage: OpenOutage,
  atMs: number,
  ctx: Context,
  forgotten = false,
): Effect {
  return record({
    type: 'outage_end',
    outage: outage.id,
    resource,
    atMs,
    outcome: forgotten ? 'forgotten' : 'recovered',
    beganWallMs: wallMsAt(outage.beganMs, ctx.now),
    endedWallMs: wallMsAt(atMs, ctx.now),
    durationMs: Math.max(0, atMs - outage.beganMs),
    timeUncertain: outage.timeUncertain || outage.resumed,
    attempts: outage.attempts,
    cause: outage.cause,
  });
}

/** Arms the next reflex, with the id that the next outage will bear. */
export function armEffect(state: ResourceState, ctx: Context): Effect[] {
  const { policy } = state;
  const first = policy.steps[0];
  if (first === undefined) return [];
  const outage = outageId(ctx.now.bootId, policy.id, state.outagesBegun + 1);
  // The first attempt starts before its cause is known.
  return [
    {
      do: 'arm',
      resource: policy.id,
      run: attemptRun(first, { resource: policy.id, outage, attempt: 1, cause: '' }),
    },
  ];
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
  const open = outageOf(state.phase);
  if (open !== null) return beginAttempt(state, { ...open, command }, 'command', ctx.now.bootMs);
  const number = state.outagesBegun + 1;
  const begun = { ...state, outagesBegun: number };
  const cause = { kind: 'commanded' } as const;
  const outage = newOutage(
    outageId(ctx.now.bootId, policy.id, number),
    ctx.now.bootMs,
    cause,
    'command',
    command,
  );
  const begin = record({
    type: 'outage_begin',
    outage: outage.id,
    resource: policy.id,
    atMs: outage.beganMs,
    cause,
    sensor: 'command',
  });
  const step = beginAttempt(begun, outage, 'command', ctx.now.bootMs);
  return {
    state: step.state,
    effects: [{ do: 'arm', resource: policy.id, run: null }, begin, ...step.effects],
  };
}

export function answerEffect(id: string, status: 'done' | 'failed', detail: string, ctx: Context): Effect {
  const at = new Date(ctx.now.wallMs).toISOString();
  return { do: 'answer', answer: { id, action: 'restart', status, code: null, detail, at } };
}

/** The pace of its first step: within it a death after a recovery counts as a relapse. */
function everyMs(policy: ResourcePolicy): number {
  return policy.steps[0]?.everyMs ?? 0;
}

function networkEffect(state: ResourceState, now: 'lost' | 'back'): Effect[] {
  return roleOf(state.policy) === 'stack' ? [{ do: 'network', state: now }] : [];
}

function withOutage(state: ResourceState, outage: OpenOutage): ResourceState {
  const { phase } = state;
  if (phase.name === 'absent' || phase.name === 'up') return state;
  return { ...state, phase: { ...phase, outage } as Phase };
}
