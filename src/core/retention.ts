/** What of a long journal is kept. Pure. */
import type { JournalEntry } from './model.js';

const dayMs = 86_400_000;
const keptMs = 400 * dayMs;
/** After a compaction there must be room again, whatever the ages. */
const keptEntries = 2500;
/** Evidence and the output of scripts are the bulk of a journal and interest nobody after a month. */
const bulkKeptMs = 30 * dayMs;
/** So many characters of them at most, the latest: a provider's fault of a week is an attempt every 15 minutes. */
const bulkChars = 256 * 1024;

/**
 * Open outages, the unacknowledged and the recent stay; of entries that supersede one another the last. Numbers are kept. An outage that
 * goes on for weeks keeps its story and its latest attempts: the older ones are the same again every 15 minutes.
 */
export function compact(entries: readonly JournalEntry[], wallMs: number): JournalEntry[] {
  const open = openOutages(entries);
  const given = givenUp(entries);
  const lastOf = new Map<string, number>();
  for (const entry of entries) lastOf.set(supersedeKey(entry), entry.seq);
  const acknowledged = Math.max(0, ...entries.map(entry => (entry.type === 'published' ? entry.upTo : 0)));
  const oldest = entries.at(-keptEntries)?.seq ?? 0;
  return withoutOldBulk(entries, wallMs).filter(entry => {
    if ('outage' in entry && entry.outage !== undefined && open.has(entry.outage))
      return entry.seq >= oldest || !isRetry(entry, given);
    const isLast = lastOf.get(supersedeKey(entry)) === entry.seq;
    if (isSuperseded(entry) && !isLast) return false;
    // A setting, not an event.
    if (entry.type === 'pause_time') return true;
    if (entry.seq > acknowledged && entry.seq >= oldest) return true;
    return entry.seq >= oldest && wallMs - entry.wallMs < keptMs;
  });
}

/** The stories stay when their evidence goes. */
function withoutOldBulk(entries: readonly JournalEntry[], wallMs: number): JournalEntry[] {
  let chars = 0;
  const newestFirst = [...entries].reverse().flatMap((entry): JournalEntry[] => {
    const size = bulkOf(entry);
    if (size === 0) return [entry];
    chars += size;
    if (chars <= bulkChars && wallMs - entry.wallMs < bulkKeptMs) return [entry];
    if (entry.type !== 'attempt_end') return [];
    const { output: _, ...light } = entry;
    return [light];
  });
  return newestFirst.reverse();
}

function bulkOf(entry: JournalEntry): number {
  if (entry.type === 'evidence') return JSON.stringify(entry).length;
  return entry.type === 'attempt_end' ? (entry.output?.length ?? 0) : 0;
}

function openOutages(entries: readonly JournalEntry[]): Set<string> {
  const open = new Set<string>();
  for (const entry of entries) {
    if (entry.type === 'outage_begin') open.add(entry.outage);
    if (entry.type === 'outage_end') open.delete(entry.outage);
  }
  return open;
}

/** Where an outage was given up, by its id. */
function givenUp(entries: readonly JournalEntry[]): Map<string, number> {
  const given = new Map<string, number>();
  for (const entry of entries) {
    if (entry.type === 'recovery_failed' && !given.has(entry.outage)) given.set(entry.outage, entry.seq);
  }
  return given;
}

/** An attempt at what was given up: the ladder does not count it any more. */
function isRetry(entry: JournalEntry, given: ReadonlyMap<string, number>): boolean {
  if (entry.type !== 'attempt' && entry.type !== 'attempt_end') return false;
  return entry.seq > (given.get(entry.outage) ?? Number.POSITIVE_INFINITY);
}

function isSuperseded(entry: JournalEntry): boolean {
  return ['published', 'announced', 'seen', 'start', 'stop', 'pause_time'].includes(entry.type);
}

/** A `seen` after the last `stop` must survive, and so must their order: keys are kept apart. */
function supersedeKey(entry: JournalEntry): string {
  return entry.type === 'seen'
    ? `seen ${entry.resource}`
    : isSuperseded(entry)
      ? entry.type
      : `#${entry.seq}`;
}
