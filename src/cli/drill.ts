/** `sockmon drill RESOURCE`: kills it on purpose, after asking, and says how long its detection and its recovery took. */
import { setTimeout as wait } from 'node:timers/promises';
import { errorTable, SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import type { JournalEntry } from '../core/records.js';
import { causeWords, durationWords, resultWords } from '../core/words.js';
import { readJournal } from '../journal/file.js';
import { answerWords, type CommandOptions, request, statusOf } from './command.js';
import type { Io } from './io.js';
import { findStateDir } from './state-dir.js';
import { rows } from './table.js';

const lookEveryMs = 100;
/** A kill that nobody has noticed after this long will not be noticed. */
const noticeWithinMs = 15_000;
/** The default ladder is over after three minutes. */
const recoverWithinMs = 5 * 60_000;

export interface DrillOptions extends CommandOptions {
  readonly yes?: true;
  readonly json?: true;
}

/** What came of it. Times are from the journal: of CLOCK_BOOTTIME, so that no setting of the clock falsifies them. */
export interface DrillReport {
  readonly resource: string;
  readonly outcome: 'recovered' | 'replaced' | 'failed' | 'not_noticed' | 'not_yet_back';
  readonly outage: string | null;
  readonly cause: string | null;
  /** From the order to kill, its record on disk included, to the moment of death as the sensor saw it. */
  readonly detection_ms: number | null;
  /** From the death to the start of the first attempt. */
  readonly reaction_ms: number | null;
  /** From the death until every sensor was up. */
  readonly recovery_ms: number | null;
  readonly attempts: number;
  readonly detail: string;
}

export async function drill(target: string, options: DrillOptions, io: Io): Promise<number> {
  if (!options.yes && !options.dryRun) await consent(target, io);
  const stateDir = findStateDir(options, io);
  const answer = await request('drill', target, options, io);
  if (!options.json) io.out(answerWords(answer));
  if (answer.status !== 'accepted' || options.dryRun) {
    if (options.json) io.out(`${JSON.stringify(answer, null, 2)}\n`);
    return statusOf(answer);
  }
  const report = await follow(stateDir, target, answer.id);
  io.out(options.json ? `${JSON.stringify(report, null, 2)}\n` : reportText(report));
  const isGood = report.outcome === 'recovered' || report.outcome === 'replaced';
  return isGood ? 0 : errorTable.REFUSED.exitStatus;
}

/** @throws SockmonError USAGE when the person says no, or cannot be asked. */
async function consent(target: string, io: Io): Promise<void> {
  const question = `Kill ${printable(target)} on purpose, to see whether it comes back?`;
  const agreed = await io.confirm(question);
  if (agreed) return;
  const words = agreed === false ? 'Nothing was killed.' : 'A drill kills; without a terminal say --yes.';
  throw new SockmonError('USAGE', words);
}

/** Waits for what the journal says about it. */
async function follow(stateDir: string, target: string, command: string): Promise<DrillReport> {
  const startedMs = performance.now();
  for (;;) {
    const report = reportOf(readJournal(stateDir), target, command);
    const waitedMs = performance.now() - startedMs;
    const isLast = report.outage === null ? waitedMs > noticeWithinMs : waitedMs > recoverWithinMs;
    if (isLast || (report.outcome !== 'not_noticed' && report.outcome !== 'not_yet_back')) return report;
    await wait(lookEveryMs);
  }
}

/** What the journal says so far. */
export function reportOf(entries: readonly JournalEntry[], target: string, command: string): DrillReport {
  const order = entries.findLast(entry => entry.type === 'command' && entry.id === command);
  const ordered = entries.find(entry => entry.type === 'command' && entry.id === command);
  const later = entries.filter(entry => entry.seq > (ordered?.seq ?? Number.POSITIVE_INFINITY));
  const unknown: DrillReport = {
    resource: target,
    outcome: 'not_noticed',
    outage: null,
    cause: null,
    detection_ms: null,
    reaction_ms: null,
    recovery_ms: null,
    attempts: 0,
    detail: 'no sensor has seen it die',
  };
  if (order?.type === 'command' && order.status === 'failed')
    return { ...unknown, outcome: 'failed', detail: order.detail };
  const replaced = later.find(
    entry => entry.type === 'notice' && entry.what === 'replaced' && entry.resource === target,
  );
  const begin = later.find(
    entry => entry.type === 'outage_begin' && entry.drill && entry.resource === target,
  );
  if (begin?.type !== 'outage_begin') {
    if (replaced?.type !== 'notice') return unknown;
    return { ...unknown, outcome: 'replaced', detail: replaced.detail };
  }
  return reportOfOutage(unknown, begin, ordered?.bootMs ?? begin.atMs, later);
}

type Begin = Extract<JournalEntry, { type: 'outage_begin' }>;

function reportOfOutage(
  unknown: DrillReport,
  begin: Begin,
  orderedMs: number,
  later: readonly JournalEntry[],
): DrillReport {
  const own = later.filter(entry => 'outage' in entry && entry.outage === begin.outage);
  const attempts = own.filter(entry => entry.type === 'attempt');
  const [first] = attempts;
  const end = own.find(entry => entry.type === 'outage_end');
  const failed = own.find(entry => entry.type === 'recovery_failed');
  const cause = own.findLast(entry => entry.type === 'outage_cause')?.cause ?? begin.cause;
  const ended = own.findLast(entry => entry.type === 'attempt_end');
  const known = {
    ...unknown,
    outage: begin.outage,
    cause: causeWords(cause),
    detection_ms: Math.max(0, begin.atMs - orderedMs),
    reaction_ms: first === undefined ? null : Math.max(0, first.atMs - begin.atMs),
    attempts: attempts.length,
    detail: ended === undefined ? 'no script has ended yet' : `its script ${resultWords(ended.result)}`,
  };
  if (end !== undefined) return { ...known, outcome: 'recovered', recovery_ms: end.durationMs };
  return failed === undefined
    ? { ...known, outcome: 'not_yet_back' }
    : { ...known, outcome: 'failed', detail: failed.detail };
}

const outcomeWords: Record<DrillReport['outcome'], string> = {
  recovered: 'back',
  replaced: 'replaced before it counted as dead',
  failed: 'FAILED: it did not come back',
  not_noticed: 'FAILED: nobody noticed',
  not_yet_back: 'FAILED: it is not back yet; sockmon goes on trying',
};

export function reportText(report: DrillReport): string {
  const { detection_ms, reaction_ms, recovery_ms, cause, attempts, detail, outcome } = report;
  const line = (name: string, ms: number | null, words: string): string[][] =>
    ms === null ? [] : [[name, durationWords(ms), words]];
  const times = rows([
    ...line('detection', detection_ms, `from the order to its death: ${cause ?? ''}`),
    ...line('reaction', reaction_ms, 'from its death to the start of the script'),
    ...line('recovery', recovery_ms, `from its death until it was back; attempts: ${attempts}`),
  ]);
  return `${times}${report.resource}: ${outcomeWords[outcome]} (${printable(detail)})\n`;
}
