/** One connection to the broker, from dialling to its end: one MqttClient, never used again. MQTT.js's own reconnect() is not safe. */
import { type IPublishPacket, type ISubscriptionMap, MqttClient } from 'mqtt';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { type DialOptions, dial } from './dialer.js';
import { failureWords, refusalWords } from './failure.js';
import type { Message, Settled } from './outbox.js';

export type Protocol = 4 | 5;

/**
 * How an attempt ended. lost: after it had been connected. hung_up: the same, and the peer closed it without a word. closed_early: the
 * peer hung up without a CONNACK, as brokers do that do not know MQTT 5. unsupported: the broker says so. refused: who we are. unwilling:
 * what we want.
 */
export type Ending =
  | 'lost'
  | 'hung_up'
  | 'taken_over'
  | 'unreachable'
  | 'refused'
  | 'unwilling'
  | 'unsupported'
  | 'closed_early';

export interface AttemptOptions extends Pick<DialOptions, 'endpoint' | 'address'> {
  readonly settings: MqttSettings;
  readonly protocol: Protocol;
  readonly will: Message;
  readonly log: Log;
}

export interface AttemptHandlers {
  connected(attempt: Attempt): void;
  /** Before the PUBACK: what is written to disk here is written before the broker forgets the message. */
  received(packet: IPublishPacket): void;
  /** Once, last, and not after close(). */
  ended(ending: Ending, words: string): void;
}

/** TCP, TLS and CONNACK together. Long: after an outage a whole fleet stands before the broker. */
const connectTimeoutMs = 20_000;
/** Commands have at most 2 KiB; what the broker may send us (MQTT 5 only). */
const maximumPacketSize = 65_536;
/** At most: the fixed header, the lengths, the packet id and the heads of the properties that we send. */
const headerBytes = 20;
/** Reason codes of MQTT 5 (4.13, 3.2.2.2) and return codes of 3.1.1 (3.2.2.3). */
const takenOver = 0x8e;
const unsupportedCodes = new Set([0x01, 0x84]);
const refusalCodes = new Set([0x02, 0x04, 0x05, 0x85, 0x86, 0x87, 0x8a, 0x8c]);
/** It will say the same in a second: our will is too much for it (no retained messages, say), or another server is to be used. */
const unwillingCodes = new Set([0x90, 0x95, 0x9a, 0x9b, 0x9c, 0x9d]);
/** A TCP connection that simply ends. */
const hangUpCodes = new Set(['ECONNRESET', 'EPIPE']);

export class Attempt {
  readonly protocol: Protocol;
  /** Packets received: proof of life. */
  packets = 0;
  /** The broker's address, once TCP stands. */
  address: string | null = null;
  /** QoS 1 messages that the broker takes unacknowledged. */
  receiveMaximum = 65_535;
  /** Bytes of a packet that the broker takes. */
  #brokerMaximum = Number.POSITIVE_INFINITY;
  readonly #client: MqttClient;
  readonly #options: AttemptOptions;
  readonly #handlers: AttemptHandlers;
  #established = false;
  #connected = false;
  #over = false;
  #connackCode = 0;
  #disconnectCode = 0;
  /** Where the broker would have us go: told, not followed, since whoever sits between could ask for the password so. */
  #elsewhere: string | undefined;
  #failure: Error | null = null;

  constructor(options: AttemptOptions, handlers: AttemptHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.protocol = options.protocol;
    this.#client = new MqttClient(client => this.#dial(client), this.#clientOptions());
    this.#listen();
    try {
      this.#client.connect();
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      setImmediate(() => this.#end());
    }
  }

  publish(message: Message, settled: Settled): void {
    if (packetBytes(message) > this.#brokerMaximum) {
      // It would end the connection.
      setImmediate(() => settled(new Error(`larger than the ${this.#brokerMaximum} bytes that it takes`)));
      return;
    }
    const properties = this.protocol === 4 ? {} : { properties: propertiesOf(message) };
    const options = { qos: 1 as const, retain: message.retain, ...properties };
    this.#client.publish(message.topic, message.payload, options, error => {
      // At the end of a connection MQTT.js fails what is in flight: that says nothing about the broker's will.
      if (!this.#over) settled(error ?? null);
    });
  }

