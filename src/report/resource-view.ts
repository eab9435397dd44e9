/** One resource as it is told. Pure. */
import type { History } from '../core/history.js';
import type { ResourcePolicy } from '../core/policy.js';
import { phaseOutage, type ResourceState } from '../core/state.js';
import { type Instant, isoTime, wallMsAt } from '../core/time.js';
import { type Verifying, verifiedAtMs } from '../core/verifying.js';
import { causeWords, durationWords, heldWords, resultWords } from '../core/words.js';
import { type ResourceStateName, type ResourceView, viewRole } from './views.js';

/** It is, while that is being verified; what may still come is said by the reason. */
export function stateName({ phase }: ResourceState): ResourceStateName {
  return phase.name === 'verifying' ? 'up' : phase.name;
}

/** @param resource '' = everything. */
export function pausedUntil(resource: string, history: History, now: Instant): string | null {
  const untilMs = history.pausedUntilMs(resource, now);
  return untilMs === null ? null : isoTime(wallMsAt(untilMs, now));
}

export function viewResource(resource: ResourceState, history: History, now: Instant): ResourceView {
  const { policy, phase, sensors } = resource;
  const outage = phaseOutage(phase);
  const link = sensors.find(sensor => sensor.carrier !== null);
  return {
    role: viewRole(policy.role),
    state: stateName(resource),
    since: isoTime(wallMsAt(phase.sinceMs, now)),
    reason: reasonWords(resource, now),
    outage: outage?.id ?? null,
    attempts: outage?.attempts ?? 0,
    carrier: link?.carrier ?? null,
    flapping: resource.flapping,
    root: outage?.root ?? null,
    paused_until: pausedUntil(policy.id, history, now),
    restart: policy.steps[0]?.argv.join(' ') ?? null,
    sensors: sensors.map(({ name, state, detail }) => ({ name, state, detail })),
  };
}

export function missingWords({ sensors }: ResourceState): string {
  const missing = sensors.filter(({ state }) => state !== 'up').map(({ detail, name }) => detail || name);
  return missing.join(', ');
}

export function reasonWords(resource: ResourceState, now: Instant): string {
  const { phase, sensors, policy } = resource;
  switch (phase.name) {
    case 'absent':
      return `not seen alive yet: ${missingWords(resource)}`;
    case 'up':
      return sensors.every(sensor => sensor.carrier !== false)
        ? 'every sensor is up'
        : 'up, but without a carrier';
    case 'verifying':
      return verifyingWords(phase, policy, now);
    case 'restarting':
      return `${causeWords(phase.outage.cause)}; attempt ${phase.running.attempt} is running`;
    case 'settling': {
      const tried =
        phase.outage.lastResult === null
          ? ''
          : `attempt ${phase.outage.attempts} ${resultWords(phase.outage.lastResult)}; `;
      const then =
        phase.next.kind === 'attempt'
          ? 'the next attempt'
          : policy.rebootWhenFailed
            ? 'asking for a reboot'
            : 'giving up';
      const inWords = durationWords(Math.max(0, phase.next.atMs - now.bootMs));
      return `${causeWords(phase.outage.cause)}; ${tried}${then} in ${inWords} unless it comes back`;
    }
    case 'suspect': {
      const why = phase.by === null ? 'it may only be replaced' : `${phase.by} may restart it`;
      const left = durationWords(Math.max(0, phase.untilMs - now.bootMs));
      return `${causeWords(phase.cause)}; ${why}, so it has ${left} to come back`;
    }
    case 'blocked':
      return `${causeWords(phase.outage.cause)}; it waits for ${phase.on}, which it needs`;
    case 'rebooting':
      return `${causeWords(phase.outage.cause)}; the machine reboots`;
    case 'held':
      return `${causeWords(phase.outage.cause)}; ${heldWords(phase.held)}`;
  }
}

function verifyingWords(phase: Verifying, policy: ResourcePolicy, now: Instant): string {
  const { dip, run, outage } = phase;
  if (dip !== null) return `${causeWords(dip.cause)}; it may only be replaced`;
  const leftMs = Math.max(0, verifiedAtMs(phase, policy.settleMs) - now.bootMs);
  return run.kind === 'running' && !run.isService
    ? `alive, and not yet verified: attempt ${outage.attempts} is still running and may stop it once more`
    : `alive, and verified when it has been so for another ${durationWords(leftMs)}`;
}
