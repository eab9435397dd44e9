/** How long to wait before the next attempt to connect. Pure. */

/**
 * kicked: our own link has just come back, the broker is fine. lost: the broker or the way to it is gone.
 * refused_after_work: it knows us, and does not want us after it has: its users are most often read a moment after its start. refused: the
 * same where it has never taken us. refused_long: either, for more than ten minutes. taken_over: another client bears our id.
 */
export type Trouble = 'kicked' | 'lost' | Refusal | 'taken_over';
export type Refusal = 'refused_after_work' | 'refused' | 'refused_long';

interface Delays {
  readonly floorMs: number;
  /** The floor grows with the bound, as this share of it. */
  readonly floorShare: number;
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Full jitter keeps a fleet from returning in step; the floor keeps a wrong password from looking like an attack. */
const delays: Readonly<Record<Trouble, Delays>> = {
  // A broker that has been restarted tells the will that it had kept; before anybody believes it, we are to be there.
  kicked: { floorMs: 0, floorShare: 0, firstMs: 100, maxMs: 8000 },
  lost: { floorMs: 0, floorShare: 0, firstMs: 1000, maxMs: 8000 },
  refused_after_work: { floorMs: 0, floorShare: 0.5, firstMs: 4000, maxMs: 60_000 },
  refused: { floorMs: 30_000, floorShare: 0, firstMs: 60_000, maxMs: 60_000 },
  refused_long: { floorMs: 60_000, floorShare: 0, firstMs: 60_000, maxMs: 300_000 },
  taken_over: { floorMs: 60_000, floorShare: 0, firstMs: 60_000, maxMs: 60_000 },
};

/**
 * @param failures How many attempts have failed in a row before this one.
 * @param random 0 <= random < 1.
 */
export function retryDelayMs(trouble: Trouble, failures: number, random: number): number {
  const { floorMs, floorShare, firstMs, maxMs } = delays[trouble];
  const boundMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 20));
  const leastMs = Math.max(floorMs, boundMs * floorShare);
  return Math.round(leastMs + random * (boundMs - leastMs));
}

/** So long a refusal may be a broker that is not ready yet. */
export const refusalIsShortMs = 600_000;

/** A run of refusals, from the first to the next connection. What comes between (a broker that is restarted again) does not end it. */
export class RefusalRun {
  readonly #shortMs: number;
  #hasWorked = false;
  #beganMs: number | null = null;
  #count = 0;
  #longCount = 0;

  constructor(shortMs: number = refusalIsShortMs) {
    this.#shortMs = shortMs;
  }

  connected(): void {
    this.#hasWorked = true;
    this.#beganMs = null;
    this.#count = 0;
    this.#longCount = 0;
  }

  /** @returns what it is, and how many of the kind were before it: for retryDelayMs. */
  refused(nowMs: number): readonly [Refusal, number] {
    this.#beganMs ??= nowMs;
    if (nowMs - this.#beganMs >= this.#shortMs) return ['refused_long', this.#longCount++];
    return [this.#hasWorked ? 'refused_after_work' : 'refused', this.#count++];
  }
}
