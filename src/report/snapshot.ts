/** The picture of now, derived from the machine's state and the history. Pure. */
import { faultNotes } from '../core/detection.js';
import { rebootsLeft } from '../core/guard.js';
import type { History } from '../core/history.js';
import type { Policy, ResourcePolicy, Role } from '../core/policy.js';
import { isMissed, lateMs } from '../core/sensing.js';
import { type MachineState, outageOf, phaseOutage, type ResourceState } from '../core/state.js';
import { type Instant, isoTime, wallMsAt } from '../core/time.js';
import { type Verifying, verifiedAtMs } from '../core/verifying.js';
import { causeWords, durationWords, heldWords, resultWords } from '../core/words.js';
import { figuresOf } from './figures.js';
import type { LastBoot } from './last-boot.js';
import { viewOutage } from './outage-view.js';
import {
  type ConnectionView,
  type PendingRebootView,
  type RecoveryState,
  type ResourceView,
  recoveryStates,
  type Snapshot,
  viewRole,
} from './views.js';

export interface SnapshotInfo {
  readonly node: string;
  readonly version: string;
  readonly started: Instant;
  readonly policy: Policy;
  /** Why the journal cannot be written, in a sentence; null = it can. */
  readonly journalFault: string | null;
  /** As it was found at the start: it does not change. */
  readonly lastBoot: LastBoot;
}

export function snapshot(state: MachineState, history: History, now: Instant, info: SnapshotInfo): Snapshot {
  const roles = new Map(info.policy.resources.map(policy => [policy.id, policy.role]));
  const role = (resource: string): Role => roles.get(resource) ?? 'service';
  const notes = faultNotes(state.faults);
  const { last, ...figures } = figuresOf(history, now, resource => role(resource) === 'network');
  return {
    node: info.node,
    version: info.version,
    at: isoTime(now.wallMs),
    started_at: isoTime(wallMsAt(info.started.bootMs, now)),
    boot: {
      id: now.bootId,
      at: isoTime(wallMsAt(0, now)),
      reason: bootWords(info.lastBoot),
      by: info.lastBoot.by,
    },
    status: isRecovering(state, now) ? 'recovering' : 'online',
    recovery: recoveryOf(state, history, now),
    held: heldOf(state).map(({ policy }) => policy.id),
    detection: { quality: notes.length === 0 ? 'full' : 'degraded', notes },
    resources: Object.fromEntries(
      [...state.resources].map(([id, resource]) => [id, viewResource(resource, history, now)]),
    ),
    last_outage: last === undefined ? null : viewOutage(last, history.seenFrom(now), role(last.resource)),
    ...figures,
    pause: pausedUntil('', history, now),
    pause_time_s: history.pauseTimeMs / 1000,
    problems: [
      ...problemsOf(state, history, now),
      ...(info.journalFault === null ? [] : [info.journalFault]),
    ],
    reboot: { ...viewReboot(info.policy, history, now), pending: pendingReboot(state, history, now) },
  };
}

/** In a sentence for a notification; null = the journal cannot tell. */
function bootWords({ by, reboot, before }: LastBoot): string | null {
  if (by === 'unknown') return null;
  if (reboot !== null) return `by sockmon: ${reboot.reason}`;
  return before?.orderly
    ? 'by somebody else, in order'
    : 'not by sockmon, and without a good-bye: a power cut, a crash or a hard reset';
}

/** Whether (part of) the network itself is down, or has not come up since sockmon watches it. */
export function isRecovering(state: MachineState, now: Instant): boolean {
  return [...state.resources.values()].some(
    resource =>
      resource.policy.role === 'network' &&
      (outageOf(resource.phase) !== null || isMissed(resource, now.bootMs)),
  );
}

/** @param resource '' = everything. */
function pausedUntil(resource: string, history: History, now: Instant): string | null {
  const untilMs = history.pausedUntilMs(resource, now);
  return untilMs === null ? null : isoTime(wallMsAt(untilMs, now));
}

/** The worst of all; deliberate work on everything is told as such. */
function recoveryOf(state: MachineState, history: History, now: Instant): RecoveryState {
  if (history.pausedUntilMs('', now) !== null) return 'paused';
  const names = [...state.resources.values()].map(({ phase }) =>
    phase.name === 'up'
      ? 'watching'
      : phase.name === 'held' && phase.held.why === 'paused'
        ? 'paused'
        : phase.name,
  );
  return recoveryStates.findLast(name => names.includes(name)) ?? 'watching';
}

function heldOf(state: MachineState): ResourceState[] {
  return [...state.resources.values()].filter(
    ({ phase }) => phase.name === 'held' && phase.held.why !== 'paused',
  );
}

/** Held for a pause is what somebody wanted; held for anything else is nothing to sleep on. */
function problemsOf(state: MachineState, history: History, now: Instant): string[] {
  return [...state.resources.values()].flatMap(resource => {
    const { phase, policy, flapping, sensors } = resource;
    if (phase.name === 'held' && phase.held.why !== 'paused')
      return [`${policy.id} is down and left alone: ${reasonWords(resource, now)}`];
    if (isMissed(resource, now.bootMs) && history.pausedUntilMs(policy.id, now) === null)
      return [
        `${policy.id} has not been seen alive since sockmon watches it, for more than ${durationWords(lateMs)}: ${missingWords(resource)}; start it, or mend its "watch" in the configuration`,
      ];
    const repeating = sensors.find(({ repeats }) => repeats.isNamed);
    return [
      ...(flapping ? [`${policy.id} keeps dying`] : []),
      ...(repeating === undefined
        ? []
        : [`${policy.id}: the carrier of ${repeating.interface ?? 'the interface'} keeps coming and going`]),
    ];
  });
}

function pendingReboot(state: MachineState, history: History, now: Instant): PendingRebootView | null {
  const intent = history.pendingIntent;
  if (state.reboot === null || intent === null || intent.intent !== state.reboot.intent) return null;
  const orderedAt = isoTime(wallMsAt(intent.bootMs, now));
  return { reason: intent.reason, ordered_at: orderedAt, level: state.reboot.level };
}

function viewResource(resource: ResourceState, history: History, now: Instant): ResourceView {
  const { policy, phase, sensors } = resource;
  const outage = phaseOutage(phase);
  const link = sensors.find(sensor => sensor.carrier !== null);
  return {
    role: viewRole(policy.role),
    // It is; what may still come is said by the reason.
    state: phase.name === 'verifying' ? 'up' : phase.name,
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

function missingWords({ sensors }: ResourceState): string {
  const missing = sensors.filter(({ state }) => state !== 'up').map(({ detail, name }) => detail || name);
  return missing.join(', ');
}

function reasonWords(resource: ResourceState, now: Instant): string {
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

function viewReboot(policy: Policy, history: History, now: Instant): Omit<Snapshot['reboot'], 'pending'> {
  const { allowed, command } = policy.reboot;
  const detail = allowed
    ? `allowed, by: ${command.join(' ')}`
    : 'off; set reboot.allowed or start with --allow-reboot';
  return { allowed, detail, left: rebootsLeft(policy.reboot, history, now) };
}

/** A connection that wants a person is a problem like any other. */
export function withProblemOf({ problem }: ConnectionView, snapshot: Snapshot): Snapshot {
  return problem === null ? snapshot : { ...snapshot, problems: [...snapshot.problems, problem] };
}
