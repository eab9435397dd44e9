/** A stand-in of a broker on loopback, for one precise misbehaviour. It knows sessions; what a subscriber is given the test says. */
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import type { IPublishPacket, Packet } from 'mqtt';

type IConnectPacket = Extract<Packet, { cmd: 'connect' }>;

interface Codec {
  parser(): { settings: { protocolVersion: number }; parse(bytes: Buffer): void } & NodeJS.EventEmitter;
  generate(packet: object, options: { protocolVersion: number }): Buffer;
}
// That of MQTT.js itself.
const codec = createRequire(createRequire(import.meta.url).resolve('mqtt'))('mqtt-packet') as Codec;

export interface Sent {
  /** Of a subscription: its filters. */
  readonly topics: readonly string[];
  readonly isSubscription: boolean;
  readonly bytes: number;
}

export interface Behaviour {
  /** The code of the CONNACK; null = none, and the connection stays open. */
  accept?(packet: IConnectPacket, index: number): number | null;
  /** Whether a publish is acknowledged. */
  acknowledges?(packet: IPublishPacket): boolean;
  /** Whether a subscription is answered. */
  grants?(filter: string): boolean;
  /** Whether a subscription that is answered is refused. */
  refuses?(filter: string): boolean;
  hangsUpAtSubscribe?(filter: string): boolean;
  /** The bytes of the PUBACK; null = the usual ones. */
  puback?(packet: IPublishPacket): Buffer | null;
  /** What is done at a SUBSCRIBE, before the SUBACK. */
  subscribed?(give: Give, filters: readonly string[]): void;
  /** What is done with a publish, before it is acknowledged. */
  told?(packet: IPublishPacket, give: Give, socket: Socket): void;
  /** Whether it closes a connection after the DISCONNECT; as a broker should, by default. */
  closes?: boolean;
  /**
   * At a publish or a subscription that it does not take: `fin` and `reset` close the connection without a word; a number is the code that is
   * said first, by PUBACK and DISCONNECT.
   */
  hangsUpAt?(packet: Sent): 'fin' | 'reset' | number | null;
  /** Properties of its CONNACK. */
  readonly announces?: { readonly maximumPacketSize?: number; readonly receiveMaximum?: number };
}

/** Sends a publish of QoS 1 to the client. */
export type Give = (topic: string, payload: string, retain: boolean) => void;

export class StandIn {
  readonly connects: IConnectPacket[] = [];
  readonly published: { readonly connection: number; readonly topic: string; readonly payload: string }[] =
    [];
  /** Filters that were answered. */
  readonly subscribed: string[] = [];
  pings = 0;
  /** DISCONNECTs, and connections that the client has closed by itself. */
  readonly ends: ('disconnect' | 'closed')[] = [];
  /** QoS 1 messages to clients. */
  #given = 0;
  readonly #server: Server;
  readonly #behaviour: Behaviour;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Map<string, { socket: Socket; version: number }>();
  #frozen: (() => void)[] | null = null;

  private constructor(behaviour: Behaviour) {
    this.#behaviour = behaviour;
    this.#server = createServer(socket => this.#talk(socket));
  }

