/**
 * Whoever may write to the command topic could fill the journal, and push out of it what it is for. So of each kind of refusal a few are
 * written down and the others are counted; all of them are answered. What is accepted is bounded as well. Pure.
 */
import type { JournalRecord } from './records.js';
import type { RefusalCode } from './refusal-codes.js';

/** So many at once, and one more whenever `everyMs` has passed. */
interface Rate {
  readonly burst: number;
  readonly everyMs: number;
}

/** What is left of a rate; undefined where it is all there. */
export interface Allowance {
  readonly left: number;
  /** Since when the next one has been growing. */
  readonly sinceMs: number;
}

export interface Flood {
  readonly accepted: Allowance | undefined;
  /** By the kind of refusal. */
  readonly recorded: ReadonlyMap<RefusalCode, Allowance>;
  readonly counted: ReadonlyMap<RefusalCode, { readonly count: number; readonly sinceMs: number }>;
}

export const noFlood: Flood = { accepted: undefined, recorded: new Map(), counted: new Map() };

const minuteMs = 60_000;
const refusalsRecorded: Rate = { burst: 5, everyMs: 30 * minuteMs };
/** More than a person, a dashboard and a handful of automations ever want. */
const commandsAccepted: Rate = { burst: 20, everyMs: minuteMs };
/** So long is counted before the count is written down. */
const countingMs = 60 * minuteMs;

/** null: nothing is left. */
function take(allowance: Allowance | undefined, rate: Rate, nowMs: number): Allowance | null {
  const before = allowance ?? { left: rate.burst, sinceMs: nowMs };
  const grown = Math.floor((nowMs - before.sinceMs) / rate.everyMs);
  const left = Math.min(rate.burst, before.left + grown);
  if (left === 0) return null;
  const sinceMs = left === rate.burst ? nowMs : before.sinceMs + grown * rate.everyMs;
  return { left: left - 1, sinceMs };
}

/** One more command is accepted; null = it may not be. */
export function acceptOne(flood: Flood, nowMs: number): Flood | null {
  const accepted = take(flood.accepted, commandsAccepted, nowMs);
  return accepted === null ? null : { ...flood, accepted };
}

/** One more is refused: it is written down, or it is counted. */
export function refuseOne(
  flood: Flood,
  code: RefusalCode,
  nowMs: number,
): { readonly flood: Flood; readonly isRecorded: boolean } {
  const allowance = take(flood.recorded.get(code), refusalsRecorded, nowMs);
  if (allowance !== null)
    return { flood: { ...flood, recorded: new Map(flood.recorded).set(code, allowance) }, isRecorded: true };
  const before = flood.counted.get(code) ?? { count: 0, sinceMs: nowMs };
  const counted = new Map(flood.counted).set(code, { ...before, count: before.count + 1 });
  return { flood: { ...flood, counted }, isRecorded: false };
}

/** When a count is to be written down; null = there is none. */
export function countDueMs({ counted }: Flood): number | null {
  const dues = [...counted.values()].map(({ sinceMs }) => sinceMs + countingMs);
  return dues.length === 0 ? null : Math.min(...dues);
}

/** The counts that are due, as records, and what remains. */
export function takeCounts(flood: Flood, nowMs: number): { flood: Flood; records: JournalRecord[] } {
  const due = [...flood.counted].filter(([, { sinceMs }]) => nowMs >= sinceMs + countingMs);
  if (due.length === 0) return { flood, records: [] };
  const counted = new Map(flood.counted);
  for (const [code] of due) counted.delete(code);
  const records = due.map(
    ([code, { count, sinceMs }]): JournalRecord => ({
      type: 'refusals',
      code,
      count,
      sinceMs,
    }),
  );
  return { flood: { ...flood, counted }, records };
}
