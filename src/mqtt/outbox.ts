/** What goes to the broker over one connection: in order, with a bounded number of messages in flight. */

export interface Message {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  /** MQTT 5 only: after this the broker forgets it. */
  readonly expiryS?: number;
  /** MQTT 5 only: by this the asker knows the answer. */
  readonly correlationData?: Buffer;
  /** MQTT 5 only: the connection that it was said over, for readers who want to discard the will of an earlier one. */
  readonly session?: string;
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

/** HiveMQ hangs up at the eleventh unacknowledged message, also where it has announced nothing. */
const inFlightAtMost = 10;
/** 3.1.1 has no word for how many a broker takes, and moquette loses some of what comes all at once. */
const inFlightOf311 = 5;

/** @param receiveMaximum of the CONNACK of MQTT 5; 3.1.1 has none. */
export function inFlightLimit(protocol: 4 | 5, receiveMaximum: number): number {
  return protocol === 4 ? inFlightOf311 : Math.min(inFlightAtMost, receiveMaximum);
}

export class Outbox {
  readonly #publish: (message: Message, settled: Settled) => void;
  readonly #limit: number;
  readonly #fullWindow: number;
  readonly #urgent: Item[] = [];
  readonly #queue: Item[] = [];
  #window: number;
  #inFlight = 0;
  #closed = false;
  #drained: (() => void) | null = null;

  /** @param limit How many unacknowledged messages the broker and we can stand; one of them is kept for what is urgent. */
  constructor(publish: (message: Message, settled: Settled) => void, limit: number) {
    this.#publish = publish;
    this.#limit = Math.max(1, limit);
    this.#fullWindow = Math.max(1, limit - 1);
    this.#window = Math.min(firstFlight, this.#fullWindow);
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#urgent.length + this.#queue.length;
  }

  /** @param make Called when the message's turn has come, so that it tells the latest; null = nothing to tell any more. */
  add(make: () => Message | null, settled: Settled = () => {}): void {
    if (this.#closed) return;
    this.#queue.push({ make, settled });
    this.#pump();
  }

  /** Before all that waits. */
  addUrgent(make: () => Message | null, settled: Settled = () => {}): void {
    if (this.#closed) return;
    this.#urgent.push({ make, settled });
    this.#pump();
  }

  /** Forgets what waits. @param done Called when the broker has answered what is under way. */
  drain(done: () => void): void {
    this.#queue.length = 0;
    this.#drained = done;
    if (this.#inFlight === 0) done();
  }

  /** Forgets everything: after a new connection all of it is derived anew. */
  close(): void {
    this.#closed = true;
    this.#urgent.length = 0;
    this.#queue.length = 0;
  }

  #pump(): void {
    for (let item = this.#next(); item !== undefined; item = this.#next()) {
      const message = item.make();
      if (message !== null) this.#send(message, item.settled);
    }
  }

  #next(): Item | undefined {
    if (this.#urgent.length > 0) return this.#inFlight < this.#limit ? this.#urgent.shift() : undefined;
    return this.#inFlight < this.#window ? this.#queue.shift() : undefined;
  }

  #send(message: Message, settled: Settled): void {
    this.#inFlight += 1;
    this.#publish(message, error => {
      if (this.#closed) return;
      this.#inFlight -= 1;
      this.#window = this.#fullWindow;
      settled(error);
      this.#pump();
      if (this.#inFlight === 0) this.#drained?.();
    });
  }
}
