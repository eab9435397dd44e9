/** What of a long journal is kept. Pure. */

import { History } from '../core/history.js';
import { remembered } from '../core/memory.js';
import { isVeto, keptLives } from '../core/outage-history.js';
import type { JournalEntry } from '../core/records.js';
import { type Elapsed, elapsedMsAt, elapsedWith, type Instant } from '../core/time.js';

const dayMs = 86_400_000;
const keptMs = 400 * dayMs;
/** After a compaction there must be room again, whatever the ages. So many of the latest stay; of older ones what is remembered. */
const keptEntries = 2500;
/** Evidence and the output of scripts are the bulk of a journal and interest nobody after a month. */
const bulkKeptMs = 30 * dayMs;
/** So many characters of them at most, the latest: a provider's fault of a week is an attempt every 15 minutes. */
const bulkChars = 256 * 1024;

/**
 * What the guard and the machine remember stays, and so do open outages, the unacknowledged and the recent; of entries that supersede one
 * another the last. Numbers are kept. An outage that goes on for weeks keeps its story and its latest attempts: the older ones are the
 * same again every 15 minutes.
 */
export function compact(
  entries: readonly JournalEntry[],
  now: Instant,
  recentEntries: number = keptEntries,
): JournalEntry[] {
  const ages = new Ages(entries, now);
  const memory = remembered(entries, entry => ages.elapsedMs(entry));
  const open = openOutages(entries);
  const given = givenUp(entries);
  const last = lastWords(entries);
  const acknowledged = Math.max(0, ...entries.map(entry => (entry.type === 'published' ? entry.upTo : 0)));
  const oldest = entries.at(-recentEntries)?.seq ?? 0;
  // What is before an old entry is no younger, whatever the clock of then: half a story would be an outage without an end.
  const old = entries.findLast(entry => ages.ms(entry) >= keptMs)?.seq ?? 0;
  const light = withoutOldBulk(entries, ages);
  const kept = light.filter(entry => {
    if (memory.seqs.has(entry.seq)) return true;
    if (isSuperseded(entry)) return false;
    const isRecent = entry.seq >= oldest;
    if ('outage' in entry && entry.outage !== undefined) {
      const isWhole = open.has(entry.outage) || memory.outages.has(entry.outage);
      if (isWhole) return isRecent || !isRetry(entry, given) || last.has(entry.seq);
    }
    return isRecent && (entry.seq > acknowledged || entry.seq > old);
  });
  return ages.stamped(withTotal(entries, withClocks(light, kept)));
}

/** Of each boot that something is kept of an entry that was written while the clock was right, if there is one: it dates the others. */
function withClocks(light: readonly JournalEntry[], kept: readonly JournalEntry[]): JournalEntry[] {
  const undated = new Set(kept.map(({ bootId }) => bootId));
  for (const { bootId, synced } of kept) if (synced) undated.delete(bootId);
  const seqs = new Set(kept.map(({ seq }) => seq));
  for (const entry of light.toReversed()) {
    if (!entry.synced || !changesNothing(entry) || !undated.has(entry.bootId)) continue;
    undated.delete(entry.bootId);
    seqs.add(entry.seq);
  }
  return light.filter(({ seq }) => seqs.has(seq));
}

/** What may be kept without what has followed it. */
function changesNothing({ type }: JournalEntry): boolean {
  return ['notice', 'published', 'start', 'stop', 'alarm', 'monitor_fault'].includes(type);
}

/**
 * How old entries are at least. A wall clock is believed only where it was synchronised at both ends: one that is 800 days ahead must not
 * empty the journal.
 */
class Ages {
  private readonly elapsed = new Map<number, number>();
  private readonly nowMs: number;

  constructor(
    entries: readonly JournalEntry[],
    private readonly now: Instant,
  ) {
    let last: Elapsed | null = null;
    for (const entry of entries) {
      last = elapsedWith(last, entry);
      this.elapsed.set(entry.seq, last.ms);
    }
    this.nowMs = elapsedMsAt(last, now);
  }

  elapsedMs({ seq }: JournalEntry): number {
    return this.nowMs - (this.elapsed.get(seq) ?? this.nowMs);
  }

  ms(entry: JournalEntry): number {
    const elapsedMs = this.elapsedMs(entry);
    if (entry.bootId === this.now.bootId || !entry.synced || !this.now.synced) return elapsedMs;
    return Math.max(elapsedMs, this.now.wallMs - entry.wallMs);
  }

