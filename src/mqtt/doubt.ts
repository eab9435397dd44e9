/**
 * Whether a connection has outlived a loss of our own network. One that is given up is a will told: everything in Home Assistant goes
 * unavailable and comes back. So after a short loss it is asked first, and given up only when it stays silent.
 */

/** What a connection shows. */
interface Doubtful {
  /** Packets received. */
  readonly packets: number;
  /** Asks for a sign of life. */
  ping(): void;
}

/** A loss of this length is over before anybody has noticed that we said nothing. After a longer one the news is more urgent. */
const shortLossMs = 2000;
/** For the way there and back, by satellite (600 ms) to a broker that is busy. */
const answerMs = 1000;

/**
 * How long an answer is waited for; 0: not at all. What was sent into the loss is sent again, and the question behind it, after at most as
 * long again, since the kernel doubles its waits.
 */
export function proofMs(lossMs: number): number {
  return lossMs < shortLossMs ? Math.min(shortLossMs, lossMs + answerMs) : 0;
}

export class Doubt<C extends Doubtful> {
  readonly #giveUp: () => void;
  #lost: { readonly connection: C | null; readonly packets: number; readonly atMs: number } | null = null;
  #shaken: C | null = null;
  /** Runs while an answer is waited for. */
  #timer: NodeJS.Timeout | null = null;

  /** @param giveUp Connects anew, in place of the connection or attempt that there is. */
  constructor(giveUp: () => void) {
    this.#giveUp = giveUp;
  }

  /** The network is gone. @param connection Made or in the making. */
  lost(connection: C | null, nowMs: number): void {
    this.#endTimer();
    this.#shaken = connection;
    // Down again before it was proven: one loss, from the first on. What proves it came before this loss, and says nothing about it.
    const isSame = this.#lost !== null && this.#lost.connection === connection;
    if (isSame && (connection === null || !this.#isProven(connection))) return;
    this.#lost = { connection, packets: connection?.packets ?? 0, atMs: nowMs };
  }

  /** The network is back. @param connection null: none, or only an attempt. */
  back(connection: C | null, nowMs: number): void {
    this.#endTimer();
    const waitMs = proofMs(this.#lost === null ? 0 : nowMs - this.#lost.atMs);
    if (connection === null || waitMs === 0 || this.#isProven(connection)) {
      this.#judge(connection);
      return;
    }
    connection.ping();
    this.#timer = setTimeout(() => this.#judge(connection), waitMs);
  }

  /**
   * It has ended.
   * @returns shaken: it has been through a loss, so how it ends accuses nobody. asked: that is its answer, and another one is being made.
   */
  ended(connection: C | null): 'shaken' | 'asked' | null {
    const wasShaken = connection !== null && connection === this.#shaken;
    this.#shaken = null;
    if (this.#timer === null) return wasShaken ? 'shaken' : null;
    this.#judge(null);
    return 'asked';
  }

  /** Nothing is waited for any more. */
  stop(): void {
    this.#endTimer();
    this.#lost = null;
  }

  #judge(connection: C | null): void {
    const isProven = connection !== null && this.#isProven(connection);
    this.stop();
    if (!isProven) this.#giveUp();
  }

  /** A packet has come since the loss, or it is younger than that. */
  #isProven(connection: C): boolean {
    const lost = this.#lost;
    return lost === null || lost.connection !== connection || connection.packets > lost.packets;
  }

  #endTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