  static async start(t: TestContext, behaviour: Behaviour = {}): Promise<StandIn> {
    const broker = new StandIn(behaviour);
    broker.#server.listen(0, '127.0.0.1');
    await once(broker.#server, 'listening');
    t.after(() => {
      for (const socket of broker.#sockets) socket.destroy();
      broker.#server.close();
    });
    return broker;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }

  on(topic: string): readonly string[] {
    return this.published.filter(one => one.topic === topic).map(({ payload }) => payload);
  }

  /** What comes from now on is read later. */
  freeze(): void {
    this.#frozen ??= [];
  }

  /** @param order In which it reads what has come meanwhile: as the kernel names the sockets, which is no order at all. */
  thaw(order: 'as it came' | 'the last first' = 'as it came'): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    if (order === 'the last first') waiting.reverse();
    for (const work of waiting) work();
  }

  /** How much waits to be read. */
  get waiting(): number {
    return this.#frozen?.length ?? 0;
  }

  /** To all who are connected. */
  give(topic: string, payload: string): void {
    for (const session of this.#sessions.values()) this.#give(session, topic, payload, false);
  }

  /** Ends all connections without a word. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #talk(socket: Socket): void {
    this.#sockets.add(socket.on('error', () => {}));
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('end', () => this.ends.push('closed'));
    const parser = codec.parser();
    const session = { socket, version: 4 };
    let connection = -1;
    parser.on('error', () => socket.destroy());
    parser.on('packet', (packet: Packet) => {
      if (packet.cmd === 'connect') {
        session.version = parser.settings.protocolVersion = packet.protocolVersion ?? 4;
        const work = (): void => {
          connection = this.connects.push(packet) - 1;
          this.#connect(packet, connection, session);
        };
        if (this.#frozen === null) work();
        else this.#frozen.push(work);
      } else if (this.#frozen === null) this.#answer(packet, connection, session);
      else this.#frozen.push(() => this.#answer(packet, connection, session));
    });
    socket.on('data', bytes => parser.parse(bytes));
  }

  #connect(packet: IConnectPacket, index: number, session: { socket: Socket; version: number }): void {
    const code = this.#behaviour.accept?.(packet, index) ?? (this.#behaviour.accept ? null : 0);
    if (code === null) return;
    if (code === 0) {
      const before = this.#sessions.get(packet.clientId);
      if (before !== undefined && !before.socket.destroyed) {
        if (before.version === 5) this.#send(before, { cmd: 'disconnect', reasonCode: 0x8e });
        before.socket.end();
      }
      this.#sessions.set(packet.clientId, session);
    }
    const properties = this.#behaviour.announces ?? {};
    const codes = { returnCode: code, reasonCode: code };
    this.#send(session, { cmd: 'connack', sessionPresent: false, ...codes, properties });
    if (code !== 0) session.socket.end();
  }

  #answer(packet: Packet, connection: number, session: { socket: Socket; version: number }): void {
    if (session.socket.destroyed || session.socket.writableEnded || this.#hasHungUp(packet, session)) return;
    const give: Give = (topic, payload, retain) => this.#give(session, topic, payload, retain);
    if (packet.cmd === 'disconnect') {
      this.ends.push('disconnect');
      if (this.#behaviour.closes ?? true) session.socket.end();
    } else if (packet.cmd === 'pingreq') {
      this.pings += 1;
      this.#send(session, { cmd: 'pingresp' });
    } else if (packet.cmd === 'subscribe') {
      const { hangsUpAtSubscribe, grants } = this.#behaviour;
      const filters = packet.subscriptions.map(({ topic }) => topic);
      if (hangsUpAtSubscribe && filters.some(hangsUpAtSubscribe)) session.socket.destroy();
      if (grants && !filters.every(grants)) return;
      this.#behaviour.subscribed?.(give, filters);
      this.subscribed.push(...filters);
      const granted = filters.map(filter =>
        this.#behaviour.refuses?.(filter) ? refusedCode(session.version) : 1,
      );
      this.#send(session, { cmd: 'suback', messageId: packet.messageId, granted, reasonCode: 0 });
    } else if (packet.cmd === 'publish') {
      const { topic, payload, messageId } = packet;
      this.published.push({ connection, topic, payload: payload.toString() });
      this.#behaviour.told?.(packet, give, session.socket);
      const bytes = this.#behaviour.puback?.(packet) ?? null;
      if (bytes !== null) session.socket.write(bytes);
      else if (this.#behaviour.acknowledges?.(packet) ?? true)
        this.#send(session, { cmd: 'puback', messageId, reasonCode: 0 });
    }
  }

  #give(session: { socket: Socket; version: number }, topic: string, payload: string, retain: boolean): void {
    this.#given += 1;
    const fresh = { dup: false, qos: 1, messageId: this.#given };
    this.#send(session, { cmd: 'publish', topic, payload, retain, ...fresh });
  }

  #hasHungUp(packet: Packet, session: { socket: Socket; version: number }): boolean {
    const sent = sentIn(packet);
    const how = sent === null ? null : (this.#behaviour.hangsUpAt?.(sent) ?? null);
    if (how === null) return false;
    if (typeof how === 'number') {
      if (packet.cmd === 'publish')
        this.#send(session, { cmd: 'puback', messageId: packet.messageId, reasonCode: how });
      this.#send(session, { cmd: 'disconnect', reasonCode: how });
    }
    if (how === 'reset') session.socket.resetAndDestroy();
    else session.socket.end();
    return true;
  }

  #send({ socket, version }: { socket: Socket; version: number }, packet: object): void {
    if (socket.destroyed || !socket.writable) return;
    socket.write(codec.generate(packet, { protocolVersion: version }));
  }
}

/** "Not authorized"; 3.1.1 has one code for all. */
function refusedCode(version: number): number {
  return version === 5 ? 0x87 : 0x80;
}

function sentIn(packet: Packet): Sent | null {
  const bytes = packet.length ?? 0;
  if (packet.cmd === 'publish') return { topics: [packet.topic], isSubscription: false, bytes };
  if (packet.cmd !== 'subscribe') return null;
  return { topics: packet.subscriptions.map(({ topic }) => topic), isSubscription: true, bytes };
}
