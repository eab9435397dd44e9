/**
 * The kernel's networking is locked up: some task holds the lock of all its changes (RTNL) and does not give it back. What flows may go on, but
 * nothing can be set up, taken down or even listed any more. Pure.
 */
import type { Cause } from './model.js';

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
