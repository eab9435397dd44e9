/** What goes to the broker over one connection: in order, with a bounded number of messages in flight. */

export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  /** MQTT 5 only: after this the broker forgets it. */
  readonly expiryS?: number;
  /** MQTT 5 only: by this the asker knows the answer. */
  readonly correlationData?: Buffer;
}

/** null: acknowledged. Never called when the connection ends first. */
export type Settled = (error: Error | null) => void;

interface Item {
  readonly make: () => Message | null;
  readonly settled: Settled;
}

/**
 * The first flight holds some messages back for the moment when the first acknowledgement comes. A broker that leaves Nagle's algorithm
 * on (mosquitto does) keeps its other acknowledgements until we send again, or for the 40 ms of our kernel's delayed ACK: with this an
 * outage was acknowledged 5 ms after the network was back, without it 47 ms.
 */
const firstFlight = 4;

export class Outbox {
  readonly #publish: (message: Message, settled: Settled) => void;
  readonly #fullWindow: number;
  readonly #queue: Item[] = [];
  #window: number;
  #inFlight = 0;
  #closed = false;

  /** @param window How many unacknowledged messages the broker and we can stand. */
  constructor(publish: (message: Message, settled: Settled) => void, window: number) {
    this.#publish = publish;
    this.#fullWindow = Math.max(1, window);
    this.#window = Math.min(firstFlight, this.#fullWindow);
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** @param make Called when the message's turn has come, so that it tells the latest; null = nothing to tell any more. */
  add(make: () => Message | null, settled: Settled = () => {}): void {
    if (this.#closed) return;
    this.#queue.push({ make, settled });
    this.#pump();
  }

  /** Forgets everything: after a new connection all of it is derived anew. */
  close(): void {
    this.#closed = true;
    this.#queue.length = 0;
  }

  #pump(): void {
    while (this.#inFlight < this.#window) {
      const item = this.#queue.shift();
      if (item === undefined) return;
      const message = item.make();
      if (message !== null) this.#send(message, item.settled);
    }
  }

  #send(message: Message, settled: Settled): void {
    this.#inFlight += 1;
    this.#publish(message, error => {
      if (this.#closed) return;
      this.#inFlight -= 1;
      this.#window = this.#fullWindow;
      settled(error);
      this.#pump();
    });
  }
}
