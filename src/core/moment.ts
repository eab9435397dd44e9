/** When the fact of an entry happened, by the clock as it is now. Pure. */
import { type Instant, wallMsAt } from './clock.js';
import type { JournalEntry } from './model.js';

/** Counted from the same boot where that is possible; else as it was believed when it was written. */
export function factWallMs(entry: JournalEntry, now: Instant): number {
  const atMs = 'atMs' in entry ? entry.atMs : entry.bootMs;
  if (entry.bootId === now.bootId) return wallMsAt(atMs, now);
  return Math.round(entry.wallMs - (entry.bootMs - atMs));
}
