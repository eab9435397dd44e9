/** An outage as it begins, and the records of its begin and end. Pure. */
import type { Effect } from './input.js';
import type { ResourcePolicy } from './policy.js';
import type { Action, Cause, RecordOf } from './records.js';
import { type Context, type OpenOutage, type Outside, record } from './state.js';
import { isoTime, spanOf } from './time.js';

export function newOutage(id: string, beganMs: number, cause: Cause, sensor: string): OpenOutage {
  return {
    id,
    beganMs,
    origin: null,
    cause,
    sensor,
    attempts: 0,
    lastAttemptMs: null,
    lastResult: null,
    lastRunEndMs: null,
    lostRunUntilMs: null,
    progress: { step: 0, attempts: 0, beganMs },
    vetoed: false,
    resumed: false,
    beganUnseen: cause.kind === 'unseen',
    givenUp: null,
    overspent: false,
    root: null,
    quiet: false,
    drill: false,
    command: null,
    reopened: null,
    risingMs: null,
    blamedRun: null,
  };
}

export function beginRecord(
  policy: ResourcePolicy,
  { id, beganMs, cause, sensor, root, quiet, drill }: OpenOutage,
): Effect {
  return record({
    type: 'outage_begin',
    outage: id,
    resource: policy.id,
    atMs: beganMs,
    cause,
    sensor,
    role: policy.role,
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
  more: Partial<Pick<RecordOf<'outage_end'>, 'outcome' | 'carrier' | 'sensors' | 'ownRun'>> = {},
): Effect {
  const { origin, reopened, beganUnseen, resumed } = outage;
  const { now, history } = ctx;
  const ended = { bootId: now.bootId, atMs, wallMs: now.wallMs };
  const span = spanOf(origin, ended, Math.max(0, atMs - outage.beganMs), history.seenFrom(now));
  return record({
    type: 'outage_end',
    outage: outage.id,
    resource,
    atMs,
    outcome: 'recovered',
    beganWallMs: span.beganMs,
    endedWallMs: span.endedMs,
    durationMs: span.durationMs,
    timeUncertain: beganUnseen || resumed,
    ...(beganUnseen && { unseen: resumed ? ('both' as const) : ('began' as const) }),
    ...(resumed && !beganUnseen && { unseen: 'ended' as const }),
    ...(origin !== null && { began: { bootId: origin.bootId, atMs: origin.atMs } }),
    attempts: outage.attempts,
    cause: outage.cause,
    ...(outage.quiet && { quiet: true }),
    ...(reopened !== null && { aliveMs: reopened.aliveMs, againMs: Math.max(0, atMs - reopened.atMs) }),
    ...more,
  });
}

// What became of a command that was accepted.

export function laterAnswer(
  id: string,
  action: Action,
  status: 'done' | 'failed',
  detail: string,
  { now }: Outside,
): Effect {
  return { do: 'answer', answer: { id, action, status, code: null, detail, at: isoTime(now.wallMs) } };
}

/** Of the command that asked for the restart of an outage, or for the drill that began it; nothing where none did. */
export function outageAnswer(
  { command, drill }: OpenOutage,
  status: 'done' | 'failed',
  detail: string,
  outside: Outside,
): Effect[] {
  return command === null ? [] : [laterAnswer(command, drill ? 'drill' : 'restart', status, detail, outside)];
}
