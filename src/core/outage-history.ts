/** One outage as the journal tells it. Pure. */
import { exitStatus, isHeldBack } from './ladder.js';
import type { Evidence } from './ports.js';
import type { Cause, JournalEntry, RecordOf, RunResult } from './records.js';
import type { RefusalCode } from './refusal-codes.js';
import { type Moment, momentOf } from './time.js';

/** Between being back and being down again, within one outage. */
export interface Life {
  readonly from: Moment;
  readonly to: Moment;
}

/** Of an outage that goes on for weeks so many are kept; of the others their sum. */
export const keptLives = 20;

/** What an attempt changes in it. */
type Tried = Pick<
  OutageHistory,
  | 'attempts'
  | 'lastAttemptMs'
  | 'lastAttemptBootId'
  | 'lastResult'
  | 'lastRunEndMs'
  | 'step'
  | 'stepAttempts'
  | 'stepBeganMs'
>;

export interface OutageHistory {
  readonly id: string;
  readonly resource: string;
  readonly begin: JournalEntry & RecordOf<'outage_begin'>;
  /** See History.elapsedMsAt. */
  readonly beganElapsedMs: number;
  /** The outage of something that it needs, of which it turned out to be a part. */
  root: string | null;
  cause: Cause;
  sensor: string;
  attempts: number;
  /** bootMs of the last attempt's start, in the boot of `lastAttemptBootId`. */
  lastAttemptMs: number | null;
  lastAttemptBootId: string | null;
  lastResult: RunResult | null;
  /** bootMs of the last attempt's end; null: it is not known to have ended. */
  lastRunEndMs: number | null;
  /** Name of the step of the last attempt, attempts on it, and its first attempt's time in the boot of `lastAttemptBootId`. */
  step: string | null;
  stepAttempts: number;
  stepBeganMs: number;
  /** How it stood before the last attempt, should that turn out to be none. */
  beforeAttempt: Tried | null;
  /** A script has ended with the status that means: do not reboot. */
  vetoed: boolean;
  /** recovery_failed has been recorded. */
  failed: boolean;
  /** In which boot; an older journal tells a boot's ladder only by its last attempt. */
  failedBootId: string | null;
  /** Why the guard last refused a reboot for it; null = it has not, or has allowed one since. */
  refusal: RefusalCode | null;
  /** That its restart budget is used up has been told. */
  overspent: boolean;
  evidence: { before: Evidence | null; after: Evidence | null };
  /** null also after an end that was taken back. */
  end: (JournalEntry & RecordOf<'outage_end'>) | null;
  /** When its last end was taken back, in bootMs of the boot of then. */
  reopenedMs: number | null;
  /** The latest stretches in which it was alive, and how long it was alive in all of them. */
  lives: readonly Life[];
  aliveMs: number;
  blamedRun: string | null;
  /** A single death of a flapping resource. */
  quiet: boolean;
}

export function isVeto(result: RunResult): boolean {
  return result.kind === 'exit' && result.code === exitStatus.veto;
}

/** What is added to an outage after its begin. */
export type OutageEntry = JournalEntry &
  RecordOf<
    | 'outage_cause'
    | 'outage_root'
    | 'attempt'
    | 'attempt_end'
    | 'recovery_failed'
    | 'evidence'
    | 'outage_end'
    | 'outage_reopened'
  >;

export function begunOutage(
  begin: JournalEntry & RecordOf<'outage_begin'>,
  beganElapsedMs: number,
): OutageHistory {
  return {
    id: begin.outage,
    resource: begin.resource,
    begin,
    beganElapsedMs,
    root: begin.root ?? null,
    cause: begin.cause,
    sensor: begin.sensor,
    attempts: 0,
    lastAttemptMs: null,
    lastAttemptBootId: null,
    lastResult: null,
    lastRunEndMs: null,
    step: null,
    stepAttempts: 0,
    stepBeganMs: 0,
    beforeAttempt: null,
    vetoed: false,
    failed: false,
    failedBootId: null,
    refusal: null,
    overspent: false,
    evidence: { before: null, after: null },
    end: null,
    reopenedMs: null,
    lives: [],
    aliveMs: 0,
    blamedRun: null,
    quiet: begin.quiet ?? false,
  };
}

