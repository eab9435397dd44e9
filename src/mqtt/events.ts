/** Journal entries as event messages. Pure: who asks brings the clock and the roles. */

import { isCertain, timesOfEnd } from '../core/outage-times.js';
import type { Role } from '../core/policy.js';
import type { Cause, JournalEntry, RecordOf } from '../core/records.js';
import type { RefusalCode } from '../core/refusal-codes.js';
import { factWallMs, isoTime, momentOf, type Vantage, wallTime } from '../core/time.js';
import { causeWords, reopenedWords } from '../core/words.js';
import { viewDoubts } from '../report/outage-view.js';
import type { UncertainView } from '../report/views.js';

/** All that can stand in `event_type`. Home Assistant is told this list at discovery and ignores any other. */
export const eventTypes = [
  'stack_down',
  'stack_recovered',
  'service_down',
  'service_recovered',
  'outage_reopened',
  'recovery_failed',
  'reboot',
  'reboot_refused',
  'reboot_failed',
  'rebooted',
  'restart_refused',
  'carrier_lost',
  'carrier_back',
  'flapping',
  'steady',
  'held',
] as const;
export type EventType = (typeof eventTypes)[number];

/** The payload on `…/event`. Times are RFC 3339 in UTC; a field that does not apply is left out. */
export interface EventMessage {
  readonly event_type: EventType;
  /** Journal sequence number: the same fact told twice has the same number. */
  readonly seq: number;
  /** When it happened, whenever it is told. */
  readonly at: string;
  readonly outage?: string;
  readonly resource?: string;
  /** The open outage of something that this resource needs: this one is a part of that story. */
  readonly root?: string;
  readonly cause?: string;
  readonly cause_detail?: Cause;
  readonly began_at?: string;
  readonly ended_at?: string;
  readonly duration_s?: number;
  /** Where it was alive in between: the part of the duration in which it was down. */
  readonly downtime_s?: number;
  readonly attempts?: number;
  readonly detail?: string;
  /** The clock was not known to be right, then or now. */
  readonly time_uncertain: boolean;
  /** Of a recovery: which of its times are not certain, and why. */
  readonly uncertain?: UncertainView;
  /** Told more than a minute after it happened. */
  readonly told_late: boolean;
}

export interface TellingContext {
  readonly now: Vantage;
  role(resource: string): Role;
  /** What has been learned about an outage's cause since it was recorded: an exit code often comes after the death. */
  laterCause?(outage: string): Cause | undefined;
  /** The outage that an outage turned out to be a part of, whether that was known at its begin or not. */
  rootOf?(outage: string): string | undefined;
}

const lateAfterMs = 60_000;

type Fact = Omit<EventMessage, 'seq' | 'at' | 'time_uncertain' | 'told_late'>;
type Entry<T extends JournalEntry['type']> = JournalEntry & RecordOf<T>;

/** null: this entry is nobody's business but ours. */
export function eventOf(entry: JournalEntry, context: TellingContext): EventMessage | null {
  const fact = factOf(entry, context);
  if (fact === null) return null;
  const wallMs = factWallMs(entry, context.now);
  return {
    ...fact,
    seq: entry.seq,
    at: isoTime(wallMs),
    time_uncertain: isTimeUncertain(entry, context.now),
    told_late: context.now.wallMs - wallMs > lateAfterMs,
  };
}

const toldNotices: readonly RecordOf<'notice'>['what'][] = [
  'carrier_lost',
  'carrier_back',
  'flapping',
  'steady',
  'held',
];

/** Of these nobody waits for something that does not come: an old message, or a wish that is being granted. */
const untoldRefusals: readonly RefusalCode[] = ['retained', 'duplicate', 'invalid', 'busy'];

/** Home Assistant shows no answer to its buttons. Who asks at the machine itself reads it there. */
function refusedWish({
  action,
  status,
  code,
  origin,
  dryRun,
}: RecordOf<'command'>): 'reboot_refused' | 'restart_refused' | null {
  if (status !== 'rejected' || code === undefined || dryRun || !origin.startsWith('mqtt')) return null;
  if (untoldRefusals.includes(code)) return null;
  // The machine goes down within the minute.
  if (action === 'reboot') return code === 'rate_limited' ? null : 'reboot_refused';
  return action === 'restart' ? 'restart_refused' : null;
}

