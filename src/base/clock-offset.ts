/** The difference of the two clocks, by which times are told: the same until the wall clock is set. Pure. */

interface Reading {
  /** Milliseconds of CLOCK_BOOTTIME. */
  readonly bootMs: number;
  /** Milliseconds since the epoch. */
  readonly wallMs: number;
}

/** How far the wall clock is ahead of CLOCK_BOOTTIME: in whole milliseconds, so that one moment has one time however it is worked out. */
export function offsetMsOf({ wallMs, bootMs }: Reading): number {
  return Math.round(wallMs - Math.floor(bootMs));
}

/** A clock that is set by less goes unnoticed: times that are told are right to this. */
const stepMs = 2000;
/** The same at the moment when the clock becomes synchronised: what was told before was a guess. */
const firstStepMs = 100;

/**
 * The offset that times are told by. Two clocks that are read one after the other differ by a little each time, and one that is slewed drifts:
 * neither may make another time of what has been told, or each would be news. Only a clock that is set does.
 */
export class SteadyOffset {
  #offsetMs = Number.NaN;
  #wasSynced = false;

  /** Whether the clock has been set, by what was seen now. */
  isOther(seenMs: number, synced: boolean): boolean {
    const limitMs = synced && !this.#wasSynced ? firstStepMs : stepMs;
    return !(Math.abs(seenMs - this.#offsetMs) <= limitMs);
  }

  /** @returns the offset in whole milliseconds, which is the same until the clock is set. */
  next(seenMs: number, synced: boolean): number {
    if (this.isOther(seenMs, synced)) this.#offsetMs = Math.round(seenMs);
    this.#wasSynced = synced;
    return this.#offsetMs;
  }

  /** What was told by before, in the same boot: by an earlier process, or by another one. */
  goOnFrom(offsetMs: number, synced: boolean): void {
    this.#offsetMs = offsetMs;
    this.#wasSynced = synced;
  }
}
