/** Why a dead resource is left alone for now, and whether the reflex may be armed. Pure. */
import { judgeRestart } from './guard.js';
import { relapseDelayMs } from './ladder.js';
import type { ResourcePolicy } from './policy.js';
import { attemptRun, outageId } from './run.js';
import { type Context, type Effect, outageOf, type ResourceState, record, type Step } from './state.js';

export type Hindrance =
  | { readonly kind: 'paused'; readonly untilMs: number }
  | { readonly kind: 'needs'; readonly on: string; readonly outage: string | null }
  | { readonly kind: 'restart_budget'; readonly retryAtMs: number; readonly detail: string };

/** The first reason not to restart it now; null = nothing stands against it. */
export function hindranceOf(policy: ResourcePolicy, ctx: Context): Hindrance | null {
  const untilMs = ctx.history.pausedUntilMs(policy.id, ctx.now);
  if (untilMs !== null) return { kind: 'paused', untilMs };
  const down = downBelow(policy, ctx, new Set([policy.id]));
  if (down !== null) return { kind: 'needs', ...down };
  const verdict = judgeRestart(policy, ctx.history, ctx.now);
  if (verdict.allowed) return null;
  return { kind: 'restart_budget', retryAtMs: verdict.retryAtMs ?? ctx.now.bootMs, detail: verdict.detail };
}

/** The nearest needed resource that is down, however far below. */
export function downBelow(
  policy: ResourcePolicy,
  ctx: Context,
  seen: Set<string> = new Set([policy.id]),
): { readonly on: string; readonly outage: string | null } | null {
  for (const id of policy.needs) {
    if (seen.has(id)) continue;
    seen.add(id);
    const needed = ctx.resources.get(id);
    if (needed === undefined) continue;
    const deeper = downBelow(needed.policy, ctx, seen);
    if (deeper !== null) return deeper;
    const outage = outageOf(needed.phase);
    if (outage !== null || needed.phase.name === 'suspect') return { on: id, outage: outage?.id ?? null };
  }
  return null;
}

/** The pace of its first step: within it a death after a recovery counts as a relapse. */
export function everyMs(policy: ResourcePolicy): number {
  return policy.steps[0]?.everyMs ?? 0;
}

/**
 * Brings the monitor thread's reflex in line with what is wanted: armed while the resource lives and nothing stands against a restart.
 * Called after every input; what is right already costs nothing.
 */
export function review(state: ResourceState, ctx: Context): Step<ResourceState> {
  const steadied = steady(state, ctx);
  const { armed, reviewAtMs } = wish(steadied.state, ctx);
  const changed = armed !== state.armed;
  if (!changed && reviewAtMs === state.reviewAtMs) return steadied;
  const { policy } = state;
  const [first] = policy.steps;
  // The first attempt starts before its cause is known.
  const run =
    armed === null || first === undefined
      ? null
      : attemptRun(first, { resource: policy.id, outage: armed, attempt: 1, cause: '' });
  const effects: Effect[] = changed ? [{ do: 'arm', resource: policy.id, run }] : [];
  return { state: { ...steadied.state, armed, reviewAtMs }, effects: [...steadied.effects, ...effects] };
}

function wish(state: ResourceState, ctx: Context): Pick<ResourceState, 'armed' | 'reviewAtMs'> {
  const { policy, phase, recoveredMs } = state;
  const nowMs = ctx.now.bootMs;
  const alive = phase.name === 'up' || phase.name === 'absent';
  const steadyAtMs = state.flapping && recoveredMs !== null ? recoveredMs + everyMs(policy) : null;
  if (!alive || state.expected || policy.steps.length === 0 || policy.fallMs > 0) {
    return { armed: null, reviewAtMs: alive ? steadyAtMs : null };
  }
  const hindrance = hindranceOf(policy, ctx);
  if (hindrance !== null) {
    const againMs =
      hindrance.kind === 'paused'
        ? hindrance.untilMs
        : hindrance.kind === 'needs'
          ? null
          : hindrance.retryAtMs;
    return { armed: null, reviewAtMs: againMs };
  }
  const untilMs = recoveredMs === null ? 0 : recoveredMs + everyMs(policy);
  if (nowMs < untilMs && relapseDelayMs(state.relapses + 1, everyMs(policy)) > 0) {
    return { armed: null, reviewAtMs: untilMs };
  }
  return { armed: outageId(ctx.now.bootId, policy.id, state.outagesBegun + 1), reviewAtMs: steadyAtMs };
}

/** A flapping resource that has lived for a whole `every` is steady again. */
function steady(state: ResourceState, ctx: Context): Step<ResourceState> {
  const { flapping, phase, recoveredMs, policy } = state;
  if (!flapping || phase.name !== 'up' || recoveredMs === null) return { state, effects: [] };
  if (ctx.now.bootMs < recoveredMs + everyMs(policy)) return { state, effects: [] };
  const detail = 'it has stopped dying again and again; single deaths are told again';
  const notice = record({
    type: 'notice',
    resource: policy.id,
    atMs: ctx.now.bootMs,
    what: 'steady',
    detail,
  });
  return { state: { ...state, flapping: false, relapses: 0 }, effects: [notice] };
}
