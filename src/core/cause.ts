/** Which of two causes for one death says more. Pure. */
import { isKernelLock } from './kernel-lock.js';
import type { Cause, linkLosses } from './model.js';
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

/** A probe beside what carries traffic is believed less than what a link says: that has been hit as well. */
function rankOf(cause: Cause): number {
  return cause.kind === 'probe' && cause.beside !== undefined ? causeRank.unseen : causeRank[cause.kind];
}

/** What is gone or taken down does not come back by itself. Address and route may: a lease is renewed, a route announced again. */
export const linkNatures: Record<(typeof linkLosses)[number], Nature> = {
  interface_gone: 'gone',
  interface_down: 'gone',
  stack_gone: 'gone',
  lower_down: 'gone',
  no_address: 'unreachable',
  no_default_route: 'unreachable',
  no_carrier: 'broken',
};

/** What kind of loss a cause in the journal was, for a rehearsal: the sensors say it themselves. */
export function natureOf(cause: Cause): Nature {
  if (cause.kind === 'probe' || isKernelLock(cause)) return 'broken';
  if (cause.kind !== 'link') return 'exited';
  return linkNatures[cause.what];
}

/** Whether a cause that a sensor saw at `diedMs` says more about an outage than what is known. */
export function isBetterCause(
  known: Pick<OpenOutage, 'beganMs' | 'cause'>,
  cause: Cause,
  diedMs: number,
): boolean {
  // Whenever that comes: it is why no restart helps.
  if (isKernelLock(cause)) return !isKernelLock(known.cause);
  const sinceBeginMs = diedMs - known.beganMs;
  return Math.abs(sinceBeginMs) <= secondSightMs && rankOf(cause) > rankOf(known.cause);
}
