/** When an outage began and ended, as well as that is known now, and what of it is not certain. Pure. */
import type { OutageHistory } from './outage-history.js';
import type { JournalEntry, RecordOf } from './records.js';
import { momentOf, outageSpan, type Vantage, wallTime } from './time.js';

/**
 * Why a time is not certain. unset_clock: the clock of that boot was never known to be right. unseen: it was earlier than told, since nobody
 * looked then, such as while the machine was booting.
 */
export type TimeDoubt = 'unset_clock' | 'unseen';

/** What is certain is left out. */
export interface Doubts {
  readonly began?: TimeDoubt;
  readonly ended?: TimeDoubt;
  /** The true duration is at least the one that is told, at most that, or about that. */
  readonly duration?: 'at_least' | 'at_most' | 'about';
}

interface OutageTimes {
  readonly beganMs: number;
  /** null while it is open. */
  readonly endedMs: number | null;
  readonly durationMs: number | null;
  readonly doubts: Doubts;
}

/** Wall times of an outage. */
export function timesOf({ begin, end }: OutageHistory, from: Vantage): OutageTimes {
  if (end !== null) return timesOfEnd(end, from);
  const began = wallTime(momentOf(begin), from);
  const doubt = doubtOf(begin.cause.kind === 'unseen', began.certain);
  return {
    beganMs: began.ms,
    endedMs: null,
    durationMs: null,
    doubts: doubt === null ? {} : { began: doubt },
  };
}

/** Of an outage that is over. */
export function timesOfEnd(
  entry: JournalEntry & RecordOf<'outage_end'>,
  from: Vantage,
): OutageTimes & { readonly endedMs: number; readonly durationMs: number } {
  const { certain, ...times } = outageSpan(entry, from);
  const unseen = unseenOf(entry);
  const began = doubtOf(unseen.began, certain.began);
  const ended = doubtOf(unseen.ended, certain.ended);
  // Between two boots whose clocks are not known, something may have passed that nobody can tell.
  const duration = durationDoubt(unseen.began || !certain.duration, unseen.ended);
  return {
    ...times,
    doubts: {
      ...(began !== null && { began }),
      ...(ended !== null && { ended }),
      ...(duration !== null && { duration }),
    },
  };
}

/** Begin and end are known by a clock that was right, and somebody looked. */
export function isCertain({ began, ended }: Doubts): boolean {
  return began === undefined && ended === undefined;
}

/** Older entries say only that it was one of both. */
function unseenOf({ unseen, timeUncertain, cause }: RecordOf<'outage_end'>): {
  began: boolean;
  ended: boolean;
} {
  const which = unseen ?? (timeUncertain ? (cause.kind === 'unseen' ? 'began' : 'ended') : null);
  return { began: which === 'began' || which === 'both', ended: which === 'ended' || which === 'both' };
}

function doubtOf(isUnseen: boolean, isCertain: boolean): TimeDoubt | null {
  if (isUnseen) return 'unseen';
  return isCertain ? null : 'unset_clock';
}

function durationDoubt(isLonger: boolean, isShorter: boolean): Required<Doubts>['duration'] | null {
  if (isLonger) return isShorter ? 'about' : 'at_least';
  return isShorter ? 'at_most' : null;
}
