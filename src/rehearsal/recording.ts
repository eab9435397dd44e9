/** The facts of a recording that hold whatever the policy was: when things died, came back, and how long scripts took. Pure. */
import { wholeHistory } from '../core/history.js';
import { isCounted, type OutageHistory } from '../core/outage-history.js';
import type { Cause, JournalEntry } from '../core/records.js';
import type { Fact, RecordedAttempt } from './rehearse.js';

/**
 * Deaths and returns in the order in which they happened. A restart that was commanded is no death.
 * @param neverBack as if nothing had ever come back.
 */
export function factsOf(entries: readonly JournalEntry[], neverBack = false): Fact[] {
  const outages = wholeHistory(entries).outages.filter(
    outage => isCounted(outage) || outage.begin.drill === true,
  );
  const own = new Set(entries.flatMap(entry => (entry.type === 'rebooted' ? [entry.bootId] : [])));
  const times = trueTimes(entries);
  const facts = outages.flatMap(outage => factsOfOne(outage, entries, times, neverBack));
  facts.sort((a, b) => a.wallMs - b.wallMs);
  return facts.map(({ bootId, ...fact }, index) => {
    const before = facts[index - 1]?.bootId;
    return { ...fact, newBoot: before !== undefined && before !== bootId && !own.has(bootId) };
  });
}

type DatedFact = Omit<Fact, 'newBoot'> & { readonly bootId: string };

function factsOfOne(
  { id, resource, begin, cause, end }: OutageHistory,
  entries: readonly JournalEntry[],
  times: (entry: JournalEntry, atMs: number) => number,
  neverBack: boolean,
): DatedFact[] {
  const down: DatedFact = {
    resource,
    cause,
    wallMs: times(begin, begin.atMs),
    bootMs: begin.atMs,
    bootId: begin.bootId,
    what: 'down',
    attempts: attemptsOf(id, entries),
  };
  if (neverBack) return [down];
  const facts = [down];
  const add = (entry: JournalEntry, atMs: number, what: Fact['what'], why: Cause): void => {
    const wallMs = Math.max(down.wallMs, times(entry, atMs));
    const attempts = what === 'up' ? [] : down.attempts;
    facts.push({ resource, cause: why, what, wallMs, bootMs: atMs, bootId: entry.bootId, attempts });
  };
  for (const entry of entries) {
    if (entry.type !== 'outage_reopened' || entry.outage !== id) continue;
    if (facts.at(-1)?.what === 'down') add(entry, entry.backMs, 'up', cause);
    // What our own script has stopped it would not have stopped with another policy.
    if (entry.run === undefined) add(entry, entry.atMs, 'down', entry.cause);
  }
  if (end?.outcome === 'recovered' && facts.at(-1)?.what === 'down') add(end, end.atMs, 'up', cause);
  return facts;
}

function attemptsOf(outage: string, entries: readonly JournalEntry[]): RecordedAttempt[] {
  return entries.flatMap((entry): RecordedAttempt[] => {
    if (entry.type !== 'attempt' || entry.outage !== outage) return [];
    const end = entries.find(
      one => one.type === 'attempt_end' && one.run === entry.run && one.seq > entry.seq,
    );
    if (end?.type !== 'attempt_end') return [{ durationMs: null, result: { kind: 'unknown' } }];
    if (end.result.kind === 'not_needed') return [];
    return [{ durationMs: end.durationMs, result: end.result }];
  });
}

/** Within a boot by CLOCK_BOOTTIME from the boot's last entry, whose wall clock is the most likely to be right. */
function trueTimes(entries: readonly JournalEntry[]): (entry: JournalEntry, atMs: number) => number {
  const offsets = new Map(entries.map(entry => [entry.bootId, entry.wallMs - entry.bootMs]));
  return (entry, atMs) => (offsets.get(entry.bootId) ?? 0) + atMs;
}
