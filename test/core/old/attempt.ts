/** The script of an attempt: its id, and the environment that tells it what it is run for. */

import type { RestartStep } from './policy.js';
import type { Run, RunPurpose } from './ports.js';
import type { JournalEntry } from './records.js';

/** `<boot>-<resource>-<number>`: unique across journals that were lost, readable on a phone. */
export function outageId(bootId: string, resource: string, number: number): string {
  return `${bootId.slice(0, 8)}-${resource}-${number}`;
}

export function runId(outage: string, attempt: number): string {
  return `${outage}#${attempt}`;
}

export interface AttemptInfo {
  readonly resource: string;
  readonly outage: string;
  readonly attempt: number;
  /** In words; '' where it is not known yet. */
  readonly cause: string;
  readonly by: RunPurpose['by'];
}

export function attemptRun(step: RestartStep, info: AttemptInfo): Run {
  const { resource, outage, attempt, by } = info;
  return {
    id: runId(outage, attempt),
    argv: step.argv,
    env: {
      SOCKMON_RESOURCE: resource,
      SOCKMON_OUTAGE_ID: outage,
      SOCKMON_ATTEMPT: String(attempt),
      SOCKMON_CAUSE: info.cause,
      SOCKMON_STEP: step.name,
    },
    journalLines: step.journalLines,
    purpose: { resource, outage, attempt, step: step.name, script: step.argv.join(' '), by },
    timeoutMs: step.timeoutMs,
    graceMs: step.graceMs,
  };
}

/** Of an environment string: the kernel takes 128 KiB (MAX_ARG_STRLEN), a script wants to read it. */
const longestJournalBytes = 8192;

/** The run with the journal's last lines as SOCKMON_JOURNAL, where it asks for some: JSON, a line each, the oldest left out first. */
export function withJournal(run: Run, entries: readonly JournalEntry[]): Run {
  if (run.journalLines === 0) return run;
  const lines = entries.slice(-run.journalLines).map(entry => JSON.stringify(entry));
  while (Buffer.byteLength(lines.join('\n')) > longestJournalBytes) lines.shift();
  return { ...run, env: { ...run.env, SOCKMON_JOURNAL: lines.join('\n') } };
}
