/** What keeps dying is named as such once, and steady again when it has lived for long enough. Pure. */

import type { Effect } from './input.js';
import { type Budget, everyMs, type ResourcePolicy } from './policy.js';
import { type Context, type ResourceState, record, type Step } from './state.js';
import { durationWords } from './words.js';

/** Deaths in a row, each soon after a recovery, that make a resource a flapping one. */
const flappingSoonDeaths = 3;

/**
 * Two ways to keep dying: again and again right after each recovery, or too often within a longer time, however evenly. The first is also
 * restarted later and later; a slow one costs its restart budget only, and comes back sooner with immediate attempts.
 */
export function noteDeath(
  before: ResourceState,
  atMs: number,
  isDrill: boolean,
): Pick<ResourceState, 'soonDeaths' | 'deaths' | 'flapping'> {
  const { policy, recoveredMs } = before;
  const soon = recoveredMs !== null && atMs - recoveredMs < everyMs(policy);
  const soonDeaths = soon ? before.soonDeaths + 1 : 0;
  const deaths = isDrill ? before.deaths : lately(before.deaths, atMs, policy.flapping);
  const isTooOften = deaths.length >= policy.flapping.max;
  return { soonDeaths, deaths, flapping: before.flapping || soonDeaths >= flappingSoonDeaths || isTooOften };
}

/** Down again before it was verified, and not by our own script: that is as often as a death. */
export function noteReopening(
  before: ResourceState,
  atMs: number,
): Pick<ResourceState, 'deaths' | 'flapping'> {
  const deaths = lately(before.deaths, atMs, before.policy.flapping);
  return { deaths, flapping: before.flapping || deaths.length >= before.policy.flapping.max };
}

/** What is replaced or restarted by somebody else again and again keeps dying all the same. */
export function noteReplacement(
  before: ResourceState,
  atMs: number,
  onPurpose: boolean,
): Pick<ResourceState, 'deaths' | 'flapping'> {
  return onPurpose ? before : noteReopening(before, atMs);
}

function lately(deaths: readonly number[], atMs: number, { max, perMs }: Budget): number[] {
  return [...deaths, atMs].slice(-max).filter(at => atMs - at < perMs);
}

export function flappingNotice(before: ResourceState, after: ResourceState, atMs: number): Effect[] {
  if (before.flapping || !after.flapping) return [];
  const { policy, soonDeaths, deaths } = after;
  const detail =
    soonDeaths >= flappingSoonDeaths
      ? `it keeps dying: ${soonDeaths + 1} times in a row, each soon after it was back; it is restarted ever later`
      : `it keeps dying: ${deaths.length} times within ${durationWords(policy.flapping.perMs)}; its single deaths are not told any more`;
  return [record({ type: 'notice', resource: policy.id, atMs, what: 'flapping', detail })];
}

function quietMs(policy: ResourcePolicy): number {
  return Math.max(everyMs(policy), policy.flapping.perMs);
}

/** When a flapping resource that lives is steady again. */
export function steadyAtMs({ flapping, phase, policy }: ResourceState): number | null {
  return flapping && phase.name === 'up' ? phase.sinceMs + quietMs(policy) : null;
}

/** A flapping resource that has lived for the whole time is steady again. */
export function steady(state: ResourceState, ctx: Context): Step<ResourceState> {
  const atMs = steadyAtMs(state);
  if (atMs === null || ctx.now.bootMs < atMs) return { state, effects: [] };
  const detail = `it has lived for ${durationWords(quietMs(state.policy))}; single deaths are told again`;
  const notice = record({
    type: 'notice',
    resource: state.policy.id,
    atMs: ctx.now.bootMs,
    what: 'steady',
    detail,
  });
  return { state: { ...state, flapping: false, soonDeaths: 0, deaths: [] }, effects: [notice] };
}
