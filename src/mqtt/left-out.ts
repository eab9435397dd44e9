/**
 * Topics that are not told for a time, because a broker does not acknowledge them (moquette drops a forbidden publish without a word).
 * Without it one of them holds up everything behind it.
 */

/** Then it is tried again: somebody may have mended the broker. A changed configuration needs a new start, which tries again too. */
export const leaveOutMs = 3_600_000;

export class LeftOut {
  readonly #forMs: number;
  readonly #onOver: () => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** @param onOver A topic may be told again. */
  constructor(forMs: number = leaveOutMs, onOver: () => void = () => {}) {
    this.#forMs = forMs;
    this.#onOver = onOver;
  }

  /** A command's result has a topic that is used once: with it all results are left out. */
  add(topic: string): void {
    const group = groupOf(topic);
    clearTimeout(this.#timers.get(group));
    const timer = setTimeout(() => {
      this.#timers.delete(group);
      this.#onOver();
    }, this.#forMs);
    timer.unref();
    this.#timers.set(group, timer);
  }

  has(topic: string): boolean {
    return this.#timers.has(groupOf(topic));
  }

  get topics(): readonly string[] {
    return [...this.#timers.keys()];
  }

  /** Forgets everything. */
  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }
}

function groupOf(topic: string): string {
  return topic.replace(/(\/result\/)[^/]+$/, '$1+');
}
