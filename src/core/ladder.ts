/** When to try again, and when to give up. Pure arithmetic over one outage; all times are ms of CLOCK_BOOTTIME. */
import type { RunResult } from './model.js';
import type { RestartPolicy } from './policy.js';

/** A script that fails at once has often met a stack that is still dying: slirp4netns takes some 20 ms. */
const quickRetryMs = 1000;
const quickFailureMs = 5000;
/** So many deaths in a row are answered at once, the further ones later and later. */
const immediateRelapses = 3;

export interface Progress {
  readonly beganMs: number;
  readonly attempts: number;
  readonly lastAttemptMs: number | null;
}

export type NextStep =
  | { readonly kind: 'attempt'; readonly atMs: number }
  | { readonly kind: 'give_up'; readonly atMs: number };

/**
 * What follows when the last script has ended (or none has run yet). The seed's rule is the default: an attempt every 30 s, and
 * after `attempts x every` since the death the resource counts as gone, however quickly the attempts failed.
 */
export function nextStep(
  policy: RestartPolicy,
  progress: Progress,
  result: RunResult | null,
  nowMs: number,
): NextStep {
  const { beganMs, attempts, lastAttemptMs } = progress;
  if (lastAttemptMs === null) return { kind: 'attempt', atMs: nowMs };
  if (attempts >= policy.attempts) {
    return {
      kind: 'give_up',
      atMs: Math.max(beganMs + policy.attempts * policy.everyMs, lastAttemptMs + policy.everyMs),
    };
  }
  const failed = result !== null && !(result.kind === 'exit' && result.code === 0);
  if (attempts === 1 && failed && nowMs - lastAttemptMs < quickFailureMs) {
    return { kind: 'attempt', atMs: nowMs + Math.min(quickRetryMs, policy.everyMs) };
  }
  return { kind: 'attempt', atMs: Math.max(lastAttemptMs + policy.everyMs, nowMs) };
}

/**
 * How long to wait before the first attempt at something that keeps dying.
 * @param relapses deaths in a row, each within `everyMs` after the recovery before it.
 */
export function relapseDelayMs(relapses: number, everyMs: number): number {
  if (relapses < immediateRelapses) return 0;
  return Math.min(everyMs, 1000 * 2 ** (relapses - immediateRelapses));
}
