/** Keeps one connection to the broker: one attempt at a time, a fresh client for each, our own back-off. */
import type { IPublishPacket } from 'mqtt';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { Attempt, type Ending, type Protocol } from './attempt.js';
import { type Endpoint, endpointName, endpointOf } from './endpoint.js';
import type { Message } from './outbox.js';
import { retryDelayMs, type Trouble } from './retry.js';
import { Rivalry, type RivalryTimes, rivalryTimes } from './rivalry.js';

export interface LinkHandlers {
  connected(connection: Attempt): void;
  /** The connection that `connected` gave is gone; what it had in flight is unknown. */
  disconnected(): void;
  /** See AttemptHandlers.received. */
  received(packet: IPublishPacket): void;
  /** `problem` is another one. */
  problemChanged(): void;
}

export interface LinkOptions {
  readonly settings: MqttSettings;
  readonly will: Message;
  readonly handlers: LinkHandlers;
  readonly log: Log;
  /** 0 <= random < 1; for tests. */
  readonly random?: () => number;
  /** All delays are multiplied by this; for tests. */
  readonly pace?: number;
}

/** A connection that broke sooner than this says nothing good about the broker: the back-off goes on growing. */
const stableMs = 30_000;

export class Link {
  readonly broker: string;
  connects = 0;
  lastError: string | null = null;
  readonly #options: LinkOptions;
  readonly #endpoint: Endpoint;
  readonly #pace: number;
  readonly #rivalryTimes: RivalryTimes;
  readonly #rivalry: Rivalry;
  #rivalryTimer: NodeJS.Timeout | undefined;
  #attempt: Attempt | null = null;
  #connectedAtMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #started = false;
  #stopped = false;
  #protocol: Protocol;
  #earlyCloses = 0;
  #failures = 0;
  #kicked = false;
  /** Last address that answered, and whether the next attempt dials it. */
  #address: string | null = null;
  #byAddress = false;
  /** The connection and its count of packets when the network died. */
  #doubted: { readonly attempt: Attempt | null; readonly packets: number } | null = null;

  /** The connection that has been through the death of its own network: how it ends accuses nobody. */
  #shaken: Attempt | null = null;

  /** @throws SockmonError CONFIG for a URL that is no broker's. */
  constructor(options: LinkOptions) {
    this.#options = options;
    this.#endpoint = endpointOf(options.settings.url);
    this.broker = endpointName(this.#endpoint);
    this.#protocol = options.settings.protocol === '3.1.1' ? 4 : 5;
    const pace = options.pace ?? 1;
    this.#pace = pace;
    this.#rivalryTimes = {
      soonMs: rivalryTimes.soonMs * pace,
      quietMs: rivalryTimes.quietMs * pace,
    };
    this.#rivalry = new Rivalry(this.#rivalryTimes);
  }

  get connection(): Attempt | null {
    return this.#connectedAtMs === null ? null : this.#attempt;
  }

  /** What the owner has to mend, in a sentence; null = nothing. */
  get problem(): string | null {
    const { clientId } = this.#options.settings;
    switch (this.#rivalry.known(performance.now())) {
      case 'proven':
        return `another client with the id ${clientId} takes over the connection to ${this.broker}: give each machine its own node name`;
      case 'guessed':
        return `${this.broker} closes the connection again and again soon after it was made: probably another client has the id ${clientId} too; give each machine its own node name, or see the broker's log`;
      default:
        return null;
    }
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
    this.#rivalry.unreachable();
    this.#kicked = true;
    this.#byAddress = this.#address !== null;
    const wasConnected = this.connection !== null;
    this.#drop();
    if (wasConnected) this.#options.handlers.disconnected();
    this.#dial();
  }

  networkLost(): void {
    this.#doubted = { attempt: this.#attempt, packets: this.#attempt?.packets ?? 0 };
    this.#shaken = this.#attempt;
  }

  networkBack(): void {
    const doubted = this.#doubted;
    this.#doubted = null;
    const connection = this.connection;
    const proven =
      connection !== null &&
      (doubted === null || doubted.attempt !== connection || connection.packets > doubted.packets);
    if (!proven) this.kick();
  }

