/** Where entries stay that the journal's disk refuses: on a tmpfs they outlive sockmon, though not the machine. */
import fs from 'node:fs';
import path from 'node:path';
import type { JournalEntry } from './core/model.js';
import { parseJournal } from './journal-format.js';

export class Refuge {
  /** So many lines of the backlog are in the file. */
  private kept = 0;

  /** @param file null: there is no such place; the entries live in memory alone. */
  constructor(private readonly file: string | null) {}

  /** The entries with a greater number than the disk has. */
  after(seq: number): JournalEntry[] {
    if (this.file === null || !fs.existsSync(this.file)) return [];
    const entries = parseJournal(fs.readFileSync(this.file)).entries.filter(entry => entry.seq > seq);
    this.kept = entries.length;
    return entries;
  }

  /** @param backlog every line that the disk has not taken, oldest first. */
  keep(backlog: readonly string[]): void {
    if (this.file === null) return;
    try {
      fs.mkdirSync(path.dirname(this.file), { recursive: true, mode: 0o755 });
      fs.appendFileSync(this.file, backlog.slice(this.kept).join(''), { mode: 0o644 });
      this.kept = backlog.length;
    } catch {
      // No room here either: memory is what is left.
    }
  }

  /** The disk has everything. */
  clear(): void {
    if (this.file !== null && this.kept > 0) fs.rmSync(this.file, { force: true });
    this.kept = 0;
  }
}
