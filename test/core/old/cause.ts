/** Causes: which of two for one death says more, and what their nature is. Pure. */
import type { Nature } from './policy.js';
import type { Cause, linkLosses } from './records.js';
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

// The kernel's networking is locked up: some task holds the lock of all its changes (RTNL) and does not give it back. What flows may go on, but
// nothing can be set up, taken down or even listed any more.

/** The reason, on both sides. */
export const kernelLocked = 'kernel_locked';

type SensorCause = Extract<Cause, { kind: 'sensor' }>;

/** The minute is LockLimit of native/network/network_thread.h. */
const words =
  "the kernel's networking is locked up: it has not answered for a minute; whatever changes or lists the network hangs, as ip(8) does, while traffic may flow on";

export const kernelLock: SensorCause = { kind: 'sensor', reason: kernelLocked, words };

export function isKernelLock(cause: Cause | null): cause is SensorCause {
  return cause?.kind === 'sensor' && cause.reason === kernelLocked;
}

/** Of an outage that had begun otherwise. */
export function kernelLockAfter(beganWith: string): Cause {
  return { ...kernelLock, words: `${words} (it began with: ${beganWith})` };
}

/** Longer lists are in the evidence. */
const namedTasks = 4;
const whoIsHeld = '. The kernel holds ';

/** With the tasks that the kernel holds: one of them has the lock, the others wait for it. */
export function kernelLockWith(cause: SensorCause, held: readonly string[]): Cause {
  const more = held.length - namedTasks;
  const list = held.slice(0, namedTasks).join(', ') + (more > 0 ? ` and ${more} more` : '');
  const [before = ''] = cause.words.split(whoIsHeld);
  return { ...cause, words: `${before}${whoIsHeld}${list}` };
}
