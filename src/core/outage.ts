/** An outage as it begins, and the records of its begin and end. Pure. */
import { wallMsAt } from './clock.js';
import type { Cause } from './model.js';
import { type Context, type Effect, type OpenOutage, record } from './state.js';

export function newOutage(id: string, beganMs: number, cause: Cause, sensor: string): OpenOutage {
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
    root: null,
    quiet: false,
    drill: false,
    command: null,
  };
}

export function beginRecord(
  resource: string,
  { id, beganMs, cause, sensor, root, quiet, drill }: OpenOutage,
): Effect {
  return record({
    type: 'outage_begin',
    outage: id,
    resource,
    atMs: beganMs,
    cause,
    sensor,
    ...(root !== null && { root }),
    ...(quiet && { quiet }),
    ...(drill && { drill }),
  });
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
    ...(outage.quiet && { quiet: true }),
  });
}