/** A flapping resource is told as such, not death by death: its outages are quiet. */
export function isTellable(entry: JournalEntry): boolean {
  switch (entry.type) {
    case 'outage_begin':
    case 'outage_reopened':
      return entry.quiet !== true;
    case 'recovery_failed':
    case 'reboot_intent':
    case 'reboot_refused':
    case 'reboot_failed':
    case 'rebooted':
      return true;
    case 'outage_end':
      return entry.outcome === 'recovered' && entry.quiet !== true;
    case 'command':
      return refusedWish(entry) !== null;
    case 'notice':
      return toldNotices.includes(entry.what);
    default:
      return false;
  }
}

function factOf(entry: JournalEntry, context: TellingContext): Fact | null {
  if (!isTellable(entry)) return null;
  switch (entry.type) {
    case 'outage_begin':
      return downFact(entry, context);
    case 'outage_end':
      return recoveredFact(entry, context);
    case 'outage_reopened':
      return {
        event_type: 'outage_reopened',
        outage: entry.outage,
        resource: entry.resource,
        ...rootFact(context.rootOf?.(entry.outage)),
        cause: causeWords(entry.cause),
        cause_detail: entry.cause,
        detail: `${entry.resource} ${reopenedWords(entry)}`,
      };
    case 'recovery_failed':
      return {
        event_type: 'recovery_failed',
        outage: entry.outage,
        resource: entry.resource,
        attempts: entry.attempts,
        detail: entry.detail,
      };
    case 'reboot_intent':
      return { event_type: 'reboot', ...outageOf(entry), detail: entry.reason };
    case 'reboot_refused':
      return { event_type: 'reboot_refused', ...outageOf(entry), detail: entry.detail };
    case 'command':
      return refusalFact(entry);
    case 'reboot_failed':
      return { event_type: 'reboot_failed', detail: entry.error };
    case 'rebooted':
      return {
        event_type: 'rebooted',
        ...(entry.tookMs === null ? {} : { duration_s: seconds(entry.tookMs) }),
        detail: entry.reason,
      };
    case 'notice':
      return noticeFact(entry);
    default:
      return null;
  }
}

function refusalFact(entry: Entry<'command'>): Fact | null {
  const type = refusedWish(entry);
  const { target, detail } = entry;
  return type && { event_type: type, ...(target !== undefined && { resource: target }), detail };
}

function noticeFact({ what, resource, detail }: Entry<'notice'>): Fact | null {
  const type = eventTypes.find(known => known === what);
  return type === undefined ? null : { event_type: type, resource, detail };
}

function rootFact(root: string | undefined): { root?: string } {
  return root === undefined ? {} : { root };
}

function downFact(entry: Entry<'outage_begin'>, context: TellingContext): Fact {
  const cause = context.laterCause?.(entry.outage) ?? entry.cause;
  return {
    event_type: context.role(entry.resource) === 'network' ? 'stack_down' : 'service_down',
    outage: entry.outage,
    resource: entry.resource,
    ...rootFact(context.rootOf?.(entry.outage) ?? entry.root),
    cause: causeWords(cause),
    cause_detail: cause,
    began_at: isoTime(factWallMs(entry, context.now)),
  };
}

function recoveredFact(entry: Entry<'outage_end'>, context: TellingContext): Fact {
  const { beganMs, endedMs, durationMs, doubts } = timesOfEnd(entry, context.now);
  return {
    event_type: context.role(entry.resource) === 'network' ? 'stack_recovered' : 'service_recovered',
    outage: entry.outage,
    resource: entry.resource,
    ...rootFact(context.rootOf?.(entry.outage)),
    cause: causeWords(entry.cause),
    cause_detail: entry.cause,
    began_at: isoTime(beganMs),
    ended_at: isoTime(endedMs),
    duration_s: seconds(durationMs),
    ...(entry.aliveMs !== undefined && { downtime_s: seconds(Math.max(0, durationMs - entry.aliveMs)) }),
    attempts: entry.attempts,
    ...viewDoubts(doubts),
  };
}

function isTimeUncertain(entry: JournalEntry, now: Vantage): boolean {
  if (entry.type === 'outage_end') return !isCertain(timesOfEnd(entry, now).doubts);
  const isUnseen = entry.type === 'outage_begin' && entry.cause.kind === 'unseen';
  return isUnseen || !wallTime(momentOf(entry), now).certain;
}

function outageOf(entry: { outage?: string | undefined }): { outage?: string } {
  return entry.outage === undefined ? {} : { outage: entry.outage };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}
