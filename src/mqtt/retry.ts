/** How long to wait before the next attempt to connect. Pure. */

/**
 * kicked: our own link has just come back, the broker is fine. lost: the broker or the way to it is gone.
 * refused: it knows us and does not want us. taken_over: another client bears our id.
 */
export type Trouble = 'kicked' | 'lost' | 'refused' | 'taken_over';

/** Full jitter keeps a fleet from returning in step; the floor keeps a wrong password from looking like an attack. */
const delays: Readonly<Record<Trouble, { floorMs: number; firstMs: number; maxMs: number }>> = {
  // A broker that has been restarted tells the will that it had kept; before anybody believes it, we are to be there.
  kicked: { floorMs: 0, firstMs: 100, maxMs: 8000 },
  lost: { floorMs: 0, firstMs: 1000, maxMs: 8000 },
  refused: { floorMs: 60_000, firstMs: 60_000, maxMs: 300_000 },
  taken_over: { floorMs: 60_000, firstMs: 60_000, maxMs: 60_000 },
};

/**
 * @param failures How many attempts have failed in a row before this one.
 * @param random 0 <= random < 1.
 */
export function retryDelayMs(trouble: Trouble, failures: number, random: number): number {
  const { floorMs, firstMs, maxMs } = delays[trouble];
  const boundMs = Math.min(maxMs, firstMs * 2 ** Math.min(failures, 20));
  return Math.round(floorMs + random * (boundMs - floorMs));
}
