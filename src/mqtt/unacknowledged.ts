/** Finds a publish that the broker has passed over: never acknowledged, though it answers what was asked after it. Pure. */

/** A broker on a slow disk or line takes seconds. */
export const overdueMs = 10_000;

const answersNeeded = 2;

export class Unacknowledged {
  readonly #overdueMs: number;
  readonly #waiting = new Map<symbol, { readonly topic: string; readonly sentMs: number }>();
  #isAsked = false;
  #answers = 0;
  #acknowledged = 0;

  constructor(afterMs: number = overdueMs) {
    this.#overdueMs = afterMs;
  }

  /** @returns what is to be called at the acknowledgement. */
  sent(topic: string, nowMs: number): () => void {
    const key = Symbol(topic);
    this.#waiting.set(key, { topic, sentMs: nowMs });
    return () => {
      if (this.#waiting.delete(key)) this.#acknowledged += 1;
    };
  }

  /** How long until the broker is to be asked for a sign of life; null = nothing waits, or it is being asked. */
  askInMs(nowMs: number): number | null {
    const oldest = this.#oldest();
    if (oldest === undefined || this.#isAsked) return null;
    return Math.max(0, oldest.sentMs + this.#overdueMs - nowMs);
  }

  /** A PINGREQ leaves now. */
  asked(): void {
    this.#isAsked = true;
  }

  /**
   * A PINGRESP has come. A broker answers in order: what it was sent before the question, it has read. The first answer may be to a question of
   * the keepalive that was asked earlier, so a second one is needed.
   * @returns the topic that was passed over, null where the broker has acknowledged nothing at all, so that it is not the topic.
   */
  answered(nowMs: number): 'in order' | 'ask again' | { readonly topic: string | null } {
    if (!this.#isAsked) return 'in order';
    this.#isAsked = false;
    const oldest = this.#oldest();
    if (oldest === undefined || nowMs - oldest.sentMs < this.#overdueMs) {
      this.#answers = 0;
      return 'in order';
    }
    this.#answers += 1;
    if (this.#answers < answersNeeded) return 'ask again';
    return { topic: this.#acknowledged === 0 ? null : oldest.topic };
  }

  #oldest(): { readonly topic: string; readonly sentMs: number } | undefined {
    for (const one of this.#waiting.values()) return one;
    return undefined;
  }
}
