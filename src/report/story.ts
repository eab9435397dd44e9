/** The whole story of one outage, from the journal's entries. Pure. Keys as printed by `sockmon history OUTAGE --json`. */

import { wholeHistory } from '../core/history.js';
import { evidenceOf, type OutageHistory } from '../core/outage-history.js';
import type { Role } from '../core/policy.js';
import type { JournalEntry, RecordOf, RunResult } from '../core/records.js';
import { factWallMs, isoTime, type Vantage } from '../core/time.js';
import { describe, resultWords } from '../core/words.js';
import { type RebootView, viewRebootOf } from './last-boot.js';
import { viewOutage } from './outage-view.js';
import type { OutageView } from './views.js';

export interface AttemptView {
  readonly attempt: number;
  readonly by: RecordOf<'attempt'>['by'];
  readonly step: string | null;
  readonly script: string;
  readonly began_at: string;
  /** null: its end has not been recorded; a script that stays on as the service has none. */
  readonly duration_s: number | null;
  readonly result: RunResult | null;
  /** In words, e.g. `failed with status 2`. */
  readonly ended: string | null;
  readonly output: string | null;
}

export interface RecordedEvidence {
  readonly when: 'before' | 'after';
  readonly at: string;
  readonly kernel: readonly string[];
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  /** Absent where packet filters were not looked for. */
  readonly filters?: readonly string[];
  /** Absent where tasks that the kernel holds were not looked for. */
  readonly held?: readonly string[];
}

export interface StoryMoment {
  readonly seq: number;
  readonly at: string;
  /** Since the begin of the outage. */
  readonly after_s: number;
  readonly text: string;
}

export interface Story {
  readonly outage: OutageView;
  readonly sensor: string;
  readonly drill: boolean;
  /** One of many deaths of a flapping resource: recorded, not told. */
  readonly quiet: boolean;
  /** The outages that this one was the root of. */
  readonly dependants: readonly string[];
  readonly attempts: readonly AttemptView[];
  readonly evidence: readonly RecordedEvidence[];
  readonly reboots: readonly RebootView[];
  /** Everything that was recorded about it, in order; evidence stands by itself. */
  readonly moments: readonly StoryMoment[];
}

/** Outages by their id, or by as much of its end as a person cares to type: `12`, `tcpip-12`. The latest last. */
export function findOutages(outages: readonly OutageHistory[], wanted: string): OutageHistory[] {
  const exact = outages.filter(outage => outage.id === wanted);
  return exact.length > 0 ? exact : outages.filter(outage => outage.id.endsWith(`-${wanted}`));
}

export function storyOf(
  entries: readonly JournalEntry[],
  outage: OutageHistory,
  role: Role,
  now: Vantage,
): Story {
  const { id, begin } = outage;
  const dependants = wholeHistory(entries).outages.filter(other => other.root === id);
  const own = entries.filter(entry => belongs(entry, outage, entries));
  const of = <T extends JournalEntry['type']>(type: T) =>
    own.filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
  const at = (entry: JournalEntry): string => isoTime(factWallMs(entry, now));
  return {
    outage: viewOutage(outage, now, role),
    sensor: outage.sensor,
    drill: begin.drill ?? false,
    quiet: begin.quiet ?? false,
    dependants: dependants.map(other => other.id),
    attempts: of('attempt').map(attempt => viewAttempt(attempt, of('attempt_end'), at(attempt))),
    evidence: of('evidence').map(entry => {
      return { when: entry.when, at: at(entry), ...evidenceOf(entry) };
    }),
    reboots: of('reboot_intent').map(intent => viewRebootOf(intent, own, now)),
    moments: own
      .filter(({ type }) => type !== 'evidence' && type !== 'run_started')
      .map(entry => ({
        seq: entry.seq,
        at: at(entry),
        after_s: Math.max(0, factWallMs(entry, now) - factWallMs(begin, now)) / 1000,
        text: describe(entry).text,
      })),
  };
}

/** Its own entries, those of its reboots, and what was noticed about its resource meanwhile. */
function belongs(entry: JournalEntry, outage: OutageHistory, entries: readonly JournalEntry[]): boolean {
  if ('outage' in entry && entry.outage !== undefined) return entry.outage === outage.id;
  if ('intent' in entry)
    return entries.some(
      one =>
        one.type === 'reboot_intent' &&
        one.seq < entry.seq &&
        one.intent === entry.intent &&
        one.outage === outage.id,
    );
  const during = entry.seq > outage.begin.seq && entry.seq < (outage.end?.seq ?? Number.POSITIVE_INFINITY);
  return during && entry.type === 'notice' && entry.resource === outage.resource;
}

function viewAttempt(
  { attempt, by, step, script, run, seq }: JournalEntry & RecordOf<'attempt'>,
  ends: readonly (JournalEntry & RecordOf<'attempt_end'>)[],
  began_at: string,
): AttemptView {
  // What was not needed has left its number to the next.
  const end = ends.find(one => one.run === run && one.seq > seq);
  return {
    attempt,
    by,
    step: step ?? null,
    script,
    began_at,
    duration_s: end === undefined ? null : Math.round(end.durationMs) / 1000,
    result: end?.result ?? null,
    ended: end === undefined ? null : resultWords(end.result),
    output: end?.output ?? null,
  };
}
