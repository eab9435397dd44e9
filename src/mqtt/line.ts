/** What is on its way to the broker over one connection, and what waits for its turn where one thing is sent at a time. Pure. */
import type { InFlight } from './suspects.js';

/** @param arrived To be called when the broker has answered. */
type Send = (arrived: () => void) => void;

export class Line {
  readonly #flying = new Set<InFlight>();
  readonly #waiting: (readonly [InFlight, Send])[] = [];
  #isCareful: boolean;

  constructor(isCareful: boolean) {
    this.#isCareful = isCareful;
  }

  /** In the order in which it was sent. */
  get inFlight(): readonly InFlight[] {
    return [...this.#flying];
  }

  send(one: InFlight, send: Send): void {
    this.#waiting.push([one, send]);
    this.#pump();
  }

  /** From now on everything at once. */
  hurry(): void {
    this.#isCareful = false;
    this.#pump();
  }

  #pump(): void {
    while (!this.#isCareful || this.#flying.size === 0) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      const [one, send] = next;
      this.#flying.add(one);
      send(() => {
        this.#flying.delete(one);
        this.#pump();
      });
    }
  }
}
