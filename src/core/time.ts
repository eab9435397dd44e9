/** Instants, wall times worked out afterwards, and the time that has passed for certain. Pure. */
import { offsetMsOf } from '../base/clock-offset.js';
import type { JournalEntry, RecordOf } from './records.js';

/**
 * Two clocks side by side (clock_gettime(2)): CLOCK_BOOTTIME for every duration, the wall clock for telling people.
 * `bootId` (proc_sys_kernel_random) says which boot `bootMs` counts from.
 */
export interface Instant {
  readonly bootId: string;
  /** Milliseconds of CLOCK_BOOTTIME, in a container less what it was at the container's own boot. */
  readonly bootMs: number;
  /** Milliseconds since the epoch. May be wrong while `synced` is false. */
  readonly wallMs: number;
  readonly synced: boolean;
}

export interface Clock {
  now(): Instant;
}

/** A begin that is known directly and the same one as an end less a duration differ by less than a microsecond: that must not make two times. */
function wholeMs(bootMs: number): number {
  return Math.floor(Math.round(bootMs * 1000) / 1000);
}

/** The wall time of another moment of the same boot, judged by the clock as it is now. */
export function wallMsAt(bootMs: number, now: Pick<Instant, 'wallMs' | 'bootMs'>): number {
  return offsetMsOf(now) + wholeMs(bootMs);
}

/**
 * RFC 3339 with milliseconds, UTC, of the years 0 to 9999. toISOString() says the same, but V8 asks for the local time zone meanwhile: ICU's tables for
 * it take 2.3 MB of a daemon's memory (Node 20.20).
 * @throws RangeError when it is no time.
 */
export function isoTime(wallMs: number): string {
  const date = new Date(wallMs);
  if (Number.isNaN(date.getTime())) throw new RangeError(`${wallMs} is no time`);
  const pad = (value: number, digits = 2): string => String(value).padStart(digits, '0');
  const day = `${pad(date.getUTCFullYear(), 4)}-${pad(date.getUTCMonth() + 1)}-${pad(date.getUTCDate())}`;
  const clock = `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
  return `${day}T${clock}.${pad(date.getUTCMilliseconds(), 3)}Z`;
}

// What follows: when something happened, by all that is known now about the clocks of then.

/**
 * Now, and what the journal knows about the wall clock of each boot: one entry that was written while the clock was right tells the
 * times of all others of its boot.
 */
export interface Vantage extends Instant {
  /** By boot id: offsetMsOf while the clock was synchronised, as of the latest such entry. */
  readonly clocks: ReadonlyMap<string, number>;
}

interface WallTime {
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
  if (offsetMs !== undefined) return { ms: offsetMs + wholeMs(atMs), certain: true };
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
  /** What is known by a clock that was right. Within one boot a duration always is. */
  readonly certain: { readonly began: boolean; readonly ended: boolean; readonly duration: boolean };
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
    const begin = wallTime({ ...ended, atMs: atMs - sinceMs, wallMs: wallMs - sinceMs }, from);
    const certain = { began: begin.certain, ended: end.certain, duration: true };
    return { beganMs: begin.ms, endedMs: end.ms, durationMs: sinceMs, certain };
  }
  const begin = wallTime(began, from);
  const areBoth = begin.certain && end.certain;
  const durationMs = areBoth ? Math.max(0, end.ms - begin.ms) : sinceMs;
  const certain = { began: begin.certain, ended: end.certain, duration: areBoth };
  return { beganMs: begin.ms, endedMs: end.ms, durationMs, certain };
}

/** Of an outage that is over. */
export function outageSpan(end: JournalEntry & RecordOf<'outage_end'>, from: Vantage): Span {
  const began = end.began === undefined ? null : { ...end.began, wallMs: end.beganWallMs };
  const ended = { bootId: end.bootId, atMs: end.atMs, wallMs: end.endedWallMs };
  return spanOf(began, ended, end.durationMs, from);
}

// What follows is the clock that needs no wall clock: what the journal itself has seen passing.

/** CLOCK_BOOTTIME of a boot. */
type Reading = Pick<Instant, 'bootId' | 'bootMs'>;

export interface Elapsed extends Reading {
  /** Since the journal's first entry ever. */
  readonly ms: number;
}

/**
 * Time that has passed for certain: within a boot by CLOCK_BOOTTIME, of another boot what it had lasted at its first entry. Whatever the
 * wall clock did meanwhile, at least so much lies between two moments.
 */
export function elapsedMsAt(last: Elapsed | null, { bootId, bootMs }: Reading): number {
  if (last === null) return 0;
  return last.ms + Math.max(0, last.bootId === bootId ? bootMs - last.bootMs : bootMs);
}

/** What an entry adds to it. Where a compaction has taken away what was before an entry, the entry says the sum itself. */
export function elapsedWith(
  last: Elapsed | null,
  { bootId, bootMs, witnessedMs }: Reading & { readonly witnessedMs?: number | undefined },
): Elapsed {
  return { bootId, bootMs, ms: witnessedMs ?? elapsedMsAt(last, { bootId, bootMs }) };
}
