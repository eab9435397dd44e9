/** What the guard and the machine remember: these entries outlive every compaction, whatever their age. Pure. */
import type { Acted } from './history.js';
import { isHeldBack } from './ladder.js';
import type { EarlierRun } from './ports.js';
import type { JournalEntry, RecordOf } from './records.js';
import type { Instant } from './time.js';

const dayMs = 86_400_000;
/** The longest time that a budget may be given in the configuration. */
const longestBudgetMs = 30 * dayMs;
/** No budget of reboots is larger. */
export const rememberedIntents = 100;
/** Intents that were taken back count for nothing; the latest still say what may be wished for again. */
const rememberedCancelled = 10;
/** Ids are remembered this long at least: a broker may redeliver, nobody redelivers older ones. */
export const rememberedCommands = 1500;
/** No budget of restarts is larger. */
const rememberedAttempts = 1000;

/** Runs whose end is not recorded: as many as there may be scripts at once. */
const rememberedRuns = 1000;

/** What the broker has taken may be noted after the good-bye. */
export function isBookkeeping({ type }: JournalEntry): boolean {
  return type === 'published' || type === 'announced';
}

export interface Remembered {
  readonly seqs: ReadonlySet<number>;
  /** Whose stories stay, such as the last of each resource: its number counts on, its cause may be learned late. */
  readonly outages: ReadonlySet<string>;
}

export function remembered(
  entries: readonly JournalEntry[],
  elapsedSinceMs: (entry: JournalEntry) => number,
): Remembered {
  const memory = new Memory(entries, elapsedSinceMs);
  for (let index = entries.length - 1; index >= 0; index--) memory.look(entries[index] as JournalEntry);
  return memory;
}

/** Looks at the entries from the newest to the oldest. */
class Memory implements Remembered {
  readonly seqs = new Set<number>();
  readonly outages = new Set<string>();
  private readonly known = new Set<string>();
  private readonly counts = new Map<string, number>();
  private readonly intents: ReadonlySet<string>;
  private readonly lastBootId: string | undefined;

  constructor(
    entries: readonly JournalEntry[],
    private readonly elapsedSinceMs: (entry: JournalEntry) => number,
  ) {
    const last = entries.at(-1);
    this.lastBootId = last?.bootId;
    if (last !== undefined) this.seqs.add(last.seq);
    for (const pause of pausesIn(entries)) if (pause.bootId === last?.bootId) this.seqs.add(pause.seq);
    for (const start of forgettingStarts(entries)) this.seqs.add(start.seq);
    this.intents = intentsIn(entries);
  }

  look(entry: JournalEntry): void {
    if (!this.isKept(entry)) return;
    this.seqs.add(entry.seq);
    // A begin without its end would be an open outage.
    if (entry.type === 'outage_begin') this.outages.add(entry.outage);
  }

  private isKept(entry: JournalEntry): boolean {
    // How the boot before this one ended, is asked for by `sockmon explain`.
    const endsEarlierBoot =
      entry.bootId !== this.lastBootId && !isBookkeeping(entry) && this.first('an earlier boot');
    return this.isMemory(entry) || endsEarlierBoot;
  }

  private isMemory(entry: JournalEntry): boolean {
    if ('intent' in entry) return this.intents.has(entry.intent);
    switch (entry.type) {
      case 'start':
      case 'stop':
      case 'published':
      case 'announced':
      case 'pause_time':
        return this.first(entry.type);
      case 'seen':
      case 'unwatched':
        return this.first(`seen ${entry.resource}`);
      case 'notice':
        // A missing address is no death while the last word about the carrier is that it is gone.
        if (entry.carrier !== undefined) return this.first(`carrier ${entry.resource}`);
        return entry.what === 'held' && this.first(`held ${entry.resource}`);
      case 'outage_begin':
        return this.first(`outage ${entry.resource}`);
      case 'outage_end':
        return entry.outcome === 'recovered' && this.first(`back ${entry.resource}`);
      case 'command':
        return entry.status === 'accepted' && !entry.dryRun && this.isCommandKept(entry);
      case 'attempt':
        return this.known.has(`open ${entry.run}`) || this.isAttemptKept(entry);
      case 'run_started':
        return entry.bootId === this.lastBootId && this.isRunKept(entry);
      case 'attempt_end':
        this.known.add(`end ${entry.run}`);
        // It says that its attempt does not count.
        return isHeldBack(entry.result) && this.isAttemptKept(entry);
      default:
        return false;
    }
  }

  private isCommandKept(entry: Extract<JournalEntry, { type: 'command' }>): boolean {
    const isWish =
      entry.origin.startsWith('mqtt') && this.first(`wish ${entry.action} ${entry.target ?? ''}`);
    return this.amongLast('command', rememberedCommands) || isWish;
  }