  subscribe(filters: ISubscriptionMap, failed: (words: string) => void): void {
    this.#client.subscribe(filters, error => {
      if (error && !this.#over) failed(error.message);
    });
  }

  /** Drops the connection, dead or alive. No handler is called afterwards. */
  close(): void {
    this.#over = true;
    // end() on a client that never got a stream throws; on one that is ending already it does nothing.
    if (this.#client.stream === undefined) return;
    this.#client.end(true);
    this.#client.stream.destroy();
  }

  /** Says good-bye, so that the broker does not send the will, and closes within the time given. */
  async disconnect(withinMs: number): Promise<void> {
    // end() without force waits for every PUBACK, for ever.
    const idle = this.#connected && Object.keys(this.#client.outgoing).length === 0;
    this.#over = true;
    if (idle) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, withinMs);
        this.#client.end(false, {}, () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.close();
  }

  #dial(client: MqttClient) {
    const { endpoint, address, settings } = this.#options;
    const established = (peer: string | null): void => {
      this.#established = true;
      this.address = peer;
    };
    const stream = dial(client, { endpoint, tls: settings.tls, address, established });
    // MQTT.js drops errors that have no code.
    stream.on('error', error => this.#fail(error));
    return stream;
  }

  #clientOptions() {
    const { settings, will, protocol } = this.#options;
    return {
      manualConnect: true,
      reconnectPeriod: 0,
      resubscribe: false,
      connectTimeout: connectTimeoutMs,
      clientId: settings.clientId,
      clean: true,
      keepalive: settings.keepaliveS,
      protocolVersion: protocol,
      ...(protocol === 5 ? { properties: { sessionExpiryInterval: 0, maximumPacketSize } } : {}),
      ...(settings.username === null ? {} : { username: settings.username }),
      ...(settings.password === null ? {} : { password: settings.password }),
      will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1 as const, retain: will.retain },
      // Its debug log holds the password.
      log: () => {},
    };
  }

  #listen(): void {
    const client = this.#client;
    client.on('packetreceive', packet => {
      this.packets += 1;
      if (packet.cmd !== 'connack') return;
      this.#connackCode = packet.reasonCode ?? packet.returnCode ?? 0;
      this.#elsewhere = packet.properties?.serverReference;
    });
    client.on('connect', connack => {
      if (this.#over) return;
      this.#connected = true;
      this.receiveMaximum = connack.properties?.receiveMaximum ?? this.receiveMaximum;
      this.#brokerMaximum = connack.properties?.maximumPacketSize ?? this.#brokerMaximum;
      this.#guarded(() => this.#handlers.connected(this));
    });
    client.on('disconnect', packet => {
      this.#disconnectCode = packet.reasonCode ?? 0;
      this.#elsewhere = packet.properties?.serverReference;
    });
    client.on('error', error => this.#fail(error));
    client.on('close', () => this.#end());
    // Both protocols and every QoS come through here, and the PUBACK leaves when `done` is called.
    client.handleMessage = (packet, done) => {
      if (!this.#over) this.#guarded(() => this.#handlers.received(packet));
      done();
    };
  }

  #fail(error: Error): void {
    this.#failure ??= error;
  }

  /** An exception in a listener of MQTT.js stops its packet pump: no later message, no PINGRESP. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ err: error }, 'A fault in sockmon while it talked to the broker.');
    }
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    const [ending, words] = this.#verdict();
    this.close();
    this.#handlers.ended(ending, words);
  }

  #verdict(): [Ending, string] {
    if (this.#connackCode !== 0) {
      const words = refusalWords(this.#connackCode, this.#elsewhere);
      if (unsupportedCodes.has(this.#connackCode)) return ['unsupported', words];
      if (unwillingCodes.has(this.#connackCode)) return ['unwilling', words];
      return [refusalCodes.has(this.#connackCode) ? 'refused' : 'unreachable', words];
    }
    if (this.#disconnectCode === takenOver) return ['taken_over', refusalWords(takenOver)];
    const words =
      this.#disconnectCode === 0
        ? failureWords(this.#failure)
        : refusalWords(this.#disconnectCode, this.#elsewhere);
    const hungUp = this.#failure === null || hangUpCodes.has(codeOf(this.#failure));
    if (this.#connected) return [hungUp && this.#disconnectCode === 0 ? 'hung_up' : 'lost', words];
    return [this.#established && hungUp ? 'closed_early' : 'unreachable', words];
  }
}

function packetBytes({ topic, payload, correlationData }: Message): number {
  return Buffer.byteLength(topic + payload) + (correlationData?.length ?? 0) + headerBytes;
}

function propertiesOf({ expiryS, correlationData }: Message) {
  return {
    ...(expiryS !== undefined && { messageExpiryInterval: expiryS }),
    ...(correlationData !== undefined && { correlationData }),
  };
}

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}
