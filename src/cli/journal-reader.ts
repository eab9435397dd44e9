/** What the journal knows, for the commands that read it without a running sockmon. */

import { SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { wholeHistory } from '../core/history.js';
import { isCounted, type OutageHistory } from '../core/outage-history.js';
import type { Role } from '../core/policy.js';
import type { JournalEntry } from '../core/records.js';
import { type Instant, isoTime } from '../core/time.js';
import { readJournal } from '../journal/file.js';
import { viewOutage } from '../report/outage-view.js';
import { findOutages, type Story, storyOf } from '../report/story.js';
import type { OutageView } from '../report/views.js';
import { loadAddon } from '../system/addon.js';
import { systemClock } from '../system/machine.js';

/** What the journal last knew of a sockmon that does not run. */
export interface LastKnown {
  readonly running: false;
  readonly state_dir: string;
  /** Time of the last entry; null = the journal is empty. */
  readonly last_entry_at: string | null;
  /** Why it stopped; null = it did not say goodbye, or never ran. */
  readonly stopped: string | null;
  readonly last_outage: OutageView | null;
  readonly outages_total: number;
}

export function lastKnown(stateDir: string): LastKnown {
  const { entries, now } = readEntries(stateDir);
  const history = wholeHistory(entries);
  const outage = history.outages.findLast(isCounted);
  const from = history.seenFrom(now);
  const last = entries.at(-1);
  return {
    running: false,
    state_dir: stateDir,
    last_entry_at: last ? isoTime(last.wallMs) : null,
    stopped: last?.type === 'stop' ? last.reason : null,
    last_outage: outage === undefined ? null : viewOutage(outage, from, recordedRole(outage)),
    outages_total: history.outagesTotal,
  };
}

/** With the clock by which the daemon tells times: one outage has one time, wherever it is told. */
export function readEntries(stateDir: string): { readonly entries: JournalEntry[]; readonly now: Instant } {
  const entries = readJournal(stateDir);
  const clock = systemClock(loadAddon());
  const { bootId } = clock.now();
  clock.goOnFrom(entries.findLast(entry => entry.bootId === bootId));
  return { entries, now: clock.now() };
}

/** Oldest first. */
export function readOutages(stateDir: string): OutageView[] {
  const { entries, now } = readEntries(stateDir);
  return outagesOf(entries, now);
}

/**
 * The whole story of the latest outage that is meant, and the ids of the others that may have been.
 * @throws SockmonError USAGE when there is none.
 */
export function readStory(
  stateDir: string,
  wanted: string,
): { readonly story: Story; readonly others: readonly string[] } {
  const { entries, now } = readEntries(stateDir);
  const history = wholeHistory(entries);
  const found = findOutages([...history.outages], wanted);
  const outage = found.pop();
  if (outage === undefined) {
    const words = `There is no outage "${printable(wanted)}" in the journal of ${stateDir}. "sockmon history" lists them.`;
    throw new SockmonError('USAGE', words);
  }
  const story = storyOf(entries, outage, recordedRole(outage), history.seenFrom(now));
  return { story, others: found.map(({ id }) => id) };
}

function outagesOf(entries: readonly JournalEntry[], now: Instant): OutageView[] {
  const history = wholeHistory(entries);
  const from = history.seenFrom(now);
  return history.outages.map(outage => viewOutage(outage, from, recordedRole(outage)));
}

/**
 * What the resource was when it died: the configuration of back then is gone. Where the journal does not say it, the sensor that saw the
 * death does, by the rule of then: whatever is no process was the network.
 */
export function recordedRole({ begin }: OutageHistory): Role {
  return begin.role ?? (begin.sensor.startsWith('process') ? 'service' : 'network');
}
