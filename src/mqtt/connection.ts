/** One connection to the broker, from dialling to its end: one MqttClient, never used again. MQTT.js's own reconnect() is not safe. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { type IPublishPacket, type ISubscriptionMap, MqttClient } from 'mqtt';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { takeEveryAcknowledgement } from './acknowledgement-codes.js';
import type { Credentials } from './credentials.js';
import { dial, streamOver, type Way } from './dial.js';
import { type Ending, endingOf, type Facts } from './ending.js';
import { leave } from './good-bye.js';
import type { Message, Settled } from './outbox.js';
import { willOf } from './packets.js';
import { type Rules, Sender, type Subscribed } from './sender.js';
import { overdueMs } from './unacknowledged.js';
import type { Protocol } from './version.js';

takeEveryAcknowledgement();

export interface ConnectionTimes {
  /** From the standing connection to CONNACK, TLS included. Long: after an outage a whole fleet stands before the broker. */
  readonly answerMs: number;
  /** A publish that is not acknowledged for so long, while the broker answers. */
  readonly overdueMs: number;
}

export const connectionTimes: ConnectionTimes = { answerMs: 20_000, overdueMs };

export interface ConnectionOptions extends Way, Rules {
  readonly settings: MqttSettings;
  /** Asked once TCP stands. Never rejects. */
  readonly credentials: () => Promise<Credentials>;
  readonly protocol: Protocol;
  /** null: none, to find out whether it is the will that is refused. */
  readonly will: Message | null;
  readonly log: Log;
  readonly times?: ConnectionTimes;
}

export interface ConnectionHandlers {
  connected(connection: Connection): void;
  /** Before the PUBACK: what is written to disk here is written before the broker forgets the message. */
  received(packet: IPublishPacket): void;
  /** Once, last, and not after close(). */
  ended(ending: Ending, words: string): void;
}

/** Commands have at most 2 KiB; what the broker may send us (MQTT 5 only). */
const maximumPacketSize = 65_536;
/** For the broker to close after it. */
const goodByeMs = 1000;

export class Connection {
  readonly protocol: Protocol;
  /** Packets received: proof of life. */
  packets = 0;
  /** Names this connection, to readers of status and will. */
  readonly session = randomUUID();
  /** The broker's address, once TCP stands. */
  address: string | null = null;
  /** QoS 1 messages that the broker takes unacknowledged. */
  receiveMaximum = 65_535;
  readonly sender: Sender;
  /** That the broker does not acknowledge, which is why the connection was given up. */
  passedOver: string | null = null;
  readonly #options: ConnectionOptions;
  readonly #times: ConnectionTimes;
  readonly #handlers: ConnectionHandlers;
  readonly #dialling = new AbortController();
  #client: MqttClient | null = null;
  #answerTimer: NodeJS.Timeout | undefined;
  #over = false;
  #facts: Facts;

  constructor(options: ConnectionOptions, handlers: ConnectionHandlers) {
    this.#options = options;
    this.#handlers = handlers;
    this.#times = options.times ?? connectionTimes;
    this.protocol = options.protocol;
    this.sender = new Sender({
      ...options,
      overdueMs: this.#times.overdueMs,
      client: () => (this.#over ? null : this.#client),
      passedOver: topic => this.#giveUp(topic),
    });
    this.#facts = {
      protocol: options.protocol,
      endpoint: options.endpoint,
      isEstablished: false,
      isConnected: false,
      isSilent: false,
      isPassedOver: false,
      connackCode: 0,
      disconnectCode: 0,
      elsewhere: undefined,
      failure: null,
      head: null,
    };
    void this.#start();
  }

  /** The broker may have read our CONNECT, or may read it yet. */
  get hasKnocked(): boolean {
    return this.#facts.isEstablished;
  }

  /** Of a DISCONNECT; 0 = none. */
  get disconnectCode(): number {
    return this.#facts.disconnectCode;
  }

  publish(message: Message, settled: Settled): void {
    this.sender.publish(message, settled);
  }

  subscribe(filters: ISubscriptionMap, answered: Subscribed): void {
    this.sender.subscribe(filters, answered);
  }

  /** Asks for a sign of life; it counts among the packets received. */
  ping(): void {
    this.#client?.sendPing();
  }

