/** The picture of now, derived from the machine's state and the history: the whole of it, and what its parts have in common. Pure. */
import { faultNotes } from '../core/detection.js';
import { rebootsLeft } from '../core/guard.js';
import type { History } from '../core/history.js';
import type { Policy, Role } from '../core/policy.js';
import { isMissed, lateMs } from '../core/sensing.js';
import { type MachineState, outageOf, type ResourceState } from '../core/state.js';
import { type Instant, isoTime, wallMsAt } from '../core/time.js';
import { durationWords } from '../core/words.js';
import { type Figures, figuresOf } from './figures.js';
import type { LastBoot } from './last-boot.js';
import { viewOutage } from './outage-view.js';
import { missingWords, pausedUntil, reasonWords, viewResource } from './resource-view.js';
import {
  type Bearing,
  type ConnectionView,
  type Origin,
  type PendingRebootView,
  type RecoveryState,
  recoveryStates,
  type Snapshot,
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

/** What the whole picture, and each part of it, is made from. */
export interface Seen {
  readonly state: MachineState;
  readonly history: History;
  readonly now: Instant;
  readonly info: SnapshotInfo;
}

export function snapshot(seen: Seen): Snapshot {
  const { state, history, now, info } = seen;
  const role = roleIn(info.policy);
  const { last, ...figures } = figuresOf(history, now, resource => role(resource) === 'network');
  return {
    ...originOf(seen),
    ...bearingOf(seen, [...state.resources.values()]),
    ...figures,
    resources: Object.fromEntries(
      [...state.resources].map(([id, resource]) => [id, viewResource(resource, history, now)]),
    ),
    last_outage: last === undefined ? null : viewOutage(last, history.seenFrom(now), role(last.resource)),
  };
}

function roleIn({ resources }: Policy): (resource: string) => Role {
  const roles = new Map(resources.map(policy => [policy.id, policy.role]));
  return resource => roles.get(resource) ?? 'service';
}

export function originOf({ now, info }: Seen): Origin {
  return {
    node: info.node,
    version: info.version,
    started_at: isoTime(wallMsAt(info.started.bootMs, now)),
    boot: {
      id: now.bootId,
      at: isoTime(wallMsAt(0, now)),
      reason: bootWords(info.lastBoot),
      by: info.lastBoot.by,
    },
  };
}

/** @param notable Resources, without those that are up and of which nothing else is to be said. In the order of the policy. */
export function bearingOf(
  { state, history, now, info }: Seen,
  notable: readonly ResourceState[],
): Omit<Bearing, keyof Figures> {
  const notes = faultNotes(state.faults);
  return {
    at: isoTime(now.wallMs),
    status: isRecovering(notable, now) ? 'recovering' : 'online',
    recovery: recoveryOf(notable, history, now),
    held: notable.filter(isHeld).map(({ policy }) => policy.id),
    detection: { quality: notes.length === 0 ? 'full' : 'degraded', notes },
    pause: pausedUntil('', history, now),
    pause_time_s: history.pauseTimeMs / 1000,
    problems: [
      ...problemsOf(notable, history, now),
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
export function isRecovering(resources: readonly ResourceState[], now: Instant): boolean {
  return resources.some(
    resource =>
      resource.policy.role === 'network' &&
      (outageOf(resource.phase) !== null || isMissed(resource, now.bootMs)),
  );
}

/** The worst of all; deliberate work on everything is told as such. */
function recoveryOf(resources: readonly ResourceState[], history: History, now: Instant): RecoveryState {
  if (history.pausedUntilMs('', now) !== null) return 'paused';
  const names = new Set(
    resources.map(({ phase }) =>
      phase.name === 'up'
        ? 'watching'
        : phase.name === 'held' && phase.held.why === 'paused'
          ? 'paused'
          : phase.name,
    ),
  );
  return recoveryStates.findLast(name => names.has(name)) ?? 'watching';
}

function isHeld({ phase }: ResourceState): boolean {
  return phase.name === 'held' && phase.held.why !== 'paused';
}

/** Held for a pause is what somebody wanted; held for anything else is nothing to sleep on. */
function problemsOf(resources: readonly ResourceState[], history: History, now: Instant): string[] {
  return resources.flatMap(resource => {
    const { policy, flapping, sensors } = resource;
    if (isHeld(resource)) return [`${policy.id} is down and left alone: ${reasonWords(resource, now)}`];
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

function viewReboot(policy: Policy, history: History, now: Instant): Omit<Snapshot['reboot'], 'pending'> {
  const { allowed, command } = policy.reboot;
  const detail = allowed
    ? `allowed, by: ${command.join(' ')}`
    : 'off; set reboot.allowed or start with --allow-reboot';
  return { allowed, detail, left: rebootsLeft(policy.reboot, history, now) };
}

/** A connection that wants a person is a problem like any other. */
export function withProblemOf<P extends Pick<Snapshot, 'problems'>>({ problem }: ConnectionView, told: P): P {
  return problem === null ? told : { ...told, problems: [...told.problems, problem] };
}
