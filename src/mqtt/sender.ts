/** Hands messages to one connection: what is left out or too large not at all, and where need be one at a time; finds what is passed over. */
import type { ISubscriptionMap, MqttClient, Packet } from 'mqtt';
import { acknowledgementOf } from './failure-words.js';
import { packetBytes } from './fitting.js';
import { type LeftOut, subscriptionTo } from './left-out.js';
import { Line } from './line.js';
import type { Message, Settled } from './outbox.js';
import { propertiesOf } from './packets.js';
import type { InFlight } from './suspects.js';
import { TooLarge } from './too-large.js';
import { Unacknowledged } from './unacknowledged.js';
import type { Protocol } from './version.js';
import { WasLeftOut } from './was-left-out.js';

/** What earlier connections have taught. */
export interface Rules {
  /** What is not sent. */
  readonly leftOut: Pick<LeftOut, 'has'>;
  /** Whether to send one thing at a time, to find out what the broker hangs up at. */
  readonly isCareful?: boolean;
  /** Bytes of a packet that the broker is known to take at most; what it says itself counts as well. */
  readonly maximumBytes?: number;
  /** The broker has it. */
  readonly onAcknowledged?: (one: InFlight) => void;
}

type Suback = Extract<Packet, { cmd: 'suback' }>;

/** Of a SUBACK: the filters that the broker refuses, and its words. */
export interface Refused {
  readonly filters: readonly string[];
  readonly words: string;
}

/** At a SUBACK: for which filters it is. */
export type Subscribed = (filters: readonly string[], refused: Refused | null) => void;

export interface SenderOptions extends Rules {
  readonly protocol: Protocol;
  readonly overdueMs: number;
  /** null: the connection is over. */
  client(): MqttClient | null;
  /** The broker answers, and does not acknowledge this; null = nothing at all. */
  passedOver(topic: string | null): void;
}

export class Sender {
  /** Bytes of a packet that the broker takes, as far as is known. */
  maximumBytes: number;
  /** What was refused last. */
  refused: InFlight | null = null;
  readonly isCareful: boolean;
  readonly #options: SenderOptions;
  readonly #line: Line;
  readonly #unacknowledged: Unacknowledged;
  #askTimer: NodeJS.Timeout | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.isCareful = options.isCareful ?? false;
    this.maximumBytes = options.maximumBytes ?? Number.POSITIVE_INFINITY;
    this.#line = new Line(this.isCareful);
    this.#unacknowledged = new Unacknowledged(options.overdueMs);
  }

  /** Sent and not acknowledged. */
  get inFlight(): readonly InFlight[] {
    return this.#line.inFlight;
  }

  takesAtMost(bytes: number): void {
    this.maximumBytes = Math.min(this.maximumBytes, bytes);
  }

  /** From now on as much at once as the broker takes. */
  hurry(): void {
    this.#line.hurry();
  }

  close(): void {
    clearTimeout(this.#askTimer);
  }

  publish(message: Message, settled: Settled): void {
    const { topic } = message;
    const bytes = packetBytes(message);
    if (bytes > this.maximumBytes) {
      // It would end the connection.
      setImmediate(() => settled(new TooLarge(bytes, this.maximumBytes)));
    } else if (this.#options.leftOut.has(topic)) {
      setImmediate(() => settled(new WasLeftOut()));
    } else {
      this.#line.send({ topic, bytes }, arrived => this.#publishNow(message, bytes, settled, arrived));
    }
  }

  /** Each by itself where it may be one of them that the broker hangs up at. */
  subscribe(filters: ISubscriptionMap, answered: Subscribed): void {
    const { leftOut, client, onAcknowledged } = this.#options;
    const wanted = Object.keys(filters).filter(filter => !leftOut.has(subscriptionTo(filter)));
    for (const packet of this.isCareful ? apart(wanted) : wanted.length === 0 ? [] : [wanted]) {
      const topics = [...new Set(packet.map(subscriptionTo))];
      const topic = topics.join(', ');
      const map: ISubscriptionMap = {};
      for (const filter of packet) map[filter] = filters[filter] ?? { qos: 1 };
      this.#line.send({ topic, bytes: 0 }, arrived => {
        client()?.subscribe(map, (error, _, suback) => {
          const outcome = acknowledgementOf(error);
          if (outcome === 'unknown' || client() === null) return;
          for (const one of [topic, ...topics]) onAcknowledged?.({ topic: one, bytes: 0 });
          arrived();
          answered(packet, outcome === null ? null : refusedOf(packet, suback, outcome.message));
        });
      });
    }
  }

  /** A PINGRESP has come. */
  answered(): void {
    const verdict = this.#unacknowledged.answered(performance.now());
    if (this.#options.client() === null) return;
    if (verdict === 'ask again') this.#ask();
    else if (verdict === 'in order') this.#askInTime();
    else this.#options.passedOver(verdict.topic);
  }

  #publishNow(message: Message, bytes: number, settled: Settled, arrived: () => void): void {
    const { protocol, client, onAcknowledged } = this.#options;
    const { topic, payload, retain } = message;
    const properties = propertiesOf(message, protocol);
    const acknowledged = this.#unacknowledged.sent(topic, performance.now());
    this.#askInTime();
    client()?.publish(topic, payload, { qos: 1 as const, retain, ...properties }, error => {
      const outcome = acknowledgementOf(error);
      if (outcome === 'unknown' || client() === null) return;
      acknowledged();
      if (outcome === null) onAcknowledged?.({ topic, bytes });
      else this.refused = { topic, bytes };
      arrived();
      settled(outcome);
    });
  }

  /** The keepalive asks too, but only when nothing else is said, and after up to 18 hours. */
  #askInTime(): void {
    const inMs = this.#unacknowledged.askInMs(performance.now());
    if (inMs === null || this.#options.client() === null) return;
    clearTimeout(this.#askTimer);
    this.#askTimer = setTimeout(() => {
      // What was sent meanwhile may be younger.
      if (this.#unacknowledged.askInMs(performance.now()) !== 0) {
        this.#askInTime();
        return;
      }
      this.#ask();
    }, inMs);
    this.#askTimer.unref();
  }

  #ask(): void {
    this.#unacknowledged.asked();
    this.#options.client()?.sendPing();
  }
}

/** The codes of a SUBACK are in the order of the filters, from 0x80 on they are refusals (MQTT 5 3.9.3, 3.1.1 3.9.3). */
function refusedOf(filters: readonly string[], suback: Suback | undefined, words: string): Refused {
  const isRefused = (_: string, i: number) => Number(suback?.granted[i] ?? 0x80) >= 0x80;
  return { filters: filters.filter(isRefused), words };
}

function apart(filters: readonly string[]): readonly string[][] {
  const groups = new Map<string, string[]>();
  for (const filter of filters) {
    const group = groups.get(subscriptionTo(filter)) ?? [];
    groups.set(subscriptionTo(filter), [...group, filter]);
  }
  return [...groups.values()];
}
