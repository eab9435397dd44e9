/** The ladder at work: attempts, their ends, giving up, asking for the reboot. Pure. */
import { judgeReboot } from './guard.js';
import { type NextStep, nextStep } from './ladder.js';
import type { RefusalCode, RunResult } from './model.js';
import type { RestartStep } from './policy.js';
import { attemptRun } from './run.js';
import { causeWords, durationWords } from './sentence.js';
import {
  type Context,
  type Effect,
  type OpenOutage,
  type ResourceState,
  type Running,
  record,
  type Step,
} from './state.js';

/** The seed's three minutes, for a resource that has no script but a reboot. */
export const giveUpWithoutScriptMs = 180_000;
/** How often a resource that was given up gets one more attempt: a provider's fault may last the night. */
const heldRetryMs = 15 * 60_000;

/**
 * Starts an attempt, or notes the one that the reflex has started.
 * @param step the rung of the ladder; the one the outage stands on if not given.
 */
export function beginAttempt(
  state: ResourceState,
  outage: OpenOutage,
  by: 'reflex' | 'ladder' | 'command',
  atMs: number,
  step = outage.climb.step,
): Step<ResourceState> {
  const { policy } = state;
  const rung = policy.steps[step];
  if (rung === undefined) return { state, effects: [] };
  const attempt = outage.attempts + 1;
  const cause = by === 'reflex' ? '' : causeWords(outage.cause);
  const run = attemptRun(rung, { resource: policy.id, outage: outage.id, attempt, cause });
  const running: Running = {
    run: run.id,
    outage: outage.id,
    attempt,
    startedMs: atMs,
    deadlineMs: atMs + rung.timeoutMs,
    timedOut: false,
  };
  const fresh = step !== outage.climb.step || outage.climb.attempts === 0;
  const climb = fresh
    ? { step, attempts: 1, beganMs: atMs }
    : { ...outage.climb, attempts: outage.climb.attempts + 1 };
  const begun = { ...outage, attempts: attempt, climb, lastAttemptMs: atMs, lastResult: null };
  const note = record({
    type: 'attempt',
    outage: outage.id,
    resource: policy.id,
    attempt,
    step: rung.name,
    run: run.id,
    script: run.argv.join(' '),
    atMs,
    by,
  });
  return {
    state: { ...state, phase: { name: 'restarting', sinceMs: atMs, outage: begun, running } },
    effects: by === 'reflex' ? [note] : [note, { do: 'run', run }],
  };
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

function nextOf(steps: readonly RestartStep[], outage: OpenOutage, atMs: number): NextStep {
  if (steps.length === 0) return { kind: 'give_up', atMs: outage.beganMs + giveUpWithoutScriptMs };
  if (outage.lastAttemptMs === null) return { kind: 'attempt', atMs, step: 0 };
  return nextStep(steps, outage.climb, outage.lastAttemptMs, outage.lastResult, atMs);
}

/** The attempts are used up. */
export function giveUp(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  const { policy } = state;
  const failed = { ...outage, failed: true, command: null };
  const effects: Effect[] = [];
  if (!outage.failed) {
    const next = policy.rebootWhenFailed && !outage.vetoed ? 'reboot' : 'stay_down';
    const detail = `${outage.attempts} ${outage.attempts === 1 ? 'attempt' : 'attempts'} in ${durationWords(ctx.now.bootMs - outage.beganMs)}`;
    effects.push(
      record({
        type: 'recovery_failed',
        outage: outage.id,
        resource: policy.id,
        atMs: ctx.now.bootMs,
        attempts: outage.attempts,
        next,
        detail,
      }),
    );
  }
  if (outage.command !== null) {
    const at = new Date(ctx.now.wallMs).toISOString();
    const detail = `${policy.id} did not come back`;
    effects.push({
      do: 'answer',
      answer: { id: outage.command, action: 'restart', status: 'failed', code: null, detail, at },
    });
  }
  const step = outage.vetoed
    ? enterHeld(state, failed, 'a script said: do not reboot', null, ctx)
    : policy.rebootWhenFailed
      ? askReboot(state, failed, ctx)
      : enterHeld(state, failed, 'its attempts are used up', null, ctx);
  return { state: step.state, effects: [...effects, ...step.effects] };
}

function askReboot(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  const reason = `${state.policy.id} did not come back: ${causeWords(outage.cause)}, ${outage.attempts} attempts failed`;
  const verdict = judgeReboot(ctx.policy.reboot, ctx.history, ctx.now);
  if (!verdict.allowed) {
    const held = enterHeld(
      state,
      outage,
      `no reboot: ${verdict.detail}`,
      verdict.retryAtMs,
      ctx,
      verdict.code,
    );
    if (outage.refusal === verdict.code) return held;
    const refused = record({
      type: 'reboot_refused',
      reason,
      code: verdict.code,
      detail: verdict.detail,
      outage: outage.id,
    });
    return { state: held.state, effects: [refused, ...held.effects] };
  }
  const intent = intentId(ctx);
  return {
    state: { ...state, phase: { name: 'rebooting', sinceMs: ctx.now.bootMs, outage, intent } },
    effects: [
      record({ type: 'reboot_intent', intent, reason, outage: outage.id }),
      { do: 'reboot', intent, command: ctx.policy.reboot.command },
    ],
  };
}

export function intentId(ctx: Context): string {
  return `${ctx.now.bootId.slice(0, 8)}-reboot-${ctx.history.intents.length + 1}`;
}

/** Stays down, goes on watching, and tries once more from time to time where there is a script to try. */
export function enterHeld(
  state: ResourceState,
  outage: OpenOutage,
  reason: string,
  retryAtMs: number | null,
  ctx: Context,
  refusal: RefusalCode | null = null,
): Step<ResourceState> {
  const attemptAtMs = state.policy.steps.length === 0 ? [] : [ctx.now.bootMs + heldRetryMs];
  const retries = retryAtMs === null ? attemptAtMs : [retryAtMs, ...attemptAtMs];
  return {
    state: {
      ...state,
      phase: {
        name: 'held',
        sinceMs: ctx.now.bootMs,
        outage: { ...outage, refusal },
        reason,
        retryAtMs: retries.length === 0 ? null : Math.min(...retries),
      },
    },
    effects: [],
  };
}

/** One more attempt, or the guard once more where there is no script. */
export function retryHeld(state: ResourceState, outage: OpenOutage, ctx: Context): Step<ResourceState> {
  if (state.policy.steps.length === 0) return giveUp(state, outage, ctx);
  return beginAttempt(state, outage, 'ladder', ctx.now.bootMs);
}
