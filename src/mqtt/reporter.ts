/** Tells the broker, from the journal, whenever there is a broker to tell. Implements the core's Reporter port. */
import type { IPublishPacket } from 'mqtt';
import { isoTime } from '../core/clock.js';
import { SockmonError } from '../core/errors.js';
import type { MqttSettings } from '../core/policy.js';
import type { CommandAnswer, Log, ReceivedCommand, Reporter, Telling } from '../core/ports.js';
import type { ConnectionView } from '../core/snapshot-model.js';
import { Announcer } from './announcer.js';
import type { Attempt } from './attempt.js';
import { Conversation } from './conversation.js';
import { Link } from './link.js';
import { isTellable } from './messages.js';
import { type Topics, topicsOf } from './topics.js';

export interface ReporterOptions {
  readonly settings: MqttSettings;
  readonly node: string;
  readonly log: Log;
  /** 0 <= random < 1, for jitter; for tests. */
  readonly random?: () => number;
  /** All delays between attempts to connect are multiplied by this; for tests. */
  readonly pace?: number;
}

/** `offline`, its acknowledgement and the good-bye together. */
const stopWithinMs = 1000;
/** Answers that wait for a broker. A machine that is away for long has told their fate in its events. */
const maxWaitingAnswers = 100;
/** Connections that are given the same answer. */
const maxTries = 2;

export class MqttReporter implements Reporter {
  readonly topics: Topics;
  readonly #options: ReporterOptions;
  readonly #link: Link;
  readonly #announcer: Announcer;
  readonly #answers = new Set<CommandAnswer>();
  /** How many connections have been given an answer. */
  readonly #tries = new WeakMap<CommandAnswer, number>();
  #telling: Telling | null = null;
  #conversation: Conversation | null = null;
  #since: string | null = null;
  #onDisconnected: () => void = () => {};

  /** @throws SockmonError CONFIG when the URL is no broker's. */
  constructor(options: ReporterOptions) {
    this.#options = options;
    const { settings, node, log } = options;
    this.topics = topicsOf(settings.base, node, settings.discoveryPrefix);
    this.#announcer = new Announcer(node, this.topics);
    this.#link = new Link({
      settings,
      log,
      will: { topic: this.topics.status, payload: 'offline', retain: true },
      random: options.random ?? Math.random,
      pace: options.pace ?? 1,
      handlers: {
        connected: connection => this.#connected(connection),
        disconnected: () => this.#disconnected(),
        received: (packet: IPublishPacket) => this.#conversation?.received(packet),
        problemChanged: () => this.sync(),
      },
    });
  }

  start(telling: Telling): void {
    this.#telling = telling;
    this.#link.start();
  }

  sync(): void {
    this.#conversation?.sync();
  }

  answer(answer: CommandAnswer): void {
    this.#answers.add(answer);
    if (this.#answers.size > maxWaitingAnswers) {
      for (const oldest of this.#answers) {
        this.#answers.delete(oldest);
        break;
      }
    }
    if (this.#conversation !== null) this.#give(answer, this.#conversation);
  }

  networkLost(): void {
    this.#link.networkLost();
  }

  networkBack(): void {
    this.#link.networkBack();
  }

  async stop(): Promise<void> {
    const deadlineMs = performance.now() + stopWithinMs;
    const conversation = this.#conversation;
    this.#conversation = null;
    if (conversation !== null) {
      const gone = new Promise<void>(resolve => {
        this.#onDisconnected = resolve;
      });
      await within(stopWithinMs * 0.8, Promise.race([conversation.goodbye(), gone]));
      conversation.close();
    }
    await this.#link.stop(Math.max(100, deadlineMs - performance.now()));
  }

  /** How the broker is reached, for `sockmon status`. */
  connection(): ConnectionView {
    return this.#view(this.#pending());
  }

  #connected(connection: Attempt): void {
    const telling = this.#telling;
    if (telling === null) return;
    const { log } = this.#options;
    this.#since = isoTime(telling.now().wallMs);
    const conversation = new Conversation({
      connection,
      telling,
      log,
      topics: this.topics,
      announcer: this.#announcer,
      connectionView: pending => this.#view(pending),
      judge: command => this.#judge(telling, command),
      random: this.#options.random ?? Math.random,
    });
    this.#conversation = conversation;
    conversation.begin();
    for (const answer of this.#answers) this.#give(answer, conversation);
  }

  /** What two connections ended over is the reason for it: NATS before 2.10 hangs up at a topic with a dot in it. */
  #give(answer: CommandAnswer, conversation: Conversation): void {
    const tries = this.#tries.get(answer) ?? 0;
    if (tries < maxTries) {
      this.#tries.set(answer, tries + 1);
      conversation.answer(answer, () => this.#answers.delete(answer));
      return;
    }
    this.#answers.delete(answer);
    this.#options.log.warn(
      { id: answer.id },
      `The answer to ${answer.id} is given up: the connection ended ${maxTries} times before the broker had it.`,
    );
  }

  #disconnected(): void {
    this.#conversation?.close();
    this.#conversation = null;
    this.#since = null;
    this.#onDisconnected();
  }

  #judge(telling: Telling, command: ReceivedCommand): void {
    try {
      this.answer(telling.command(command));
    } catch (error) {
      this.#options.log.error(
        { err: error, id: command.id },
        'A command could not be judged; it is refused.',
      );
      const unwritten = error instanceof SockmonError && error.code === 'JOURNAL_WRITE';
      this.answer({
        id: command.id,
        action: command.action,
        status: 'rejected',
        code: unwritten ? 'journal_failed' : null,
        detail: unwritten ? error.message : 'A fault in sockmon; its log says more.',
        at: isoTime(telling.now().wallMs),
      });
    }
  }

  #view(pending: number): ConnectionView {
    const { connection, broker, connects, lastError, problem } = this.#link;
    return {
      state: connection === null ? 'connecting' : 'connected',
      broker,
      protocol: connection === null ? null : connection.protocol === 5 ? '5' : '3.1.1',
      since: this.#since,
      connects,
      last_error: lastError,
      problem,
      pending,
    };
  }

  #pending(): number {
    const telling = this.#telling;
    return telling === null ? 0 : telling.entriesAfter(telling.acknowledgedSeq()).filter(isTellable).length;
  }
}

function within(ms: number, work: Promise<void>): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms);
    void work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