  /** Drops the connection, dead or alive. No handler is called afterwards. */
  close(): void {
    this.#over = true;
    this.#dialling.abort();
    this.sender.close();
    clearTimeout(this.#answerTimer);
    const client = this.#client;
    // end() on a client that never got a stream throws; on one that is ending already it does nothing.
    if (client?.stream === undefined) return;
    client.end(true);
    client.stream.destroy();
  }

  /**
   * Says good-bye, so that the broker does not send the will, and leaves the closing to it: Artemis sends the will all the same when we close
   * right behind the good-bye (15 of 75).
   * @param withinMs How long it is waited for.
   */
  async disconnect(withinMs: number): Promise<void> {
    const client = this.#client;
    // What is not acknowledged may not have been read either: then the will is to say it.
    const isIdle = this.#facts.isConnected && client !== null && Object.keys(client.outgoing).length === 0;
    this.#over = true;
    if (isIdle) await leave(client, withinMs);
    this.close();
  }

  async #start(): Promise<void> {
    try {
      const socket = await dial(this.#options, this.#dialling.signal);
      // Until MQTT.js listens.
      const early = (error: Error): void => this.#fail(error);
      socket.on('error', early);
      const credentials = await this.#options.credentials();
      if (this.#over || socket.destroyed) {
        socket.destroy();
        this.#end();
        return;
      }
      this.address = socket.remoteAddress ?? null;
      this.#talk(socket, credentials);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      this.#end();
    }
  }

  #talk(socket: Socket, credentials: Credentials): void {
    const { endpoint } = this.#options;
    const builder = (client: MqttClient) => {
      const stream = streamOver(client, socket, endpoint, credentials.tls, {
        established: () => {
          this.#facts.isEstablished = true;
        },
        heard: head => {
          this.#facts.head = head;
        },
      });
      // MQTT.js drops errors that have no code.
      stream.on('error', error => this.#fail(error));
      return stream;
    };
    const client = new MqttClient(builder, this.#clientOptions(credentials));
    this.#client = client;
    this.#listen(client);
    this.#answerTimer = setTimeout(() => this.#silent(client), this.#times.answerMs);
    try {
      client.connect();
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  /** Nothing was answered to our CONNECT, or to the TLS handshake before it. */
  #silent(client: MqttClient): void {
    this.#facts.isSilent = true;
    client.stream.destroy();
  }

  #clientOptions({ password }: Credentials) {
    const { settings, will, protocol } = this.#options;
    return {
      manualConnect: true,
      reconnectPeriod: 0,
      resubscribe: false,
      // Ours comes first.
      connectTimeout: this.#times.answerMs * 2,
      clientId: settings.clientId,
      clean: true,
      keepalive: settings.keepaliveS,
      protocolVersion: protocol,
      ...(protocol === 5 ? { properties: { sessionExpiryInterval: 0, maximumPacketSize } } : {}),
      ...(settings.username === null ? {} : { username: settings.username }),
      ...(password === null ? {} : { password }),
      ...(will === null ? {} : { will: willOf({ ...will, session: this.session }, protocol) }),
      // Its debug log holds the password.
      log: () => {},
    };
  }

  #listen(client: MqttClient): void {
    client.on('packetreceive', packet => {
      this.packets += 1;
      if (packet.cmd === 'pingresp') this.sender.answered();
      if (packet.cmd !== 'connack') return;
      clearTimeout(this.#answerTimer);
      this.#facts.connackCode = packet.reasonCode ?? packet.returnCode ?? 0;
      this.#facts.elsewhere = packet.properties?.serverReference;
    });
    client.on('connect', connack => {
      if (this.#over) return;
      this.#facts.isConnected = true;
      this.receiveMaximum = connack.properties?.receiveMaximum ?? this.receiveMaximum;
      const announced = connack.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY;
      this.sender.takesAtMost(announced);
      this.#guarded(() => this.#handlers.connected(this));
    });
    client.on('disconnect', packet => {
      this.#facts.disconnectCode = packet.reasonCode ?? 0;
      this.#facts.elsewhere = packet.properties?.serverReference;
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
    this.#facts.failure ??= error;
  }

  /** An exception in a listener of MQTT.js stops its packet pump: no later message, no PINGRESP. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ err: error }, 'A fault in sockmon while it talked to the broker.');
    }
  }

  #giveUp(topic: string | null): void {
    this.#facts.isPassedOver = true;
    this.passedOver = topic;
    void leave(this.#client as MqttClient, goodByeMs);
  }

  #end(): void {
    if (this.#over) return;
    const [ending, words] = endingOf(this.#facts);
    this.close();
    this.#handlers.ended(ending, words);
  }
}
