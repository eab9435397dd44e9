/** Why a dead resource is left alone for now, and whether the reflex may be armed. Pure. */

import { attemptRun, outageId } from './attempt.js';
import { steady, steadyAtMs } from './flapping.js';
import { judgeRestart } from './guard.js';
import type { Effect } from './input.js';
import { soonDeathDelayMs } from './ladder.js';
import { everyMs, type ResourcePolicy, reflexNatures } from './policy.js';
import { missedAtMs } from './sensing.js';
import { type Context, outageOf, type ResourceState, type Step } from './state.js';

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

/** The outage of a needed resource that is back and not yet verified: what our script does to that one, it does to this one too. */
export function verifiedBelow(
  policy: ResourcePolicy,
  ctx: Context,
  seen: Set<string> = new Set([policy.id]),
): string | null {
  for (const id of policy.needs) {
    const needed = ctx.resources.get(id);
    if (needed === undefined || seen.has(id)) continue;
    seen.add(id);
    if (needed.phase.name === 'verifying') return needed.phase.outage.root ?? needed.phase.outage.id;
    const deeper = verifiedBelow(needed.policy, ctx, seen);
    if (deeper !== null) return deeper;
  }
  return null;
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
      : attemptRun(first, { resource: policy.id, outage: armed, attempt: 1, cause: '', by: 'reflex' });
  const effects: Effect[] = changed
    ? [{ do: 'arm', resource: policy.id, run, natures: reflexNatures(policy) }]
    : [];
  return { state: { ...steadied.state, armed, reviewAtMs }, effects: [...steadied.effects, ...effects] };
}

function wish(state: ResourceState, ctx: Context): Pick<ResourceState, 'armed' | 'reviewAtMs'> {
  const { armed, reviewAtMs } = wishToArm(state, ctx);
  const moments = [reviewAtMs, steadyAtMs(state), missedAtMs(state)].filter(
    at => at !== null && at > ctx.now.bootMs,
  ) as number[];
  return { armed, reviewAtMs: moments.length === 0 ? null : Math.min(...moments) };
}

function wishToArm(state: ResourceState, ctx: Context): Pick<ResourceState, 'armed' | 'reviewAtMs'> {
  const { policy, phase, recoveredMs } = state;
  const nowMs = ctx.now.bootMs;
  // A suspect by the nature of its loss may still die of another one, which does not wait.
  const mayDie =
    phase.name === 'up' || phase.name === 'absent' || (phase.name === 'suspect' && phase.by === null);
  if (!mayDie || state.expected || policy.steps.length === 0 || reflexNatures(policy).length === 0)
    return { armed: null, reviewAtMs: null };
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
  if (nowMs < untilMs && soonDeathDelayMs(state.soonDeaths + 1, everyMs(policy)) > 0) {
    return { armed: null, reviewAtMs: untilMs };
  }
  return { armed: outageId(ctx.now.bootId, policy.id, state.outagesBegun + 1), reviewAtMs: null };
}
