/** Which of two causes for one death says more. Pure. */
import type { Cause } from './model.js';
import type { Nature } from './policy.js';
import type { OpenOutage } from './state.js';

/** A process cause that comes later than this belongs to something else: most likely to the restart script's own kill. */
const secondSightMs = 1000;

const causeRank: Record<Cause['kind'], number> = {
  unknown: 0,
  unseen: 1,
  link: 2,
  probe: 2,
  sensor: 3,
  exit: 3,
  signal: 3,
  commanded: 4,
};

/** What kind of loss a cause in the journal was, for a rehearsal: the sensors say it themselves. */
export function natureOf(cause: Cause): Nature {
  if (cause.kind === 'probe') return 'broken';
  if (cause.kind !== 'link') return 'exited';
  return cause.what === 'interface_gone' || cause.what === 'interface_down' ? 'gone' : 'broken';
}

/** Whether a cause that a sensor saw at `diedMs` says more about an outage than what is known. */
export function isBetterCause(
  known: Pick<OpenOutage, 'beganMs' | 'cause'>,
  cause: Cause,
  diedMs: number,
): boolean {
  const sinceBeginMs = diedMs - known.beganMs;
  return Math.abs(sinceBeginMs) <= secondSightMs && causeRank[cause.kind] > causeRank[known.cause.kind];
}