  /** Where something is missing before an entry, it says the time that has passed until then. */
  stamped(kept: readonly JournalEntry[]): JournalEntry[] {
    let last: Elapsed | null = null;
    return kept.map(({ witnessedMs: _, ...bare }): JournalEntry => {
      const ms = this.elapsed.get(bare.seq) ?? 0;
      const isRight = Math.abs(elapsedMsAt(last, bare) - ms) < 0.5;
      const entry = isRight ? bare : { ...bare, witnessedMs: ms };
      last = elapsedWith(last, entry);
      return entry;
    });
  }
}

/** The outages that have gone are counted on, in the place of the last entry that has. */
function withTotal(entries: readonly JournalEntry[], kept: readonly JournalEntry[]): JournalEntry[] {
  const stories = kept.filter(({ type }) => type !== 'compacted');
  const seqs = new Set(stories.map(({ seq }) => seq));
  const gone = entries.findLast(entry => !seqs.has(entry.seq) && !isSuperseded(entry) && !isBulk(entry));
  if (gone === undefined) return stories;
  const outages = new History(entries).outagesTotal - new History(stories).outagesTotal;
  const { seq, bootId, bootMs, wallMs, synced } = gone;
  const total: JournalEntry = { seq, bootId, bootMs, wallMs, synced, type: 'compacted', outages };
  const at = stories.findIndex(entry => entry.seq > seq);
  return stories.toSpliced(at === -1 ? stories.length : at, 0, total);
}

/** The stories stay when their evidence goes. */
function withoutOldBulk(entries: readonly JournalEntry[], ages: Ages): JournalEntry[] {
  let chars = 0;
  const newestFirst = [...entries].reverse().flatMap((entry): JournalEntry[] => {
    const size = bulkOf(entry);
    if (size === 0) return [entry];
    chars += size;
    if (chars <= bulkChars && ages.ms(entry) < bulkKeptMs) return [entry];
    if (entry.type !== 'attempt_end') return [];
    const { output: _, ...light } = entry;
    return [light];
  });
  return newestFirst.reverse();
}

function isBulk({ type }: JournalEntry): boolean {
  return type === 'evidence';
}

function bulkOf(entry: JournalEntry): number {
  if (entry.type === 'evidence') return JSON.stringify(entry).length;
  return entry.type === 'attempt_end' ? (entry.output?.length ?? 0) : 0;
}

function openOutages(entries: readonly JournalEntry[]): Set<string> {
  const open = new Set<string>();
  for (const entry of entries) {
    if (entry.type === 'outage_begin' || entry.type === 'outage_reopened') open.add(entry.outage);
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

/** An attempt at what was given up, and a short life after it: the ladder does not count them any more. */
function isRetry(entry: JournalEntry, given: ReadonlyMap<string, number>): boolean {
  const isAttempt = isTry(entry) || entry.type === 'run_started';
  return isAttempt && entry.seq > (given.get(entry.outage) ?? Number.POSITIVE_INFINITY);
}

type Try = Extract<JournalEntry, { type: 'attempt' | 'attempt_end' | 'outage_end' | 'outage_reopened' }>;

function isTry(entry: JournalEntry): entry is Try {
  return ['attempt', 'attempt_end', 'outage_end', 'outage_reopened'].includes(entry.type);
}

/** By outage the last of each kind, the last veto, and the latest reopenings: what an outage that goes on is judged and told by. */
function lastWords(entries: readonly JournalEntry[]): Set<number> {
  const last = new Map<string, number>();
  const lives = new Map<string, number[]>();
  const before = new Map<string, number>();
  for (const entry of entries) {
    if (!isTry(entry)) continue;
    const isNone = entry.type === 'attempt_end' && entry.result.kind === 'not_needed';
    // What was not started was no attempt: the one before it is the last.
    if (isNone) {
      last.set(`attempt ${entry.outage}`, before.get(entry.outage) ?? 0);
      continue;
    }
    if (entry.type === 'attempt') before.set(entry.outage, last.get(`attempt ${entry.outage}`) ?? 0);
    last.set(`${entry.type} ${entry.outage}`, entry.seq);
    if (entry.type === 'attempt_end' && isVeto(entry.result)) last.set(`veto ${entry.outage}`, entry.seq);
    if (entry.type !== 'outage_reopened') continue;
    if (entry.run !== undefined) last.set(`blamed ${entry.outage}`, entry.seq);
    lives.set(entry.outage, [...(lives.get(entry.outage) ?? []), entry.seq].slice(-keptLives));
  }
  return new Set([...last.values(), ...[...lives.values()].flat()]);
}

function isSuperseded(entry: JournalEntry): boolean {
  return ['published', 'announced', 'seen', 'start', 'stop', 'pause_time'].includes(entry.type);
}
