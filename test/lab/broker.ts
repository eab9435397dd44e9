/** A real mosquitto outside of the lab, on a free loopback port; it can go away and come back on the same port. */
import { type Mosquitto, startMosquitto } from '../mqtt/mosquitto.js';

export class Broker {
  readonly port: number;
  private running: Mosquitto | null;

  private constructor(running: Mosquitto) {
    this.running = running;
    this.port = running.port;
  }

  static async start(): Promise<Broker> {
    return new Broker(await startMosquitto());
  }

  async start(): Promise<void> {
    this.running = await startMosquitto({ port: this.port });
  }

  async stop(): Promise<void> {
    await this.running?.stop();
    this.running = null;
  }
}
