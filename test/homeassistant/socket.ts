/** The WebSocket side of Home Assistant: commands with an answer, and events. */
import { once } from 'node:events';
import WebSocket from 'ws';

export interface Command {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface HaEvent<Data = Record<string, unknown>> {
  readonly event_type: string;
  readonly data: Data;
  readonly time_fired: string;
}

interface Incoming {
  readonly id?: number;
  readonly type: string;
  readonly success?: boolean;
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
  readonly event?: unknown;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class HaSocket {
  private lastId = 0;
  private readonly waiting = new Map<number, Waiting>();
  private readonly listeners = new Map<number, (event: unknown) => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', data => this.take(JSON.parse(String(data)) as Incoming));
    socket.on('error', () => {}); // 'close' follows.
    socket.on('close', () => {
      for (const { reject } of this.waiting.values())
        reject(new Error('Home Assistant closed the WebSocket'));
      this.waiting.clear();
    });
  }

  static async open(url: string, token: string): Promise<HaSocket> {
    const socket = new WebSocket(url);
    // auth_required comes first and says nothing new.
    const [hello] = (await once(socket, 'message')) as [Buffer];
    socket.send(JSON.stringify({ type: 'auth', access_token: token }));
    const [answer] = (await once(socket, 'message')) as [Buffer];
    if ((JSON.parse(String(answer)) as Incoming).type !== 'auth_ok') {
      socket.terminate();
      throw new Error(`the WebSocket is refused: ${hello} ${answer}`);
    }
    return new HaSocket(socket);
  }

  /** @throws Error with Home Assistant's code and message. */
  call<Result = unknown>(command: Command): Promise<Result> {
    return this.send(++this.lastId, command) as Promise<Result>;
  }

  /** Gives the list into which the events go as they come. */
  async subscribeEvents<Data = Record<string, unknown>>(type: string): Promise<HaEvent<Data>[]> {
    return this.subscribe<HaEvent<Data>>({ type: 'subscribe_events', event_type: type });
  }

  /** Any command that answers with events, e.g. `subscribe_trigger` or `render_template`. */
  async subscribe<Event>(command: Command): Promise<Event[]> {
    const events: Event[] = [];
    const id = ++this.lastId;
    this.listeners.set(id, event => events.push(event as Event));
    await this.send(id, command);
    return events;
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = once(this.socket, 'close');
    this.socket.close();
    await closed;
  }

  private send(id: number, command: Command): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.socket.readyState !== WebSocket.OPEN) throw new Error('the WebSocket is closed');
      this.waiting.set(id, { resolve, reject });
      this.socket.send(JSON.stringify({ ...command, id }));
    });
  }

  private take({ id = 0, type, success, result, error, event }: Incoming): void {
    if (type === 'event') {
      this.listeners.get(id)?.(event);
      return;
    }
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (success) waiting?.resolve(result);
    else waiting?.reject(new Error(`${error?.code}: ${error?.message}`));
  }
}
