/** What of a long journal is kept. Pure. */
import type { JournalEntry } from './model.js';

const keptMs = 400 * 86_400_000;
/** After a compaction there must be room again, whatever the ages. */
const keptEntries = 2500;

/** Open outages, the unacknowledged and the recent stay; of entries that supersede one another the last. Numbers are kept. */
export function compact(entries: readonly JournalEntry[], wallMs: number): JournalEntry[] {
  const open = openOutages(entries);
  const lastOf = new Map<string, number>();
  for (const entry of entries) lastOf.set(supersedeKey(entry), entry.seq);
  const acknowledged = Math.max(0, ...entries.map(entry => (entry.type === 'published' ? entry.upTo : 0)));
  const oldest = entries.at(-keptEntries)?.seq ?? 0;
  return entries.filter(entry => {
    if ('outage' in entry && entry.outage !== undefined && open.has(entry.outage)) return true;
    if (isSuperseded(entry) && lastOf.get(supersedeKey(entry)) !== entry.seq) return false;
    if (entry.seq > acknowledged && entry.seq >= oldest) return true;
    return entry.seq >= oldest && wallMs - entry.wallMs < keptMs;
  });
}

function openOutages(entries: readonly JournalEntry[]): Set<string> {
  const open = new Set<string>();
  for (const entry of entries) {
    if (entry.type === 'outage_begin') open.add(entry.outage);
    if (entry.type === 'outage_end') open.delete(entry.outage);
  }
  return open;
}

function isSuperseded(entry: JournalEntry): boolean {
  return (
    entry.type === 'published' || entry.type === 'seen' || entry.type === 'start' || entry.type === 'stop'
  );
}

/** A `seen` after the last `stop` must survive, and so must their order: keys are kept apart. */
function supersedeKey(entry: JournalEntry): string {
  return entry.type === 'seen'
    ? `seen ${entry.resource}`
    : isSuperseded(entry)
      ? entry.type
      : `#${entry.seq}`;
}
