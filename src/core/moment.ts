/** When something happened, by all that is known now about the clocks of then. Pure. */
import { type Instant, wallMsAt } from './clock.js';
import type { JournalEntry, RecordOf } from './model.js';

/**
 * Now, and what the journal knows about the wall clock of each boot: one entry that was written while the clock was right tells the
 * times of all others of its boot.
 */
export interface Vantage extends Instant {
  /** By boot id: wallMs - bootMs while the clock was synchronised, as of the latest such entry. */
  readonly clocks: ReadonlyMap<string, number>;
}

export interface WallTime {
  readonly ms: number;
  readonly certain: boolean;
}

/** As far as it was known then. */
export interface Moment {
  readonly bootId: string;
  /** Of CLOCK_BOOTTIME. */
  readonly atMs: number;
  /** What the wall clock said; the last resort. */
  readonly wallMs: number;
}

export function wallTime({ bootId, atMs, wallMs }: Moment, from: Vantage): WallTime {
  const isThisBoot = bootId === from.bootId;
  if (isThisBoot && from.synced) return { ms: wallMsAt(atMs, from), certain: true };
  const offsetMs = from.clocks.get(bootId);
  if (offsetMs !== undefined) return { ms: Math.round(offsetMs + atMs), certain: true };
  return { ms: isThisBoot ? wallMsAt(atMs, from) : Math.round(wallMs), certain: false };
}

/** The moment that an entry tells of. */
export function momentOf(entry: JournalEntry): Moment {
  const atMs = 'atMs' in entry ? entry.atMs : entry.bootMs;
  return { bootId: entry.bootId, atMs, wallMs: entry.wallMs - (entry.bootMs - atMs) };
}

export function factWallMs(entry: JournalEntry, from: Vantage): number {
  return wallTime(momentOf(entry), from).ms;
}

export interface Span {
  readonly beganMs: number;
  readonly endedMs: number;
  readonly durationMs: number;
  /** Both ends are known by a clock that was right. */
  readonly certain: boolean;
}

/**
 * Within one boot a duration is CLOCK_BOOTTIME's; across boots it is the difference of two wall times.
 * @param began null: in the boot in which it ended.
 * @param sinceMs How long it took, within one boot; across boots, what has passed for certain.
 */
export function spanOf(began: Moment | null, ended: Moment, sinceMs: number, from: Vantage): Span {
  const end = wallTime(ended, from);
  if (began === null) {
    const { atMs, wallMs } = ended;
    // Not end.ms less the duration: its begin has been told already, and two roundings would make it another millisecond.
    const beganMs = wallTime({ ...ended, atMs: atMs - sinceMs, wallMs: wallMs - sinceMs }, from).ms;
    return { beganMs, endedMs: end.ms, durationMs: sinceMs, certain: end.certain };
  }
  const begin = wallTime(began, from);
  const certain = begin.certain && end.certain;
  const durationMs = certain ? Math.max(0, end.ms - begin.ms) : sinceMs;
  return { beganMs: begin.ms, endedMs: end.ms, durationMs, certain };
}

/** Of an outage that is over. */
export function outageSpan(end: JournalEntry & RecordOf<'outage_end'>, from: Vantage): Span {
  const began = end.began === undefined ? null : { ...end.began, wallMs: end.beganWallMs };
  const ended = { bootId: end.bootId, atMs: end.atMs, wallMs: end.endedWallMs };
  return spanOf(began, ended, end.durationMs, from);
}
