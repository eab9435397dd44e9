/** The ladder at work: attempts, their ends, giving up, asking for the reboot. Pure. */

import { type Hindrance, hindranceOf } from './arming.js';
import { attemptRun } from './attempt.js';
import { collectFor } from './evidence.js';
import { judgeReboot } from './guard.js';
import type { Effect } from './input.js';
import { type NextStep, nextStep, nextStepAgain } from './ladder.js';
import { besideTraffic, carriedBeside } from './loopback.js';
import { outageAnswer } from './outage.js';
import type { RestartStep } from './policy.js';
import type { RunResult } from './records.js';
import {
  type Context,
  type Held,
  type OpenOutage,
  type Outside,
  type ResourceState,
  type Running,
  record,
  type Step,
} from './state.js';
import { causeWords, durationWords, heldWords } from './words.js';

/** The seed's three minutes, for a resource that has no script but a reboot. */
const giveUpWithoutScriptMs = 180_000;
/** How often a resource that was given up gets one more attempt: a provider's fault may last the night. */
const heldRetryMs = 15 * 60_000;

/** An attempt, if nothing stands against it now. */
export function tryAttempt(
  state: ResourceState,
  outage: OpenOutage,
  step: number,
  ctx: Context,
): Step<ResourceState> {
  const { steps } = state.policy;
  if (steps.length === 0) return giveUp(state, outage, ctx);
  const hindrance = hindranceOf(state.policy, ctx);
  const present = steps[step] === undefined ? 0 : step;
  if (hindrance === null) return beginAttempt(state, outage, 'ladder', ctx.now.bootMs, present);
  return hinder(state, outage, hindrance, ctx);
}

/** Leaves a dead resource alone: for a pause, for what it needs, or until its budget allows more. */
function hinder(
  state: ResourceState,
  outage: OpenOutage,
  hindrance: Hindrance,
  ctx: Context,
): Step<ResourceState> {
  switch (hindrance.kind) {
    case 'paused':
      return enterHeld(state, outage, { why: 'paused' }, ctx, hindrance.untilMs);
    case 'needs':
      return block(state, outage, hindrance, ctx);
    case 'restart_budget': {
      const held = { why: 'restart_budget', detail: hindrance.detail } as const;
      const step = enterHeld(state, { ...outage, overspent: true }, held, ctx, hindrance.retryAtMs);
      if (outage.overspent) return step;
      const detail = `it is left alone for now: ${hindrance.detail}`;
      const notice = record({
        type: 'notice',
        resource: state.policy.id,
        atMs: ctx.now.bootMs,
        what: 'held',
        detail,
      });
      return { state: step.state, effects: [notice, ...step.effects] };
    }
  }
}

/** One story, one root: what needs something that is down waits for it. */
export function block(
  state: ResourceState,
  outage: OpenOutage,
  needs: { readonly on: string; readonly outage: string | null },
  ctx: Context,
): Step<ResourceState> {
  const { policy } = state;
  const root = needs.outage ?? outage.root;
  const isNews = root !== null && root !== outage.root;
  const phase = {
    name: 'blocked',
    sinceMs: ctx.now.bootMs,
    outage: { ...outage, root },
    on: needs.on,
  } as const;
  return {
    state: { ...state, phase },
    effects: isNews ? [record({ type: 'outage_root', outage: outage.id, resource: policy.id, root })] : [],
  };
}

/**
 * Starts an attempt, or notes the one that the reflex has started.
 * @param step its index; where the outage stands if not given.
 */
