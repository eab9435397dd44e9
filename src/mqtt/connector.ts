/** Keeps one connection to the broker: one attempt to connect at a time, a fresh client for each, our own back-off. */
import type { IPublishPacket } from 'mqtt';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { retryDelayMs } from './backoff.js';
import { Connection, type ConnectionTimes } from './connection.js';
import { CredentialFiles } from './credentials.js';
import { lastWordsOf } from './culprits.js';
import { Diagnosis } from './diagnosis.js';
import { Doubt } from './doubt.js';
import { type End, type Ending, ownWords, sentenceOf, signOf } from './ending.js';
import { type Endpoint, endpointName, endpointOf } from './endpoint.js';
import type { LeftOutFor } from './left-out.js';
import type { Message } from './outbox.js';
import { Port } from './port.js';
import { Resolver } from './resolver.js';
import { Version } from './version.js';
import { WillProbe } from './will-probe.js';

export interface ConnectorHandlers {
  connected(connection: Connection): void;
  /**
   * The connection that `connected` gave is gone; what it had in flight is unknown.
   * @param byBroker The broker has closed it, which may be for what it was sent.
   */
  disconnected(byBroker: boolean): void;
  /** See ConnectionHandlers.received. */
  received(packet: IPublishPacket): void;
  /** `problem` is another one. */
  problemChanged(): void;
  /** What was left out may be told again. */
  tellAgain(): void;
}

export interface ConnectorOptions {
  readonly settings: MqttSettings;
  readonly will: Message;
  readonly handlers: ConnectorHandlers;
  readonly log: Log;
  /** 0 <= random < 1; for tests. */
  readonly random?: () => number;
  /** All delays are multiplied by this; for tests. */
  readonly pace?: number;
  /** Of each connection; for tests. */
  readonly times?: ConnectionTimes;
  /** For how long what a broker does not take is left out; for tests. */
  readonly leaveOutMs?: Readonly<Record<LeftOutFor, number>>;
}

/** A connection that broke sooner than this says nothing good about the broker: the back-off goes on growing. */
const stableMs = 30_000;
/** For the good-bye of a connection that was made to find something out. */
const probeEndMs = 500;

export class Connector {
  readonly broker: string;
  connects = 0;
  lastError: string | null = null;
  /** Ending and words, so that each reason is told once. */
  #lastTold = '';
  readonly #options: ConnectorOptions;
  readonly #endpoint: Endpoint;
  readonly #pace: number;
  readonly #diagnosis: Diagnosis;
  #latest: Connection | null = null;
  #connectedAtMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #stopped = false;
  readonly #version: Version;
  readonly #resolver = new Resolver();
  readonly #files: CredentialFiles;
  readonly #willProbe = new WillProbe();
  /** Looks at the port, after a connection was closed without a word. */
  #looking: AbortController | null = null;
  readonly #port = new Port();
  #failures = 0;
  #kicked = false;
  /** Last address that answered, and whether the next attempt dials it. */
  #address: string | null = null;
  #byAddress = false;
  readonly #doubt = new Doubt<Connection>(() => this.kick());

