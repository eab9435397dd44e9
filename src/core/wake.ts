/**
 * When a resource is to be looked at again by itself, and why. Worked out from its phase by one function, and not kept in it: what is kept
 * would have to be mended at each reload, since most moments depend on the policy. Pure.
 */
import { stillAtMs, wholeAfterCarrierMs } from './sensing.js';
import { outageOf, type ResourceState } from './state.js';
import { verifyingDueMs } from './verifying.js';

interface Wake {
  /** ms of CLOCK_BOOTTIME. */
  readonly atMs: number;
  /**
   * risen: every sensor has been up for `riseMs`. waited_in_vain: a carrier is back, and an address or route is not. suspect_died: what was
   * borne has not come back. verified: also where it is down again, and nobody has replaced it in time. script_timed_out. script_immortal:
   * not even SIGKILL has ended it. attempt, give_up: what the ladder does next. retry: of what is held.
   */
  readonly why:
    | 'risen'
    | 'waited_in_vain'
    | 'suspect_died'
    | 'verified'
    | 'script_timed_out'
    | 'script_immortal'
    | 'attempt'
    | 'give_up'
    | 'retry';
}

/** What its phase waits for; null: for news alone. */
export function phaseWake({ phase, sensors, policy }: ResourceState): Wake | null {
  const risingMs = outageOf(phase)?.risingMs ?? null;
  // What is rising may be its own service, in the foreground: nothing else is done meanwhile.
  if (risingMs !== null) return { atMs: risingMs + policy.riseMs, why: 'risen' };
  switch (phase.name) {
    case 'up': {
      const waits = sensors.flatMap(({ waiting }) => (waiting === null ? [] : [waiting.sinceMs]));
      if (waits.length === 0) return null;
      return { atMs: Math.min(...waits) + wholeAfterCarrierMs, why: 'waited_in_vain' };
    }
    case 'suspect':
      return { atMs: phase.untilMs, why: 'suspect_died' };
    case 'verifying':
      return { atMs: verifyingDueMs(phase, policy), why: 'verified' };
    case 'restarting': {
      const { deadlineMs, timedOut } = phase.running;
      if (deadlineMs === null) return null;
      return { atMs: deadlineMs, why: timedOut ? 'script_immortal' : 'script_timed_out' };
    }
    case 'settling':
      return { atMs: phase.next.atMs, why: phase.next.kind };
    case 'held':
      // The end of a pause is a moment of its own, and may have been put off.
      return phase.retryAtMs === null || phase.held.why === 'paused'
        ? null
        : { atMs: phase.retryAtMs, why: 'retry' };
    default:
      return null;
  }
}

/** The earliest of its moments: of its phase, of the reflex that is to be armed, of a carrier that comes to rest. */
export function wakeMs(resource: ResourceState): number | null {
  const moments = [
    phaseWake(resource)?.atMs ?? null,
    resource.reviewAtMs,
    ...resource.sensors.map(stillAtMs),
  ].filter(at => at !== null);
  return moments.length === 0 ? null : Math.min(...moments);
}
