/** When to try what again, and when to give up. Pure arithmetic over one outage; all times are ms of CLOCK_BOOTTIME. */

import type { RestartStep } from './policy.js';
import type { RunResult } from './records.js';

/** A script that fails at once has often met a stack that is still dying: slirp4netns takes some 20 ms. */
const quickRetryMs = 1000;
const quickFailureMs = 5000;
/** What a script has started may be seen only after its end: a process sensor looks once a second where nothing is found for long. */
const seenWithinMs = 1000;
/** Who supervises it as well has so long to start anew what has been stopped: systemd takes 0.1 s, runit 1 s. */
export const othersStartWithinMs = 2000;
/** So many deaths in a row are answered at once, the further ones later and later. */
const immediateSoonDeaths = 3;
const longestBackoffMs = 600_000;

/** What a script's exit status may say besides "done" and "failed" (as in s6: 100 = wrong to go on, 125 = permanent). */
export const exitStatus = { veto: 100, permanent: 125 } as const;

/** The script was not started on purpose: the machine is shutting down, or the resource was alive again. */
export function isHeldBack(result: RunResult): boolean {
  return result.kind === 'not_needed' || (result.kind === 'not_started' && result.error === 'ECANCELED');
}

/** Where an outage stands on its ladder. */
export interface Progress {
  readonly step: number;
  /** Attempts on this step. */
  readonly attempts: number;
  /** When the first attempt on this step was made. */
  readonly beganMs: number;
}

/** What a shutdown has held back was no attempt. */
export function progressAfter(progress: Progress, result: RunResult): Progress {
  return isHeldBack(result) ? { ...progress, attempts: progress.attempts - 1 } : progress;
}

export type NextStep =
  /** atOnce: at the end of the batch of inputs that made it due; all others wait for a tick, before which the monitor thread is heard. */
  | { readonly kind: 'attempt'; readonly atMs: number; readonly step: number; readonly atOnce?: boolean }
  | { readonly kind: 'give_up'; readonly atMs: number };

/**
 * What follows when a script has ended and the resource is not back. The seed's rule is the default: an attempt every 30 s, and after
 * `attempts x every` the step counts as failed, however quickly its attempts did.
 * @param lastAttemptMs start of the last attempt.
 */
export function nextStep(
  steps: readonly RestartStep[],
  progress: Progress,
  lastAttemptMs: number,
  result: RunResult | null,
  nowMs: number,
): NextStep {
  const step = steps[progress.step];
  if (step === undefined) return { kind: 'give_up', atMs: nowMs };
  if (result?.kind === 'exit' && result.code === exitStatus.permanent)
    return above(steps, progress.step, nowMs);
  const dueMs = Math.max(
    lastAttemptMs + intervalMs(step, Math.max(1, progress.attempts)),
    nowMs + seenWithinMs,
  );
  // Nothing has been tried: no reason to go further up while the machine is shutting down.
  if (result !== null && isHeldBack(result)) return { kind: 'attempt', atMs: dueMs, step: progress.step };
  if (progress.attempts >= step.attempts) {
    let fullMs = 0;
    for (let attempt = 1; attempt <= step.attempts; attempt++) fullMs += intervalMs(step, attempt);
    return above(steps, progress.step, Math.max(progress.beganMs + fullMs, dueMs));
  }
  // A status that nobody has seen is no failure.
  const isKnown = result !== null && result.kind !== 'unknown';
  const failed = isKnown && !(result.kind === 'exit' && result.code === 0);
  if (progress.attempts === 1 && failed && nowMs - lastAttemptMs < quickFailureMs) {
    const { everyMs } = step;
    // One more within the time that others need would be one too many.
    const othersMs = lastAttemptMs + Math.min(othersStartWithinMs, everyMs);
    const atMs = Math.max(nowMs + Math.min(quickRetryMs, everyMs), othersMs);
    return { kind: 'attempt', atMs, step: progress.step };
  }
  return { kind: 'attempt', atMs: dueMs, step: progress.step };
}

/**
 * What follows when it was back and is down again: however its script ended, the whole wait since the last attempt began, and time for
 * others to start it.
 * @param isFirst it may have died by a stranger's hand, of which its ladder knows nothing: one attempt, after `every` at the latest.
 */
export function nextStepAgain(
  steps: readonly RestartStep[],
  progress: Progress,
  lastAttemptMs: number,
  reopened: { readonly atMs: number; readonly isFirst: boolean },
  nowMs: number,
): NextStep {
  const step = steps[progress.step];
  if (step === undefined) return { kind: 'give_up', atMs: nowMs };
  const othersMs = reopened.atMs + Math.min(othersStartWithinMs, step.everyMs);
  if (reopened.isFirst) {
    const dueMs = Math.max(
      lastAttemptMs + step.everyMs,
      othersMs,
      nowMs + Math.min(seenWithinMs, step.everyMs),
    );
    return { kind: 'attempt', atMs: dueMs, step: progress.step };
  }
  const next = nextStep(steps, progress, lastAttemptMs, null, nowMs);
  return { ...next, atMs: Math.max(next.atMs, othersMs) };
}

function above(steps: readonly RestartStep[], step: number, atMs: number): NextStep {
  return step + 1 < steps.length ? { kind: 'attempt', atMs, step: step + 1 } : { kind: 'give_up', atMs };
}

/** The wait after the n-th attempt of a step. */
function intervalMs(step: RestartStep, attempt: number): number {
  return Math.min(step.everyMs * step.backoff ** (attempt - 1), Math.max(step.everyMs, longestBackoffMs));
}

/**
 * How long to wait before the first attempt at something that keeps dying.
 * @param soonDeaths deaths in a row, each within `everyMs` after the recovery before it.
 */
export function soonDeathDelayMs(soonDeaths: number, everyMs: number): number {
  if (soonDeaths < immediateSoonDeaths) return 0;
  return Math.min(everyMs, 1000 * 2 ** (soonDeaths - immediateSoonDeaths));
}
