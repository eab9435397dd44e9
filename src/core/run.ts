/** The script of an attempt: its id, and the environment that tells it what it is run for. */
import type { RestartStep } from './policy.js';
import type { Run } from './ports.js';

/** `<boot>-<resource>-<number>`: unique across journals that were lost, readable on a phone. */
export function outageId(bootId: string, resource: string, number: number): string {
  return `${bootId.slice(0, 8)}-${resource}-${number}`;
}

export interface AttemptInfo {
  readonly resource: string;
  readonly outage: string;
  readonly attempt: number;
  /** In words; '' where it is not known yet. */
  readonly cause: string;
}

export function attemptRun(step: RestartStep, info: AttemptInfo): Run {
  return {
    id: `${info.outage}#${info.attempt}`,
    argv: step.argv,
    env: {
      SOCKMON_RESOURCE: info.resource,
      SOCKMON_OUTAGE_ID: info.outage,
      SOCKMON_ATTEMPT: String(info.attempt),
      SOCKMON_CAUSE: info.cause,
      SOCKMON_STEP: step.name,
    },
    journalLines: step.journalLines,
    // The machine keeps the time-out: a script that stays on as the service itself must not be ended once the resource is back.
    timeoutMs: 0,
    graceMs: step.graceMs,
  };
}
