/** The script of an attempt: its id, and the environment that tells it what it is run for. */
import type { ResourcePolicy, RestartPolicy } from './policy.js';
import type { Run } from './ports.js';

/** `<boot>-<resource>-<number>`: unique across journals that were lost, readable on a phone. */
export function outageId(bootId: string, resource: string, number: number): string {
  return `${bootId.slice(0, 8)}-${resource}-${number}`;
}

export function attemptRun(
  resource: ResourcePolicy,
  restart: RestartPolicy,
  outage: string,
  attempt: number,
  cause: string,
): Run {
  return {
    id: `${outage}#${attempt}`,
    argv: restart.argv,
    env: {
      SOCKMON_RESOURCE: resource.id,
      SOCKMON_OUTAGE_ID: outage,
      SOCKMON_ATTEMPT: String(attempt),
      SOCKMON_CAUSE: cause,
    },
    // The machine keeps the time-out: a script that stays on as the service itself must not be ended once the resource is back.
    timeoutMs: 0,
    graceMs: restart.graceMs,
  };
}