  /** Looked at from the newest on: its end has come by already, if there is one. */
  private isRunKept({ run }: RecordOf<'run_started'>): boolean {
    if (this.known.has(`end ${run}`) || !this.amongLast('run_started', rememberedRuns)) return false;
    this.known.add(`open ${run}`);
    return true;
  }

  private isAttemptKept(entry: Extract<JournalEntry, { type: 'attempt' | 'attempt_end' }>): boolean {
    if (this.elapsedSinceMs(entry) >= longestBudgetMs) return false;
    return this.amongLast(`${entry.type} ${entry.resource}`, rememberedAttempts);
  }

  private first(key: string): boolean {
    if (this.known.has(key)) return false;
    this.known.add(key);
    return true;
  }

  private amongLast(key: string, limit: number): boolean {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return count <= limit;
  }
}

function intentsIn(entries: readonly JournalEntry[]): Set<string> {
  const cancelled = new Set(
    entries.flatMap(entry => (entry.type === 'reboot_failed' && entry.cancelled ? [entry.intent] : [])),
  );
  const all = entries.flatMap(entry => (entry.type === 'reboot_intent' ? [entry.intent] : []));
  const real = all.filter(intent => !cancelled.has(intent));
  return new Set([...real.slice(-rememberedIntents), ...all.slice(-rememberedCancelled)]);
}

/** Those that have made it forget a resource that is not watched any more: by resource the last. */
function forgettingStarts(entries: readonly JournalEntry[]): Iterable<JournalEntry> {
  const seen = new Set<string>();
  const starts = new Map<string, JournalEntry>();
  for (const entry of entries) {
    if (entry.type === 'seen' || entry.type === 'outage_end') seen.add(entry.resource);
    if (entry.type !== 'start') continue;
    for (const id of seen) {
      if (entry.resources.includes(id)) continue;
      seen.delete(id);
      starts.set(id, entry);
    }
  }
  return starts.values();
}

/** Those that are not superseded or lifted. */
function pausesIn(entries: readonly JournalEntry[]): Iterable<JournalEntry> {
  const pauses = new Map<string, JournalEntry>();
  for (const entry of entries) {
    if (entry.type === 'pause') pauses.set(entry.resource ?? '', entry);
    if (entry.type !== 'resume') continue;
    if (entry.resource === null) pauses.clear();
    else pauses.delete(entry.resource);
  }
  return pauses.values();
}

// The attempts of all resources: for the budgets, and for a sockmon that starts in the middle of one.

type Attempt = Acted & RecordOf<'attempt'>;

export class Attempts {
  /** Starts by resource, the latest last. */
  private readonly begun = new Map<string, Attempt[]>();
  /** Runs whose end has not been recorded, by their id. */
  private readonly open = new Map<string, EarlierRun & { readonly bootId: string }>();

  add(attempt: Attempt): void {
    const attempts = this.begun.get(attempt.resource) ?? [];
    attempts.push(attempt);
    if (attempts.length > rememberedAttempts) attempts.shift();
    this.begun.set(attempt.resource, attempts);
  }

  /** What a shutdown has held back was no restart. */
  takeBack({ resource, run }: RecordOf<'attempt_end'>): void {
    const attempts = this.begun.get(resource) ?? [];
    const kept = attempts.filter(attempt => attempt.run !== run);
    this.begun.set(resource, kept);
  }

  of(resource: string): readonly Acted[] {
    return this.begun.get(resource) ?? [];
  }

  started(entry: JournalEntry & RecordOf<'run_started'>): void {
    const { run, resource, pid, startTicks, deadlineMs = null, graceMs, bootId } = entry;
    for (const [id, other] of this.open) if (other.bootId !== bootId) this.open.delete(id);
    const begun = this.begun.get(resource)?.findLast(attempt => attempt.run === run);
    if (begun === undefined) return;
    const { outage, attempt, step = '', script, by, atMs: startedMs } = begun;
    const purpose = { resource, outage, attempt, step, script, by };
    this.open.set(run, { ...purpose, run, pid, startTicks, startedMs, deadlineMs, graceMs, bootId });
    for (const [oldest] of this.open) if (this.open.size > rememberedRuns) this.open.delete(oldest);
  }

  ended({ run }: RecordOf<'attempt_end'>): void {
    this.open.delete(run);
  }

  /** Those of this boot that have begun and of whose end nothing is recorded. Whether they live, only their processes can tell. */
  openRuns({ bootId }: Pick<Instant, 'bootId'>): readonly EarlierRun[] {
    return [...this.open.values()].flatMap(({ bootId: of, ...run }) => (of === bootId ? [run] : []));
  }
}
