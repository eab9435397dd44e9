/** What has happened, in its three forms: the journal on disk, its fold in memory, the log. */
import { History } from '../core/history.js';
import type { Journal, Log } from '../core/ports.js';
import type { JournalEntry, JournalRecord } from '../core/records.js';
import { describe } from '../core/words.js';

/** A line costs about as much as a death. */
const linesPerTurn = 100;

export class Recorder {
  readonly history: History;
  /** In a sentence; null = the disk takes what it is given. */
  fault: string | null = null;
  private untold: JournalEntry[] = [];
  private turn: NodeJS.Immediate | null = null;

  constructor(
    readonly journal: Journal,
    private readonly log: Log,
  ) {
    this.history = new History(journal.entries);
  }

  /** Known at once; on disk with the next commit; in the log with the next telling. */
  add(records: readonly JournalRecord[]): void {
    for (const entry of this.journal.add(records)) {
      this.history.apply(entry);
      this.untold.push(entry);
    }
  }

  /** Of very much the begin, and the rest in later turns: what dies meanwhile comes first. */
  tell(): void {
    if (this.turn === null) this.tellSome(linesPerTurn);
  }

  /** The log's last words. */
  tellAll(): void {
    if (this.turn !== null) clearImmediate(this.turn);
    this.turn = null;
    this.tellSome(this.untold.length);
  }

  private tellSome(lines: number): void {
    for (const entry of this.untold.slice(0, lines)) {
      const { level, text } = describe(entry);
      this.log[level]({ seq: entry.seq, ...('outage' in entry && { outage: entry.outage }) }, text);
    }
    this.untold = this.untold.slice(lines);
    if (this.untold.length === 0) return;
    this.turn = setImmediate(() => {
      this.turn = null;
      this.tellSome(linesPerTurn);
    });
  }

  /** False when the disk refuses. Restarts go on then: a recovery that nobody remembers is better than none. */
  commit(): boolean {
    const before = this.fault;
    try {
      this.journal.commit();
      this.fault = null;
      if (before !== null) this.log.info({}, 'the journal can be written again');
    } catch (error) {
      this.fault = (error as Error).message;
      if (before === null) this.log.error({ err: error }, this.fault);
    }
    this.history.isUnwritten = this.fault !== null;
    return this.fault === null;
  }

  record(records: readonly JournalRecord[]): boolean {
    this.add(records);
    const saved = this.commit();
    this.tell();
    return saved;
  }

  /** Every entry with a greater number, oldest first. */
  after(seq: number): readonly JournalEntry[] {
    const { entries } = this.journal;
    let from = entries.length;
    while (from > 0 && (entries[from - 1]?.seq ?? 0) > seq) from--;
    return entries.slice(from);
  }
}
