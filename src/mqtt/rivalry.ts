/**
 * Whether another client bears our id: the broker gives the connection to whoever comes last, so two of them take it from each other
 * for ever. MQTT 5 has a word for it (0x8E), which mosquitto 2.0 does not say; 3.1.1 has none. Then it is guessed. Pure.
 */

export interface RivalryTimes {
  /** A connection that is closed sooner than this may have been taken over: by a rival that comes back after a minute, as we do. */
  readonly soonMs: number;
  /** So long without a take-over, and the alarm is over. */
  readonly quietMs: number;
}

export const rivalryTimes: RivalryTimes = { soonMs: 120_000, quietMs: 600_000 };

/** In a row, and the broker took us at once each time: one that is in trouble itself does not. Three restarts in a row happen. */
const guessAfter = 4;
/** Connections of our own that are reckoned with. A broker that was frozen for long has more in its queue, and reads them in one go. */
const maxLeftBehind = 5;

export class Rivalry {
  readonly #times: RivalryTimes;
  #closedSoon = 0;
  #lastMs: number | null = null;
  #isProven = false;
  #leftBehind = 0;
  #leftBehindMs = 0;

  constructor(times: RivalryTimes = rivalryTimes) {
    this.#times = times;
  }

  /**
   * A connection, or an attempt that had sent its CONNECT, was given up by us alone. A broker that was frozen reads it afterwards, and gives
   * it the place of the living one.
   */
  leftBehind(nowMs: number): void {
    this.#leftBehind = Math.min(maxLeftBehind, this.#leftBehind + 1);
    this.#leftBehindMs = nowMs;
  }

  /**
   * The broker said so.
   * @returns whether that is put down to a rival.
   */
  proven(nowMs: number): boolean {
    this.#expire(nowMs);
    if (this.#isOwn(nowMs)) return false;
    this.#isProven = true;
    this.#lastMs = nowMs;
    return true;
  }

  /**
   * The other side closed a connection without a word.
   * @returns whether that is put down to a rival.
   */
  closed(livedMs: number, nowMs: number): boolean {
    this.#expire(nowMs);
    const isKnown = this.#lastMs !== null;
    const isSoon = livedMs < this.#times.soonMs;
    if (!isSoon) this.#leftBehind = 0;
    else if (this.#isOwn(nowMs)) return false;
    this.#closedSoon = isSoon ? this.#closedSoon + 1 : 0;
    if (!isSoon || (!isKnown && this.#closedSoon < guessAfter)) return false;
    this.#lastMs = nowMs;
    return true;
  }

  /** The broker or the way to it is in trouble: what was closed before says nothing about a rival. */
  unreachable(): void {
    this.#closedSoon = 0;
  }

  /** null: none is known. */
  known(nowMs: number): 'proven' | 'guessed' | null {
    this.#expire(nowMs);
    if (this.#lastMs === null) return null;
    return this.#isProven ? 'proven' : 'guessed';
  }

  /** Each that was left behind can take the place once. */
  #isOwn(nowMs: number): boolean {
    if (this.#leftBehind === 0 || nowMs - this.#leftBehindMs >= this.#times.soonMs) return false;
    this.#leftBehind -= 1;
    return true;
  }

  #expire(nowMs: number): void {
    if (this.#lastMs === null || nowMs - this.#lastMs < this.#times.quietMs) return;
    this.#lastMs = null;
    this.#isProven = false;
    this.#closedSoon = 0;
  }
}