  /** @param withinMs For the good-bye; a connection that does not take it is dropped. */
  async stop(withinMs: number): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#rivalryTimer);
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#connectedAtMs = null;
    await attempt?.disconnect(withinMs);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#attempt?.close();
    this.#attempt = null;
    this.#connectedAtMs = null;
  }

  #dial(): void {
    clearTimeout(this.#timer);
    const { settings, will, handlers, log } = this.#options;
    const address = this.#byAddress ? this.#address : null;
    this.#attempt = new Attempt(
      { settings, will, log, endpoint: this.#endpoint, address, protocol: this.#protocol },
      {
        connected: attempt => this.#connected(attempt),
        received: packet => handlers.received(packet),
        ended: (ending, words) => this.#ended(ending, words),
      },
    );
  }

  #connected(attempt: Attempt): void {
    this.#connectedAtMs = performance.now();
    this.#address = attempt.address;
    this.#earlyCloses = 0;
    this.#kicked = false;
    this.connects += 1;
    this.lastError = null;
    const protocol = attempt.protocol === 5 ? '5' : '3.1.1';
    this.#options.log.info(
      { broker: this.broker, protocol },
      `Connected to ${this.broker} by MQTT ${protocol}.`,
    );
    this.#options.handlers.connected(attempt);
  }

  #ended(ending: Ending, words: string): void {
    const connectedAtMs = this.#connectedAtMs;
    const wasShaken = this.#attempt !== null && this.#attempt === this.#shaken;
    this.#attempt = null;
    this.#shaken = null;
    this.#connectedAtMs = null;
    if (connectedAtMs !== null) this.#options.handlers.disconnected();
    if (this.#stopped) return;
    const livedMs = connectedAtMs === null ? null : performance.now() - connectedAtMs;
    if (livedMs !== null && livedMs >= stableMs * this.#pace) this.#failures = 0;
    // Known and unknown address in turn: either the resolver is dead or the broker has moved.
    this.#byAddress = this.#address !== null && (connectedAtMs !== null || !this.#byAddress);
    if (this.#changeProtocol(ending)) {
      this.#options.log.info(
        { broker: this.broker, reason: words },
        `${this.broker} does not take this version of MQTT (${words}); trying ${this.#protocol === 5 ? '5' : '3.1.1'}.`,
      );
      this.#dial();
      return;
    }
    this.#retryLater(ending, words, wasShaken ? null : livedMs);
  }

  /** @returns whether to try at once by the other version. Two early closes in a row are needed: one may be a broker that restarts. */
  #changeProtocol(ending: Ending): boolean {
    if (this.#options.settings.protocol !== 'auto') return false;
    this.#earlyCloses = ending === 'closed_early' ? this.#earlyCloses + 1 : 0;
    if (ending === 'unsupported' && this.#protocol === 5) {
      this.#protocol = 4;
      return true;
    }
    if (this.#earlyCloses >= 2) {
      this.#earlyCloses = 0;
      this.#protocol = this.#protocol === 5 ? 4 : 5;
    }
    return false;
  }

  /** @param livedMs How long there was a connection; null = there was none, or its end says nothing about the broker. */
  #retryLater(ending: Ending, words: string, livedMs: number | null): void {
    const wasKnown = this.problem !== null;
    const trouble = this.#troubleOf(ending, livedMs);
    const delayMs =
      retryDelayMs(trouble, this.#failures, (this.#options.random ?? Math.random)()) * this.#pace;
    this.#failures += 1;
    const { log, settings } = this.#options;
    const isGuess = trouble === 'taken_over' && ending !== 'taken_over';
    const hint = isGuess ? ` Is there another client with the id ${settings.clientId}?` : '';
    const sentence = `${sentenceOf(ending, this.broker, words)}${hint} Next attempt in ${(delayMs / 1000).toFixed(1)} s.`;
    const isNews = trouble === 'taken_over' ? !wasKnown : words !== this.lastError;
    if (isNews) log.warn({ broker: this.broker, delayMs }, sentence);
    else log.debug({ broker: this.broker, delayMs }, sentence);
    this.lastError = words;
    this.#timer = setTimeout(() => this.#dial(), delayMs);
    this.#timer.unref();
  }

  #troubleOf(ending: Ending, livedMs: number | null): Trouble {
    const nowMs = performance.now();
    if (ending === 'taken_over') {
      this.#rivalry.proven(nowMs);
      this.#alarm();
      return 'taken_over';
    }
    if (ending === 'hung_up' && livedMs !== null) {
      if (this.#rivalry.closed(livedMs, nowMs)) {
        this.#alarm();
        return 'taken_over';
      }
    } else {
      this.#rivalry.unreachable();
    }
    if (ending === 'refused' || ending === 'unwilling' || ending === 'unsupported') return 'refused';
    return this.#kicked ? 'kicked' : 'lost';
  }

  #alarm(): void {
    clearTimeout(this.#rivalryTimer);
    const { problemChanged } = this.#options.handlers;
    this.#rivalryTimer = setTimeout(problemChanged, this.#rivalryTimes.quietMs + 1);
    this.#rivalryTimer.unref();
    problemChanged();
  }
}

function sentenceOf(ending: Ending, broker: string, words: string): string {
  switch (ending) {
    case 'lost':
    case 'hung_up':
      return `The connection to ${broker} is lost: ${words}.`;
    case 'taken_over':
      return `Another client with the same client id has taken over the connection to ${broker}. Give each machine its own node name.`;
    case 'refused':
      return `${broker} refuses us: ${words}. Check user, password and client id.`;
    case 'unwilling':
      return `${broker} does not take us: ${words}.`;
    case 'unsupported':
      return `${broker} does not take this version of MQTT: ${words}. Set mqtt.protocol to auto.`;
    case 'unreachable':
    case 'closed_early':
      return `${broker} cannot be reached: ${words}.`;
  }
}