export function beginAttempt(
  state: ResourceState,
  outage: OpenOutage,
  by: 'reflex' | 'ladder' | 'command',
  atMs: number,
  step = outage.progress.step,
): Step<ResourceState> {
  const { policy } = state;
  const chosen = policy.steps[step];
  if (chosen === undefined) return { state, effects: [] };
  const attempt = outage.attempts + 1;
  const cause = by === 'reflex' ? '' : causeWords(outage.cause);
  const run = attemptRun(chosen, { resource: policy.id, outage: outage.id, attempt, cause, by });
  const { attempts, lastAttemptMs, lastResult, lastRunEndMs } = outage;
  const before = { attempts, lastAttemptMs, lastResult, lastRunEndMs, progress: outage.progress };
  const running: Running = {
    run: run.id,
    outage: outage.id,
    attempt,
    startedMs: atMs,
    deadlineMs: atMs + chosen.timeoutMs,
    timedOut: false,
    graceMs: chosen.graceMs,
    before,
  };
  const { progress: stood } = outage;
  // A late retry of what was given up does not go up the ladder again.
  const fresh = step > stood.step || stood.attempts === 0 || (outage.givenUp === null && step !== stood.step);
  const progress = fresh ? { step, attempts: 1, beganMs: atMs } : { ...stood, attempts: stood.attempts + 1 };
  const begun = {
    ...outage,
    attempts: attempt,
    progress,
    lastAttemptMs: atMs,
    lastResult: null,
    lastRunEndMs: null,
  };
  const note = record({
    type: 'attempt',
    outage: outage.id,
    resource: policy.id,
    attempt,
    step: chosen.name,
    run: run.id,
    script: run.argv.join(' '),
    atMs,
    by,
  });
  const phase = { name: 'restarting', sinceMs: atMs, outage: begun, running } as const;
  // What an earlier run has started is none of this one's.
  const sensors = state.sensors.map(sensor => (sensor.ownRun ? { ...sensor, ownRun: false } : sensor));
  if (by === 'reflex') return { state: { ...state, sensors, phase }, effects: [note] };
  // First: what the script itself kills must not set off the reflex, which would run it once more.
  const disarm: Effect[] =
    state.armed === null ? [] : [{ do: 'arm', resource: policy.id, run: null, natures: [] }];
  // What a person asks for is done to the living too.
  const start: Effect = { do: 'run', run, unlessAlive: by === 'ladder' };
  return { state: { ...state, sensors, armed: null, phase }, effects: [note, ...disarm, start] };
}

export function attemptEnd(
  resource: string,
  running: Running,
  result: RunResult,
  output: string,
  atMs: number,
): Effect {
  const failed = result.kind !== 'exit' || result.code !== 0;
  return record({
    type: 'attempt_end',
    outage: running.outage,
    resource,
    attempt: running.attempt,
    run: running.run,
    atMs,
    durationMs: Math.max(0, atMs - running.startedMs),
    result,
    ...(failed && output !== '' && { output }),
  });
}

/** The script is over and the resource is not back: wait for it, then try again, try something else, or give up. */
export function scheduleNext(state: ResourceState, outage: OpenOutage, atMs: number): Step<ResourceState> {
  const { steps } = state.policy;
  const next = nextOf(steps, outage, atMs);
  return { state: { ...state, phase: { name: 'settling', sinceMs: atMs, outage, next } }, effects: [] };
}

/** With the whole of its time before it: the next attempt or, where there is no script, the wait for one that comes back by itself. */
export function afresh(steps: readonly RestartStep[], atMs: number, step = 0): NextStep {
  return steps.length === 0
    ? { kind: 'give_up', atMs: atMs + giveUpWithoutScriptMs }
    : { kind: 'attempt', atMs, step };
}

function nextOf(steps: readonly RestartStep[], outage: OpenOutage, atMs: number): NextStep {
  if (steps.length === 0) return { kind: 'give_up', atMs: outage.beganMs + giveUpWithoutScriptMs };
  if (outage.lastAttemptMs === null) return { kind: 'attempt', atMs, step: 0 };
  const { progress, lastAttemptMs, lastResult, reopened } = outage;
  if (reopened !== null && reopened.atMs >= lastAttemptMs)
    return nextStepAgain(steps, progress, lastAttemptMs, reopened, atMs);
  return nextStep(steps, progress, lastAttemptMs, lastResult, atMs);
}

/** The steps are used up. */
export function giveUp(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  const hindrance = hindranceOf(state.policy, ctx);
  if (hindrance !== null && hindrance.kind !== 'restart_budget') return hinder(state, outage, hindrance, ctx);
  const failed = { ...outage, givenUp: outage.givenUp ?? { refusal: null }, command: null };
  // Once more, while the kernel still has it: a reboot empties its log.
  const last = outage.givenUp !== null ? [] : collectFor(state.policy.id, outage, 'before');
  const effects = [
    ...failedRecord(state, outage, ctx),
    ...outageAnswer(outage, 'failed', `${state.policy.id} did not come back`, ctx),
    ...last,
  ];
  const step = afterFailure(state, failed, ctx);
  return { state: step.state, effects: [...effects, ...step.effects] };
}

/** Who still serves in place of what is down, in words; null: nobody does, or another sensor is down as well. */
export function servedBy({ sensors }: ResourceState): string | null {
  const down = sensors.filter(({ state }) => state !== 'up');
  return down.every(sensor => sensor.servedBy !== null) ? (down[0]?.servedBy ?? null) : null;
}

