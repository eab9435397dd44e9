/** Somebody at the broker's other side: sees everything, publishes what a test wants published. */
import { randomUUID } from 'node:crypto';
import { connectAsync, type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { eventually } from './eventually.js';

export interface Heard {
  readonly topic: string;
  readonly payload: string;
  readonly retain: boolean;
  readonly qos: number;
  readonly expiryS: number | undefined;
}

export class Listener {
  readonly heard: Heard[] = [];
  readonly client: MqttClient;

  private constructor(client: MqttClient) {
    this.client = client;
    client.on('message', (topic: string, payload: Buffer, packet: IPublishPacket) => {
      this.heard.push({
        topic,
        payload: payload.toString(),
        retain: packet.retain,
        qos: packet.qos,
        expiryS: packet.properties?.messageExpiryInterval,
      });
    });
  }

  /** @param options Default: MQTT 5 and retain as published, so that the tests see the flag. */
  static async on(
    broker: { host: string; port: number },
    options: IClientOptions = {},
    filter = '#',
  ): Promise<Listener> {
    const client = await connectAsync(`mqtt://${broker.host}:${broker.port}`, {
      protocolVersion: 5,
      reconnectPeriod: 0,
      ...options,
    });
    const listener = new Listener(client);
    const v5 = client.options.protocolVersion === 5 ? { rap: true } : {};
    await client.subscribeAsync(filter, { qos: 1, ...v5 });
    return listener;
  }

  on(topic: string): Heard[] {
    return this.heard.filter(message => message.topic === topic);
  }

  json<T = Record<string, unknown>>(topic: string): T[] {
    return this.on(topic)
      .filter(message => message.payload !== '')
      .map(message => JSON.parse(message.payload) as T);
  }

  last(topic: string): string | undefined {
    return this.on(topic).at(-1)?.payload;
  }

  untilLast(topic: string, payload: string): Promise<unknown> {
    return eventually(`${topic} is ${payload}`, () => this.last(topic) === payload);
  }

  async publish(topic: string, payload: string | Buffer, retain = false, qos: 0 | 1 | 2 = 1): Promise<void> {
    await this.client.publishAsync(topic, payload, { qos, retain });
  }

  /** Everything that the broker had taken before has been heard after it. */
  async settle(): Promise<void> {
    // No dot: NATS has another use for it.
    const mark = `mark/${randomUUID()}`;
    await this.publish(mark, 'x');
    await eventually('the mark comes back', () => this.on(mark).length > 0);
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}
