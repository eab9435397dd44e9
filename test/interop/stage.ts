/** What a story with a broker is played on: the broker, the way to it, the lab with its gateway, and somebody who hears everything. */
import { randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { EventMessage } from '../../src/mqtt/events.js';
import type { Daemon } from '../lab/daemon.js';
import { Lab } from '../lab/lab.js';
import type { RestartScript } from '../lab/restart-script.js';
import { until, type WaitOptions } from '../lab/wait.js';
import { Gate } from '../mqtt/gate.js';
import { type Heard, Listener } from '../mqtt/listener.js';
import { AnyBroker, type Kind, password } from './broker.js';

const deadlineMs = 60_000;

export interface Result {
  readonly status: string;
  readonly code: string | null;
  readonly at: string;
}

/** As it is told to the broker. */
interface Connection {
  readonly protocol: string;
  readonly connects: number;
  readonly problem: string | null;
}

/** The topics of a node. */
export function topicsOf(node: string) {
  const base = `sockmon/${node}`;
  return {
    status: `${base}/status`,
    state: `${base}/state`,
    about: `${base}/about`,
    lastOutage: `${base}/last_outage`,
    events: `${base}/event`,
    run: `${base}/cmd/run`,
    result: (id: string) => `${base}/result/${id}`,
    /** Of all entities in one message, or of one of them where the broker takes no message for all. */
    discovery: new RegExp(`^homeassistant/[a-z_]+/sockmon_${node}(/[a-z0-9_]+)?/config$`),
  };
}

export const command = (id: string, action: string, target?: string) =>
  JSON.stringify({ v: 1, id, action, target, issued_at: new Date().toISOString() });

export class Stage {
  lab!: Lab;
  broker!: AnyBroker;
  gate!: Gate;
  listener!: Listener;
  script!: RestartScript;
  daemon!: Daemon;
  /** Of the log, which all daemons share. */
  #logFrom = 0;

  constructor(readonly kind: Kind) {}

  async open(): Promise<void> {
    this.lab = await Lab.open();
    this.broker = await AnyBroker.start(this.kind);
    this.gate = await Gate.to(this.broker);
    await this.gate.open();
    this.listener = await this.listen();
    // The stack lives when a command wants it restarted: to restart it is to end it first.
    const first = `kill -9 "$(cat '${this.lab.stack.pidfile}')" 2>/dev/null`;
    this.script = this.lab.restartScript({ first });
  }

  async close(): Promise<void> {
    await this.listener?.close();
    await this.lab?.close();
    await this.gate?.close();
    await this.broker?.close();
  }

  /** sockmon as the node of that name, with a state folder of its own. */
  run(
    node: string,
    { secret = password, protocol = this.kind.setting as Kind['setting' | 'protocol'] } = {},
  ): Daemon {
    const { lab, kind } = this;
    lab.stateDir = `${lab.directory}/state-${node}`;
    const file = `${lab.directory}/password-${node}`;
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    const user = kind.username === null ? {} : { username: kind.username, password_file: file };
    this.#logFrom = this.daemon?.log.length ?? 0;
    this.daemon = lab.run({
      node,
      state_dir: lab.stateDir,
      resources: { tcpip: lab.resource(this.script) },
      mqtt: { url: lab.brokerUrl(this.gate), protocol, ...user },
    });
    return this.daemon;
  }

  async killed(): Promise<void> {
    this.daemon.kill('SIGKILL');
    await this.daemon.ended;
  }

  /** Whoever knows the password, by the version of MQTT that sockmon speaks here. */
  get credentials() {
    const { kind } = this;
    const user = kind.username === null ? {} : { username: kind.username, password };
    return { protocolVersion: kind.protocol === '5' ? 5 : 4, ...user } as const;
  }

  /** On a busy machine moquette closes one of some hundred connections for no reason that it would tell: then another one is made. */
  listen(filter?: string): Promise<Listener> {
    return until('somebody listens', async () => {
      try {
        return await Listener.on(this.broker, { ...this.credentials, reconnectPeriod: 500 }, filter);
      } catch (error) {
        if (error instanceof Error && /closed/i.test(error.message)) return null;
        throw error;
      }
    });
  }

  soon<T>(what: string, probe: () => T | false | null | undefined, options?: WaitOptions): Promise<T> {
    return this.daemon.until(what, probe, { deadlineMs, ...options });
  }

  facts(node: string, type: string): EventMessage[] {
    const all = this.listener.json<EventMessage>(topicsOf(node).events);
    return all.filter(({ event_type }) => event_type === type);
  }

  result(node: string, id: string, wanted: string): Promise<Result> {
    const topic = topicsOf(node).result(id);
    const find = () => this.listener.json<Result>(topic).find(({ status }) => status === wanted);
    return this.soon(`${id} to be ${wanted}`, find);
  }

  /** What was told last of the connection, on `about` or on `state`. */
  connection(node: string): Connection | undefined {
    const { about, state } = topicsOf(node);
    const told = this.listener.heard.filter(
      ({ topic, payload }) => (topic === about || topic === state) && payload !== '',
    );
    return told.map(({ payload }) => JSON.parse(payload).connection).findLast(Boolean);
  }

  /** A topic of Home Assistant's discovery that has been told. */
  discovery(node: string): string | undefined {
    const { discovery } = topicsOf(node);
    return this.listener.heard.findLast(({ topic, payload }) => payload !== '' && discovery.test(topic))
      ?.topic;
  }

  /** Of the daemon that runs now. */
  get log(): string {
    return this.daemon.log.slice(this.#logFrom);
  }

  /** As the log has them. */
  connects(): number {
    return (this.log.match(/Connected to mqtt/g) ?? []).length;
  }

  /** By its newest connection, by which it listens to commands then: the subscription goes out before the state does. */
  hasToldAll(node: string): boolean {
    const told = this.connection(node)?.connects;
    return told === this.connects() && this.listener.last(topicsOf(node).status) === 'online';
  }

  async isListening(node: string): Promise<void> {
    await this.soon('the newest connection to be told', () => this.hasToldAll(node));
  }

  /**
   * And obeys them. In the first second of a connection sockmon refuses what may have lain at a broker that does not mark it (moquette): such
   * a command is to be sent again with a new id.
   */
  async isObeying(node: string): Promise<void> {
    await this.isListening(node);
    const { run, result } = topicsOf(node);
    const prefix = result('ready-');
    const before = this.listener.heard.length;
    const isAccepted = ({ topic, payload }: Heard) =>
      topic.startsWith(prefix) && JSON.parse(payload).status === 'accepted';
    const ask = async () => {
      if (this.listener.heard.slice(before).some(isAccepted)) return true;
      await this.listener.publish(run, command(`ready-${randomUUID()}`, 'resume'));
      return false;
    };
    await this.daemon.until('a command to be accepted', ask, { deadlineMs, pollMs: 400 });
  }

  /** What somebody is given who subscribes now, by topic. */
  async given(
    filter: string,
    isEnough: (payloads: Map<string, string>) => boolean,
  ): Promise<Map<string, string>> {
    const late = await this.listen(filter);
    try {
      const payloads = () => new Map(late.heard.map(({ topic, payload }) => [topic, payload]));
      await until(`enough by ${filter}`, () => isEnough(payloads()));
      return payloads();
    } finally {
      await late.close();
    }
  }
}
