/** A real mosquitto outside of the lab, on a free loopback port; it can go away and come back on the same port. */
import { type Mosquitto, startMosquitto } from '../mqtt/mosquitto.js';

export class Broker {
  readonly port: number;
  private running: Mosquitto | null;

  private constructor(
    running: Mosquitto,
    private readonly options: { readonly lines?: readonly string[] },
  ) {
    this.running = running;
    this.port = running.port;
  }

  /** @param lines of mosquitto.conf(5), beyond the listener and that anybody may come. */
  static async start(lines: readonly string[] = []): Promise<Broker> {
    const options = { lines: ['allow_anonymous true', ...lines] };
    return new Broker(await startMosquitto(options), options);
  }

  async start(): Promise<void> {
    this.running = await startMosquitto({ ...this.options, port: this.port });
  }

  get isRunning(): boolean {
    return this.running !== null;
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    this.running = null;
  }
}
