/**
 * Which message a broker hangs up at. Many close the connection without a word at a topic that the user may not write to (aedes, HiveMQ, mochi by
 * 3.1.1) or at a packet that is too large for them (moquette, rumqttd); only MQTT 5 has words for it, and not all say them. So after a hang-up with
 * something unacknowledged the next connection sends one thing at a time, and what is alone in flight twice in a row is guilty. Pure.
 */
import { groupOf } from './left-out.js';

/** Sent and not acknowledged when the connection ended. */
export interface InFlight {
  readonly topic: string;
  readonly bytes: number;
}

interface Hangup {
  /** In the order in which they were sent. */
  readonly inFlight: readonly InFlight[];
  /** The connection sent one thing at a time. */
  readonly wasCareful: boolean;
  /** Of a DISCONNECT of MQTT 5; 0 = none. */
  readonly code: number;
  /** What was refused last, before that. */
  readonly refused: InFlight | null;
}

/**
 * suspected: it may be what was sent. guilty: it is, and that topic is to be left out. too_large: the same, and as no packet of that size was taken
 * before it may be the size: smaller ones are to be tried. null: what was sent has nothing to do with it.
 */
export type Blame =
  | { readonly kind: 'suspected' }
  | { readonly kind: 'guilty' | 'too_large'; readonly topic: string; readonly bytes: number };

/** Our own are some fifteen. */
const groupsAtMost = 1000;
/** No broker is known that takes less. */
const smallBytes = 1024;
/** In a row, of what is alone in flight. What was taken before is more likely to be there by chance. */
const hangUpsNeeded = { unknown: 2, taken: 3 } as const;
/** "Packet too large" (MQTT 5, 4.13), which mosquitto, HiveMQ and EMQX say. */
const packetTooLarge = 0x95;
/** "Not authorized", "Topic Name invalid", "Quota exceeded", "Payload format invalid": what was sent last is meant. */
const refusalCodes = new Set([0x87, 0x90, 0x97, 0x99]);

export class Suspects {
  /** By group: the largest packet that was acknowledged. The newest ones: who asks names the topic of his answer, and may name another each time. */
  readonly #taken = new Map<string, number>();
  #largestTaken = 0;
  /** Whether the next connection is to send one thing at a time. */
  #isCareful = false;
  #alone = { group: '', times: 0 };
  #lastInFlight: ReadonlySet<string> = new Set();
  /** Topics of results that were hung up at, since one was taken. */
  readonly #results = new Set<string>();
  /** By group whose size was blamed: what it may have at most. If a smaller one is hung up at too, it was not the size. */
  readonly #sizeBlamed = new Map<string, number>();

  get isCareful(): boolean {
    return this.#isCareful;
  }

  /** What the broker is known to take at most. */
  get maximumBytes(): number {
    return Math.min(...this.#sizeBlamed.values());
  }

  acknowledged({ topic, bytes }: InFlight): void {
    const group = groupOf(topic);
    if (topic.includes('/result/')) this.#results.clear();
    const largest = Math.max(bytes, this.#taken.get(group) ?? 0);
    this.#taken.delete(group);
    this.#taken.set(group, largest);
    if (this.#taken.size > groupsAtMost) this.#taken.delete(this.#taken.keys().next().value ?? '');
    this.#largestTaken = Math.max(this.#largestTaken, bytes);
  }

  /** A connection lives on with all that it was told. */
  calm(): void {
    this.#isCareful = false;
    this.#alone = { group: '', times: 0 };
    this.#lastInFlight = new Set();
  }

  /** The broker has closed a connection, and listens on. */
  ended({ inFlight, wasCareful, code, refused }: Hangup): Blame | null {
    // Whatever it is that the broker says, such as that it shuts down: it is not what was sent.
    if (code !== 0 && code !== packetTooLarge && !refusalCodes.has(code)) return null;
    const named = this.#named(code, inFlight, refused);
    if (named !== null) return this.#blame(named);
    const groups = new Set(inFlight.map(({ topic }) => groupOf(topic)));
    // Taken before, and yet the second hang-up at it: the rights may have changed.
    const isAgain = [...groups].some(group => this.#lastInFlight.has(group));
    const isNew = inFlight.some(one => !this.#isTaken(one));
    this.#lastInFlight = groups;
    const [alone] = inFlight.length === 1 ? inFlight : [];
    if (alone === undefined) this.#alone = { group: '', times: 0 };
    if (!isNew && !isAgain && !(wasCareful && alone !== undefined)) return null;
    this.#isCareful = true;
    return alone === undefined ? { kind: 'suspected' } : this.#hungUpAt(alone);
  }

  #hungUpAt(alone: InFlight): Blame {
    const group = groupOf(alone.topic);
    const times = this.#alone.group === group ? this.#alone.times + 1 : 1;
    this.#alone = { group, times };
    const needed = this.#isTaken(alone) ? hangUpsNeeded.taken : hangUpsNeeded.unknown;
    return times < needed || !this.#isWhole(alone.topic, group) ? { kind: 'suspected' } : this.#blame(alone);
  }

  /** Of results it may be the one id (NATS before 2.10 hangs up at a dot): each is given up by itself, and all of them with the second. */
  #isWhole(topic: string, group: string): boolean {
    if (!topic.includes('/result/')) return true;
    this.#results.add(topic);
    return topic === group || this.#results.size > 1;
  }

  /** The one that a reason code is about; null = none is. */
  #named(code: number, inFlight: readonly InFlight[], refused: InFlight | null): InFlight | null {
    const unknown = inFlight.filter(one => !this.#isTaken(one));
    if (code === packetTooLarge)
      return unknown.reduce<InFlight | null>(
        (largest, one) => (largest === null || one.bytes > largest.bytes ? one : largest),
        null,
      );
    if (!refusalCodes.has(code)) return null;
    return refused ?? (unknown.length === 1 ? (unknown[0] ?? null) : null);
  }

  #blame({ topic, bytes }: InFlight): Blame {
    const group = groupOf(topic);
    this.#isCareful = true;
    this.#alone = { group: '', times: 0 };
    const mayBeSize = bytes > smallBytes && bytes > this.#largestTaken && !this.#sizeBlamed.has(group);
    if (!mayBeSize) {
      this.#sizeBlamed.delete(group);
      return { kind: 'guilty', topic: group, bytes };
    }
    this.#sizeBlamed.set(group, bytes - 1);
    return { kind: 'too_large', topic: group, bytes };
  }

  #isTaken({ topic, bytes }: InFlight): boolean {
    return (this.#taken.get(groupOf(topic)) ?? -1) >= bytes;
  }
}
