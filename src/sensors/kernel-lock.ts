/** What all kinds that watch the network say while the kernel's networking is locked up: native/sensors/kernel_lock.h. */
import { kernelLock, kernelLocked } from '../core/cause.js';
import type { Nature } from '../core/policy.js';
import type { Cause } from '../core/records.js';
import type { Loss } from './sensor.js';

export const lockReasons: Readonly<Record<typeof kernelLocked, Nature>> = { [kernelLocked]: 'broken' };

/** null: another reason. */
export function lockCause({ reason }: Loss): Cause | null {
  return reason === kernelLocked ? kernelLock : null;
}
