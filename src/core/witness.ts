/** The clock that needs no wall clock: what the journal itself has seen passing. Pure. */
import type { Instant } from './clock.js';

type Moment = Pick<Instant, 'bootId' | 'bootMs'>;

export interface Witness extends Moment {
  /** Since the journal's first entry ever. */
  readonly ms: number;
}

/**
 * Time that has passed for certain: within a boot by CLOCK_BOOTTIME, of another boot what it had lasted at its first entry. Whatever the
 * wall clock did meanwhile, at least so much lies between two moments.
 */
export function witnessedMsAt(last: Witness | null, { bootId, bootMs }: Moment): number {
  if (last === null) return 0;
  return last.ms + Math.max(0, last.bootId === bootId ? bootMs - last.bootMs : bootMs);
}

/** What an entry adds to it. Where a compaction has taken away what was before an entry, the entry says the sum itself. */
export function witness(
  last: Witness | null,
  { bootId, bootMs, witnessedMs }: Moment & { readonly witnessedMs?: number | undefined },
): Witness {
  return { bootId, bootMs, ms: witnessedMs ?? witnessedMsAt(last, { bootId, bootMs }) };
}
