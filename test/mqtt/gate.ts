/** The way to the broker, for a test to close, cut and freeze: what a dead TCP/IP stack does to a connection. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from './mosquitto.js';

export class Gate {
  readonly host = '127.0.0.1';
  /** How many connections have come through. */
  passed = 0;
  /** How many were made while it was frozen. */
  hanging = 0;
  #server: Server | null = null;
  #frozen = false;
  readonly #sockets = new Set<Socket>();
  readonly #pairs = new Map<Socket, Socket>();

  private constructor(
    readonly port: number,
    private readonly broker: { host: string; port: number },
  ) {}

  /** Closed: connections are refused. */
  static async to(broker: { host: string; port: number }): Promise<Gate> {
    return new Gate(await freePort(), broker);
  }

  async open(): Promise<void> {
    this.#frozen = false;
    this.#server = createServer(socket => this.#pass(socket)).listen(this.port, this.host);
    await once(this.#server, 'listening');
  }

  /** Everything stays connected and nothing passes any more, new connections included. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.unpipe().pause();
  }

  /** New connections pass again. The frozen ones stay dead, as after a new stack they would. */
  thaw(): void {
    this.#frozen = false;
  }

  /** Ends all connections; new ones pass. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The frozen ones pass again, with what has come meanwhile: a network that was away and is back. */
  mend(): void {
    this.#frozen = false;
    for (const [near, far] of this.#pairs) {
      near.pipe(far);
      far.pipe(near);
    }
  }

  /** Refuses new connections and ends all others. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : once(server, 'close');
    server?.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Lets a connection through that a test has accepted, and read the first bytes of, itself. */
  take(near: Socket, head: Buffer): void {
    near.unshift(head);
    this.#pass(near);
  }

  #pass(near: Socket): void {
    this.#keep(near);
    if (this.#frozen) {
      this.hanging += 1;
      return;
    }
    this.passed += 1;
    const far = connect(this.broker);
    this.#keep(far);
    near.pipe(far);
    far.pipe(near);
    this.#pairs.set(near, far);
    near.on('close', () => this.#pairs.delete(near));
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