function afterFailure(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  const server = servedBy(state);
  if (server !== null) {
    // A reboot would end that too.
    return enterHeld(state, outage, { why: 'degraded', server }, ctx);
  }
  if (outage.vetoed) return enterHeld(state, outage, { why: 'vetoed' }, ctx);
  if (!state.policy.rebootWhenFailed) return enterHeld(state, outage, { why: 'used_up' }, ctx);
  const beside = carriedBeside(state, ctx.resources);
  if (beside === null) return askReboot(state, outage, ctx);
  // It would cut off what works, and load the same packet filter again.
  return enterHeld(state, outage, { why: 'loopback_only', beside }, ctx);
}

function failedRecord(state: ResourceState, outage: OpenOutage, ctx: Context): Effect[] {
  if (outage.givenUp !== null) return [];
  const { policy } = state;
  const { attempts } = outage;
  const took = durationWords(ctx.now.bootMs - outage.beganMs);
  const wantsReboot = policy.rebootWhenFailed && !outage.vetoed && servedBy(state) === null;
  const beside = wantsReboot ? carriedBeside(state, ctx.resources) : null;
  const tried = `${attempts} ${attempts === 1 ? 'attempt' : 'attempts'} in ${took}`;
  return [
    record({
      type: 'recovery_failed',
      outage: outage.id,
      resource: policy.id,
      atMs: ctx.now.bootMs,
      attempts,
      next: wantsReboot && beside === null ? 'reboot' : 'stay_down',
      detail: beside === null ? tried : `${tried}; ${heldWords({ why: 'loopback_only', beside })}`,
    }),
  ];
}

function askReboot(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  // What was carried at its begin is dead by now.
  const cause = causeWords(besideTraffic(outage.cause, state, ctx.resources));
  const reason = `${state.policy.id} did not come back: ${cause}, ${outage.attempts} attempts failed`;
  const verdict = judgeReboot(ctx.policy.reboot, ctx.history, ctx.now, true);
  if (!verdict.allowed) {
    const { code, detail, retryAtMs } = verdict;
    const held = { why: 'reboot_refused', code, detail } as const;
    const step = enterHeld(state, { ...outage, givenUp: { refusal: code } }, held, ctx, retryAtMs);
    if (outage.givenUp?.refusal === code) return step;
    const refused = record({ type: 'reboot_refused', reason, code, detail, outage: outage.id });
    return { state: step.state, effects: [refused, ...step.effects] };
  }
  const intent = intentId(ctx);
  // Another refusal after it is news.
  const allowed = { ...outage, givenUp: { refusal: null } };
  return {
    state: { ...state, phase: { name: 'rebooting', sinceMs: ctx.now.bootMs, outage: allowed, intent } },
    effects: [
      record({ type: 'reboot_intent', intent, reason, outage: outage.id }),
      { do: 'reboot', intent, level: 'command', command: ctx.policy.reboot.command, automatic: true },
    ],
  };
}

export function intentId(ctx: Outside): string {
  return `${ctx.now.bootId.slice(0, 8)}-reboot-${ctx.history.intended + 1}`;
}

/** Stays down, goes on watching, and tries once more from time to time where there is a script to try. */
export function enterHeld(
  state: ResourceState,
  outage: OpenOutage,
  held: Held,
  ctx: Context,
  retryAtMs: number | null = null,
): Step<ResourceState> {
  const { steps, rebootWhenFailed } = state.policy;
  const nothingToTry = steps.length === 0 && !rebootWhenFailed;
  const onlyWaits = held.why === 'paused' || held.why === 'restart_budget' || nothingToTry;
  const againMs = onlyWaits ? [] : [ctx.now.bootMs + heldRetryMs];
  const retries = retryAtMs === null ? againMs : [retryAtMs, ...againMs];
  const retry = retries.length === 0 ? null : Math.min(...retries);
  return {
    state: { ...state, phase: { name: 'held', sinceMs: ctx.now.bootMs, outage, held, retryAtMs: retry } },
    effects: [],
  };
}

/** One more attempt, or the guard once more where there is no script. */
export function retryHeld(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  if (state.policy.steps.length === 0) return giveUp(state, outage, ctx);
  return tryAttempt(state, outage, outage.givenUp !== null ? 0 : outage.progress.step, ctx);
}
