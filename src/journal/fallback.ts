/** Where entries stay that the journal's disk refuses: on a tmpfs they outlive sockmon, though not the machine. */
import fs from 'node:fs';
import path from 'node:path';
import type { JournalEntry } from '../core/records.js';
import { parseJournal } from './lines.js';

export class Fallback {
  /** So many lines of the backlog are in the file; null: what is in it is to be replaced. */
  private kept: number | null = null;
  /** Of an earlier process, or of this one. */
  private mayExist = true;

  /** @param file null: there is no such place; the entries live in memory alone. */
  constructor(private readonly file: string | null) {}

  /** The entries with a greater number than the disk has. What cannot be read keeps nobody from watching. */
  after(seq: number): JournalEntry[] {
    if (this.file === null) return [];
    let bytes: Buffer;
    try {
      bytes = fs.readFileSync(this.file);
    } catch {
      // Usually ENOENT: the disk has taken everything. Nor may an unreadable tmpfs keep the daemon from its start.
      return [];
    }
    return parseJournal(bytes).entries.filter(entry => entry.seq > seq);
  }

  /** @param backlog every line that the disk has not taken, oldest first. */
  keep(backlog: readonly string[]): void {
    if (this.file === null) return;
    this.mayExist = true;
    try {
      if (this.kept === null) this.replace(this.file, backlog);
      else fs.appendFileSync(this.file, backlog.slice(this.kept).join(''));
      this.kept = backlog.length;
    } catch {
      // No room here either: memory is what is left. Half a line would swallow the next one.
      this.kept = null;
    }
  }

  /** The disk has everything. */
  clear(): void {
    if (this.file === null || !this.mayExist) return;
    this.mayExist = false;
    try {
      fs.rmSync(this.file, { force: true });
    } catch {
      // Its numbers are the disk's by now: nobody will believe it.
    }
    this.kept = null;
  }

  /** Whole, so that nothing of another process, or torn by its end, stands in between. */
  private replace(file: string, backlog: readonly string[]): void {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    fs.writeFileSync(`${file}.new`, backlog.join(''), { mode: 0o644 });
    fs.renameSync(`${file}.new`, file);
  }
}