export function addToOutage(outage: OutageHistory, entry: OutageEntry): void {
  switch (entry.type) {
    case 'outage_cause':
      outage.cause = entry.cause;
      outage.sensor = entry.sensor;
      return;
    case 'outage_root':
      outage.root = entry.root;
      return;
    case 'attempt':
      addAttempt(outage, entry);
      return;
    case 'attempt_end':
      if (entry.result.kind === 'not_needed') {
        if (entry.attempt === outage.attempts) Object.assign(outage, outage.beforeAttempt);
        return;
      }
      if (isHeldBack(entry.result)) outage.stepAttempts = Math.max(0, outage.stepAttempts - 1);
      outage.lastResult = entry.result;
      if (entry.attempt === outage.attempts) outage.lastRunEndMs = entry.atMs;
      outage.vetoed ||= isVeto(entry.result);
      return;
    case 'recovery_failed':
      outage.failed = true;
      outage.failedBootId = entry.bootId;
      return;
    case 'evidence':
      outage.evidence[entry.when] = evidenceOf(entry);
      return;
    case 'outage_end':
      outage.end = entry;
      return;
    case 'outage_reopened':
      reopenOutage(outage, entry);
      return;
  }
}

function reopenOutage(outage: OutageHistory, entry: JournalEntry & RecordOf<'outage_reopened'>): void {
  const to = momentOf(entry);
  const from = { ...to, atMs: entry.backMs, wallMs: to.wallMs - (entry.atMs - entry.backMs) };
  outage.end = null;
  outage.reopenedMs = entry.atMs;
  outage.lives = [...outage.lives, { from, to }].slice(-keptLives);
  outage.aliveMs = entry.aliveMs;
  outage.blamedRun = entry.run ?? outage.blamedRun;
  outage.quiet = entry.quiet ?? false;
}

function addAttempt(outage: OutageHistory, entry: JournalEntry & RecordOf<'attempt'>): void {
  const { attempts, lastAttemptMs, lastAttemptBootId, lastResult, lastRunEndMs } = outage;
  const stood = { step: outage.step, stepAttempts: outage.stepAttempts, stepBeganMs: outage.stepBeganMs };
  outage.beforeAttempt = { attempts, lastAttemptMs, lastAttemptBootId, lastResult, lastRunEndMs, ...stood };
  const isAnew = outage.stepAttempts === 0 || outage.lastAttemptBootId !== entry.bootId;
  if (isAnew || outage.step !== (entry.step ?? null)) {
    outage.step = entry.step ?? null;
    outage.stepAttempts = 0;
    outage.stepBeganMs = entry.atMs;
  }
  outage.stepAttempts += 1;
  outage.attempts = entry.attempt;
  outage.lastAttemptMs = entry.atMs;
  outage.lastAttemptBootId = entry.bootId;
  outage.lastResult = null;
  outage.lastRunEndMs = null;
}

/** Restarts that were asked for are stories, but no outages. */
export function isCounted(outage: OutageHistory): boolean {
  return outage.cause.kind !== 'commanded' && outage.begin.drill !== true;
}

// What is left in memory of outages that are too many to be kept one by one: how many, and how long in which hour.

const hourMs = 3_600_000;
/** More than the hours of the 30 days that the uptime is told of. */
const keptHours = 800;

/** The outages of one resource that began within an hour, as one stretch of the same length. */
export interface PastHour {
  readonly resource: string;
  /** When the first of them began. */
  readonly began: Moment;
  count: number;
  downMs: number;
}

export class Past {
  /** Outages that counted. */
  outages = 0;
  private readonly hours = new Map<string, PastHour[]>();

  add({ resource, begin, end, aliveMs }: OutageHistory): void {
    this.outages++;
    const hours = this.hours.get(resource) ?? [];
    this.hours.set(resource, hours);
    const last = hours.at(-1);
    const downMs = Math.max(0, (end?.durationMs ?? 0) - aliveMs);
    if (last?.began.bootId === begin.bootId && begin.atMs < last.began.atMs + hourMs) {
      last.count++;
      last.downMs += downMs;
      return;
    }
    hours.push({ resource, began: momentOf(begin), count: 1, downMs });
    if (hours.length > keptHours) hours.shift();
  }

  all(): PastHour[] {
    return [...this.hours.values()].flat();
  }
}

/** As a record of the journal bears it. */

export function evidenceOf({ kernel, addresses, routes, filters, held }: RecordOf<'evidence'>): Evidence {
  return {
    kernel,
    addresses,
    routes,
    ...(filters !== undefined && { filters }),
    ...(held !== undefined && { held }),
  };
}
