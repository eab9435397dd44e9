/** Why the machine last rebooted, as far as the journal can tell. Pure. */

import { History } from '../core/history.js';
import { isBookkeeping } from '../core/memory.js';
import type { JournalEntry, RecordOf } from '../core/records.js';
import {
  factWallMs,
  type Instant,
  isoTime,
  momentOf,
  type Vantage,
  wallMsAt,
  wallTime,
} from '../core/time.js';

type Intent = JournalEntry & RecordOf<'reboot_intent'>;

/** Keys as printed by `sockmon explain --json`. */
export interface LastBoot {
  readonly boot: { readonly id: string; readonly at: string };
  /**
   * sockmon: it ordered this reboot. other: somebody or something else did. unknown: the journal does not reach back before this boot.
   */
  readonly by: 'sockmon' | 'other' | 'unknown';
  readonly reboot: RebootView | null;
  /** The outage that it was for. */
  readonly outage: string | null;
  /** The command that asked for it. */
  readonly command: string | null;
  /** What the journal said last in the boot before: a `stop` means an orderly end. */
  readonly before: { readonly at: string; readonly orderly: boolean; readonly reason: string | null } | null;
  /** A reboot that has been ordered in this boot and has not come. */
  readonly pending: RebootView | null;
}

export function lastBootOf(entries: readonly JournalEntry[], now: Instant): LastBoot {
  const earlier = entries.filter(entry => entry.bootId !== now.bootId);
  const from = new History(entries).seenFrom(now);
  const at = (entry: JournalEntry): string => isoTime(factWallMs(entry, from));
  const intents = entries.filter((entry): entry is Intent => entry.type === 'reboot_intent');
  const reached = intents.findLast(intent => hasReached(intent, entries, now));
  const ordered = intents.findLast(intent => intent.bootId === now.bootId);
  const last = earlier.findLast(entry => !isBookkeeping(entry));
  const view = (intent: Intent | undefined): RebootView | null =>
    intent === undefined ? null : viewRebootOf(intent, entries, from);
  const pending = ordered !== undefined && !isSettled(ordered, entries) ? ordered : undefined;
  return {
    boot: { id: now.bootId, at: isoTime(wallMsAt(0, now)) },
    by: reached !== undefined ? 'sockmon' : last === undefined ? 'unknown' : 'other',
    reboot: view(reached),
    outage: reached?.outage ?? null,
    command: reached?.command ?? null,
    before:
      last === undefined
        ? null
        : { at: at(last), orderly: last.type === 'stop', reason: last.type === 'stop' ? last.reason : null },
    pending: view(pending),
  };
}

/** Reported as done in this boot; or not reported yet, because sockmon has not run since. */
function hasReached(intent: Intent, entries: readonly JournalEntry[], now: Instant): boolean {
  const fate = entries.findLast(
    entry =>
      entry.seq > intent.seq &&
      (entry.type === 'rebooted' || (entry.type === 'reboot_failed' && entry.final !== false)) &&
      entry.intent === intent.intent,
  );
  if (fate !== undefined) return fate.type === 'rebooted' && fate.bootId === now.bootId;
  if (intent.bootId === now.bootId) return false;
  return !entries.some(entry => entry.seq > intent.seq && entry.bootId !== intent.bootId);
}

function isSettled({ intent, seq }: Intent, entries: readonly JournalEntry[]): boolean {
  return entries.some(
    entry =>
      entry.seq > seq &&
      (entry.type === 'rebooted' || (entry.type === 'reboot_failed' && entry.final !== false)) &&
      entry.intent === intent,
  );
}
export interface RebootView {
  readonly intent: string;
  readonly reason: string;
  readonly ordered_at: string;
  /** Harder ways that were taken after the command. */
  readonly forced: readonly ('force' | 'kernel')[];
  readonly errors: readonly string[];
  /** When sockmon was up again in the next boot; null = it has not come (yet). */
  readonly back_at: string | null;
  readonly took_s: number | null;
}
/** @param entries Those among which its fate is to be found. */

export function viewRebootOf(
  order: JournalEntry & RecordOf<'reboot_intent'>,
  entries: readonly JournalEntry[],
  from: Vantage,
): RebootView {
  const later = entries.filter(
    entry => 'intent' in entry && entry.intent === order.intent && entry.seq > order.seq,
  );
  const back = later.find(entry => entry.type === 'rebooted');
  const ordered = wallTime(momentOf(order), from);
  const returned = back === undefined ? null : wallTime(momentOf(back), from);
  const isKnown = returned !== null && ordered.certain && returned.certain;
  return {
    intent: order.intent,
    reason: order.reason,
    ordered_at: isoTime(ordered.ms),
    forced: later.flatMap(entry => (entry.type === 'reboot_forced' ? [entry.level] : [])),
    errors: later.flatMap(entry => (entry.type === 'reboot_failed' ? [entry.error] : [])),
    back_at: returned === null ? null : isoTime(returned.ms),
    took_s: isKnown ? Math.max(0, Math.round(returned.ms - ordered.ms)) / 1000 : null,
  };
}
