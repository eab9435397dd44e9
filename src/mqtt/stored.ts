/**
 * Whether a command may have lain at the broker since before we came. Most brokers say so by the retain flag, which is refused anyhow; moquette
 * gives a subscriber of QoS 1 what it has stored without the flag. Our own status, stored before we subscribe, shows which kind it is. Pure.
 */

export interface BothClocks {
  /** Milliseconds since the boot. */
  readonly bootMs: number;
  readonly wallMs: number;
  /** The wall clock is known to be right. */
  readonly synced: boolean;
}

/** A broker gives what it has stored at once, some of it before the SUBACK. */
const atOnceMs = 1000;

export class Stored {
  #isMarked = false;
  #subscribed: BothClocks | null = null;
  #acknowledgedMs: number | null = null;

  subscribed(now: BothClocks): void {
    this.#subscribed = now;
  }

  /** The SUBACK has come. */
  acknowledged(now: BothClocks): void {
    this.#acknowledgedMs = now.bootMs;
  }

  /** Something came with the retain flag on a topic that live messages come on without it: this broker marks what it has stored. */
  sawMark(): void {
    this.#isMarked = true;
  }

  /** @param issuedWallMs When it says that it was issued; absent: it does not say. */
  mayHold(issuedWallMs: number | undefined, now: BothClocks): boolean {
    if (this.#isMarked) return false;
    if (this.#acknowledgedMs === null || now.bootMs - this.#acknowledgedMs < atOnceMs) return true;
    const before = this.#subscribed;
    if (!before?.synced || !now.synced) return false;
    return issuedWallMs !== undefined && issuedWallMs < before.wallMs;
  }
}
