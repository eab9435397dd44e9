/** What can be lost of an interface, for the kinds that watch one. */
import { type Cause, linkLosses } from '../core/records.js';
import { lockCause } from './kernel-lock.js';
import type { Loss } from './sensor.js';

export const interfaceWords = 'the name of an interface (at most 15 characters)';
/** IFNAMSIZ of netdevice(7) is 16 with the final NUL. */
export const interfacePattern = /^[^\s/:]{1,15}$/;

export function linkCause(loss: Loss): Cause {
  const { reason, interface: name } = loss;
  const what = linkLosses.find(loss => loss === reason);
  if (what !== undefined) return { kind: 'link', what, interface: name ?? '?' };
  return lockCause(loss) ?? { kind: 'unknown' };
}

/** How a living one stands, for people. */
export function linkWords({
  interface: name,
  addresses = [],
  carrier,
  detail = '',
  standby = [],
}: {
  readonly interface?: string;
  readonly addresses?: readonly string[];
  readonly carrier?: boolean;
  readonly detail?: string;
  readonly standby?: readonly string[];
}): string {
  if (name === undefined) return detail;
  const without = carrier === false ? 'no carrier' : '';
  const words = [name, ...addresses, without, detail].filter(word => word !== '').join(' ');
  return standby.length === 0 ? words : `${words}, beside ${standby.join(', ')}`;
}
