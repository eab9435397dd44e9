/** A subscriber outside of the lab that writes down every message, as Home Assistant would see it. */
import mqtt, { type MqttClient } from 'mqtt';
import { bootTimeMs } from './paths.js';
import { until, type WaitOptions } from './wait.js';

export interface Message {
  /** Receipt, CLOCK_BOOTTIME in milliseconds. */
  readonly bootMs: number;
  readonly topic: string;
  /** As the publisher set it (retain as published), or, right after subscribing, as stored. */
  readonly retain: boolean;
  readonly payload: string;
}

/** An event of `…/event`, as far as the tests look at it. */
export interface EventPayload {
  readonly event_type: string;
  readonly seq: number;
  readonly outage?: string;
  readonly resource?: string;
  readonly cause?: string;
  readonly began_at?: string;
  readonly ended_at?: string;
  readonly duration_s?: number;
  readonly attempts?: number;
  readonly detail?: string;
}

export class Recorder {
  readonly messages: Message[] = [];

  private constructor(private readonly client: MqttClient) {}

  /**
   * Subscribes to everything; connects again by itself when the broker comes back.
   * @param keepsSession the broker keeps for it what comes while it is away, if it keeps anything (persistence of mosquitto.conf(5)).
   */
  static async connect(port: number, keepsSession = false): Promise<Recorder> {
    const client = mqtt.connect({
      host: '127.0.0.1',
      port,
      protocol: 'mqtt',
      protocolVersion: 5,
      clientId: `recorder-${process.pid}-${Math.random().toString(36).slice(2)}`,
      reconnectPeriod: 50,
      reconnectOnConnackError: true,
      ...(keepsSession && { clean: false, properties: { sessionExpiryInterval: 3600 } }),
    });
    const recorder = new Recorder(client);
    client.on('error', () => {});
    client.on('message', (topic, payload, packet) => {
      recorder.messages.push({
        bootMs: bootTimeMs(),
        topic,
        retain: packet.retain,
        payload: payload.toString('utf8'),
      });
    });
    let isSubscribed = false;
    client.on('connect', () => {
      client.subscribe('#', { qos: 1, rap: true, rh: 0 }, error => {
        isSubscribed ||= !error;
      });
    });
    await until('the recorder to be connected', () => isSubscribed);
    return recorder;
  }

  /** The events of a node, in the order of receipt. */
  events(): EventPayload[] {
    return this.messages
      .filter(({ topic }) => topic.endsWith('/event'))
      .map(({ payload }) => JSON.parse(payload));
  }

  until(what: string, matches: (message: Message) => boolean, options?: WaitOptions): Promise<Message> {
    return until(what, () => this.messages.find(matches), { context: () => this.transcript(), ...options });
  }

  /** Waits for the first event of a type. */
  async event(type: string, options?: WaitOptions): Promise<EventPayload> {
    const isWanted = ({ topic, payload }: Message) =>
      topic.endsWith('/event') && JSON.parse(payload).event_type === type;
    return JSON.parse((await this.until(`the event ${type}`, isWanted, options)).payload);
  }

  publish(topic: string, payload: string, options: { retain?: boolean; qos?: 0 | 1 } = {}): Promise<unknown> {
    return this.client.publishAsync(topic, payload, {
      qos: options.qos ?? 1,
      retain: options.retain ?? false,
    });
  }

  transcript(): string {
    const lines = this.messages.map(
      ({ topic, retain, payload }) => `${topic}${retain ? ' (retained)' : ''} ${payload}`,
    );
    return `messages so far:\n${lines.join('\n')}`;
  }

  async close(): Promise<void> {
    await this.client.endAsync(true);
  }
}