  /** @throws SockmonError CONFIG for a URL that is no broker's. */
  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#endpoint = endpointOf(options.settings.url);
    this.broker = endpointName(this.#endpoint);
    this.#version = new Version(options.settings.protocol);
    this.#files = new CredentialFiles(options.settings, options.log);
    const pace = options.pace ?? 1;
    this.#pace = pace;
    const { problemChanged, tellAgain } = options.handlers;
    this.#diagnosis = new Diagnosis({
      settings: options.settings,
      broker: this.broker,
      log: options.log,
      stableMs,
      pace,
      leaveOutMs: options.leaveOutMs,
      problemChanged: () => problemChanged(),
      tellAgain: () => tellAgain(),
    });
  }

  get connection(): Connection | null {
    return this.#connectedAtMs === null ? null : this.#latest;
  }

  /** What the owner has to mend, in a sentence; null = nothing. */
  get problem(): string | null {
    return this.#diagnosis.problem;
  }

  start(): void {
    this.#started = true;
    this.#dial();
  }

  /** Connects now, in place of whatever connection or attempt there is. */
  kick(): void {
    // Before the start too: an outage that is over at the first look would make it two connections, each the other's rival.
    if (!this.#started || this.#stopped) return;
    this.#failures = 0;
    this.#diagnosis.unreachable();
    this.#kicked = true;
    this.#byAddress = this.#address !== null;
    const wasConnected = this.connection !== null;
    if (this.#latest?.hasKnocked) this.#diagnosis.leftBehind();
    this.#drop();
    if (wasConnected) this.#options.handlers.disconnected(false);
    this.#dial();
  }

  networkLost(): void {
    this.#doubt.lost(this.#latest, performance.now());
  }

  networkBack(): void {
    this.#doubt.back(this.connection, performance.now());
  }

  /** @param withinMs For the good-bye; a connection that does not take it is dropped. */
  async stop(withinMs: number): Promise<void> {
    this.#stopped = true;
    this.#doubt.stop();
    clearTimeout(this.#timer);
    this.#diagnosis.stop();
    this.#looking?.abort();
    const connection = this.#latest;
    this.#forget();
    await connection?.disconnect(withinMs);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#looking?.abort();
    this.#looking = null;
    this.#latest?.close();
    this.#forget();
  }

  #forget(): void {
    this.#latest = null;
    this.#connectedAtMs = null;
    this.#diagnosis.ended();
  }

  #dial(): void {
    clearTimeout(this.#timer);
    const { settings, will, handlers, log, times } = this.#options;
    const isProbe = this.#willProbe.isNext;
    this.#latest = new Connection(
      {
        settings,
        log,
        credentials: () => this.#files.read(),
        will: isProbe ? null : will,
        ...this.#diagnosis.rules,
        endpoint: this.#endpoint,
        resolver: this.#resolver,
        address: this.#byAddress ? this.#address : null,
        protocol: this.#version.now,
        ...(times !== undefined && { times }),
      },
      {
        connected: connection => (isProbe ? void this.#probed(connection) : this.#connected(connection)),
        received: packet => handlers.received(packet),
        ended: (ending, words) => this.#ended(ending, words),
      },
    );
  }

  /** Without the will it takes us. Whether that is the reason, or the broker is ready only now, the next attempt shows. */
  async #probed(connection: Connection): Promise<void> {
    this.#willProbe.taken();
    await connection.disconnect(probeEndMs);
    // Unless it was kicked or stopped meanwhile.
    if (this.#latest === connection) this.#dial();
  }

  #connected(connection: Connection): void {
    this.#connectedAtMs = performance.now();
    this.#address = connection.address;
    this.#version.connected();
    this.#willProbe.connected();
    this.#diagnosis.connected(connection);
    this.#kicked = false;
    this.#port.connected();
    this.connects += 1;
    this.lastError = null;
    this.#lastTold = '';
    const protocol = this.#version.name;
    this.#options.log.info(
      { broker: this.broker, protocol },
      `Connected to ${this.broker} by MQTT ${protocol}.`,
    );
    this.#options.handlers.connected(connection);
  }

  #ended(told: Ending, words: string): void {
    const connection = this.#latest;
    const connectedAtMs = this.#connectedAtMs;
    this.#forget();
    const isByBroker = told === 'hung_up' || (connection?.disconnectCode ?? 0) !== 0;
    if (connectedAtMs !== null) this.#options.handlers.disconnected(isByBroker);
    if (this.#stopped) return;
    // That is an answer after a loss of the network, too.
    const doubt = this.#doubt.ended(connection);
    if (doubt === 'asked') return;
    const nowMs = performance.now();
    const livedMs = connectedAtMs === null ? null : nowMs - connectedAtMs;
    if (livedMs !== null && livedMs >= stableMs * this.#pace) this.#failures = 0;
    // Nobody but us has closed it: a broker that was frozen has it still in its queue.
    if (told === 'silent' || told === 'lost') this.#diagnosis.leftBehind();
    const ending = this.#willProbe.judge(told);
    if (this.#willProbe.isNext) {
      this.#dial();
      return;
    }
    // Known and unknown address in turn: either the resolver is dead or the broker has moved.
    this.#byAddress = this.#address !== null && (connectedAtMs !== null || !this.#byAddress);
    const passedOver = connection?.passedOver ?? null;
    if (passedOver !== null) this.#diagnosis.leaveOut(passedOver);
    const isOtherVersion = connectedAtMs === null && this.#version.ended(signOf(ending));
    if (isOtherVersion && ending === 'unsupported') {
      this.#options.log.info(
        { broker: this.broker, reason: words },
        `${this.broker} does not take this version of MQTT (${words}); trying ${this.#version.name}.`,
      );
      this.#dial();
      return;
    }
    const wasShaken = doubt === 'shaken';
    const lastWords = connection === null || wasShaken ? null : lastWordsOf(connection);
    const end: End = { ending, words, livedMs: wasShaken ? null : livedMs, passedOver, lastWords };
    void this.#lookThenRetry(end, connection?.address ?? this.#address);
  }

  /** What the end alone does not tell, the port may. */
  async #lookThenRetry(end: End, address: string | null): Promise<void> {
    const looking = new AbortController();
    this.#looking = looking;
    const way = { endpoint: this.#endpoint, resolver: this.#resolver, address };
    const seen = await this.#port.look(way, end, looking.signal);
    if (this.#looking !== looking || this.#stopped) return;
    this.#looking = null;
    this.#retryLater(seen);
  }

  #retryLater(end: End): void {
    const { ending, words, passedOver } = end;
    const wasFought = this.#diagnosis.isFought;
    const [trouble, failures] = this.#diagnosis.troubleOf(end, this.#failures, this.#kicked);
    const delayMs = retryDelayMs(trouble, failures, (this.#options.random ?? Math.random)()) * this.#pace;
    this.#failures += 1;
    const { log, settings, will } = this.#options;
    const isGuess = trouble === 'taken_over' && ending !== 'taken_over';
    const hint = isGuess ? ` Is there another client with the id ${settings.clientId}?` : '';
    const teller = { broker: this.broker, willTopic: will.topic, passedOver };
    const isOwn = ending === 'taken_over' && trouble !== 'taken_over';
    const told = isOwn ? sentenceOf('lost', ownWords, teller) : sentenceOf(ending, words, teller);
    const sentence = `${told}${hint} Next attempt in ${(delayMs / 1000).toFixed(1)} s.`;
    const isNews = trouble === 'taken_over' ? !wasFought : `${ending} ${words}` !== this.#lastTold;
    if (isNews) log.warn({ broker: this.broker, delayMs }, sentence);
    else log.debug({ broker: this.broker, delayMs }, sentence);
    this.#lastTold = `${ending} ${words}`;
    this.lastError = ending === 'will_refused' ? `${words}: the will on ${will.topic}` : words;
    this.#timer = setTimeout(() => this.#dial(), delayMs);
    this.#timer.unref();
  }
}
