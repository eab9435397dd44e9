/** Tells the broker, from the journal, whenever there is a broker to tell. Implements the core's Reporter port. */
import type { IPublishPacket } from 'mqtt';
import { SockmonError } from '../base/errors.js';
import type { MqttSettings } from '../core/policy.js';
import type { CommandAnswer, Log, ReceivedCommand } from '../core/ports.js';
import { isoTime, wallMsAt } from '../core/time.js';
import type { Reporter, Telling } from '../report/telling.js';
import type { ConnectionView } from '../report/views.js';
import { Announcer } from './announcer.js';
import type { ReplyTo } from './answers.js';
import type { Connection, ConnectionTimes } from './connection.js';
import { Connector } from './connector.js';
import { Conversation, type ConversationTimes } from './conversation.js';
import { isTellable } from './events.js';
import { formerDeviceWords } from './former-device.js';
import type { LeftOutFor } from './left-out.js';
import { doWithoutNumberCache } from './number-cache.js';
import { type Topics, topicsOf } from './topics.js';

export interface ReporterOptions {
  readonly settings: MqttSettings;
  readonly node: string;
  readonly log: Log;
  /** 0 <= random < 1, for jitter; for tests. */
  readonly random?: () => number;
  /** All delays between attempts to connect are multiplied by this; for tests. */
  readonly pace?: number;
  /** Of each attempt to connect; for tests. */
  readonly times?: ConnectionTimes;
  /** For how long what a broker does not take is left out; for tests. */
  readonly leaveOutMs?: Readonly<Record<LeftOutFor, number>>;
  /** Of what is said over a connection; for tests. */
  readonly conversationTimes?: ConversationTimes;
}

/** For the acknowledgement of `offline`; then for the broker to close. */
const goodbyeMs = 800;
const closeMs = 1000;
/** Answers that wait for a broker. A machine that is away for long has told their fate in its events. */
const maxWaitingAnswers = 100;
/** Commands whose later fates are wanted on topics of their own. */
const maxReplies = 100;
/** Connections that a broker may close before it has acknowledged an answer: NATS before 2.10 hangs up at a topic with a dot in it. */
const maxHangUps = 2;

/** An answer that the broker has not acknowledged. */
interface Waiting {
  readonly answer: CommandAnswer;
  readonly replyTo: ReplyTo | null;
  /** How often the broker has closed a connection that was given it. */
  hangUps: number;
}

export class MqttReporter implements Reporter {
  readonly topics: Topics;
  readonly #options: ReporterOptions;
  readonly #connector: Connector;
  #announcer: Announcer | null = null;
  readonly #answers = new Set<Waiting>();
  /** Where the later fates of commands are wanted, by their ids. */
  readonly #replies = new Map<string, ReplyTo>();
  #telling: Telling | null = null;
  #conversation: Conversation | null = null;
  /** In ms of CLOCK_BOOTTIME; null = not connected. */
  #sinceMs: number | null = null;
  #onDisconnected: () => void = () => {};

  /** @throws SockmonError CONFIG when the URL is no broker's. */
  constructor(options: ReporterOptions) {
    doWithoutNumberCache();
    this.#options = options;
    const { settings, node, log } = options;
    this.topics = topicsOf(settings.base, node, settings.discoveryPrefix);
    this.#connector = new Connector({
      settings,
      log,
      will: { topic: this.topics.status, payload: 'offline', retain: true },
      random: options.random ?? Math.random,
      pace: options.pace ?? 1,
      ...(options.times !== undefined && { times: options.times }),
      ...(options.leaveOutMs !== undefined && { leaveOutMs: options.leaveOutMs }),
      handlers: {
        connected: connection => this.#connected(connection),
        disconnected: byBroker => this.#disconnected(byBroker),
        received: (packet: IPublishPacket) => this.#conversation?.received(packet),
        problemChanged: () => this.sync(),
        tellAgain: () => this.#conversation?.tellAgain(),
      },
    });
  }

  start(telling: Telling): void {
    const { node, settings, log } = this.#options;
    const { entities: known, topic } = telling.announced();
    this.#announcer = new Announcer({ node, topics: this.topics, area: settings.suggestedArea, known });
    this.#telling = telling;
    const words = formerDeviceWords(topic, this.topics.discovery);
    if (words !== null) log.warn({ topic }, words);
    this.#connector.start();
  }

  sync(): void {
    this.#conversation?.sync();
  }

  answer(answer: CommandAnswer): void {
    const replyTo = this.#replies.get(answer.id) ?? null;
    if (answer.status !== 'accepted') this.#replies.delete(answer.id);
    this.#tell(answer, replyTo);
  }

  #tell(answer: CommandAnswer, replyTo: ReplyTo | null): void {
    const waiting: Waiting = { answer, replyTo, hangUps: 0 };
    this.#answers.add(waiting);
    if (this.#answers.size > maxWaitingAnswers) dropOldest(this.#answers);
    if (this.#conversation !== null) this.#give(waiting, this.#conversation);
  }

  networkLost(): void {
    this.#connector.networkLost();
  }

  networkBack(): void {
    this.#connector.networkBack();
  }

  async stop(): Promise<void> {
    const conversation = this.#conversation;
    this.#conversation = null;
    if (conversation !== null) {
      const gone = new Promise<void>(resolve => {
        this.#onDisconnected = resolve;
      });
      await within(goodbyeMs, Promise.race([conversation.goodbye(), gone]));
      conversation.close();
    }
    await this.#connector.stop(closeMs);
  }

  /** How the broker is reached, for `sockmon status`. */
  connection(): ConnectionView {
    return this.#view(this.#pending());
  }

  #connected(connection: Connection): void {
    const telling = this.#telling;
    const announcer = this.#announcer;
    if (telling === null || announcer === null) return;
    const { log, node, settings } = this.#options;
    const { key, responsePrefix } = settings.commands;
    this.#sinceMs = telling.now().bootMs;
    const conversation = new Conversation({
      connection,
      telling,
      log,
      topics: this.topics,
      announcer,
      connectionView: pending => this.#view(pending),
      judge: (command, replyTo) => this.#judge(telling, command, replyTo),
      signingKey: key === null ? null : { node, key },
      responsePrefix,
      random: this.#options.random ?? Math.random,
      ...(this.#options.conversationTimes !== undefined && { times: this.#options.conversationTimes }),
      pace: this.#options.pace ?? 1,
    });
    this.#conversation = conversation;
    conversation.begin();
    for (const waiting of this.#answers) this.#give(waiting, conversation);
  }

  #give(waiting: Waiting, conversation: Conversation): void {
    const { answer, replyTo } = waiting;
    if (waiting.hangUps < maxHangUps) {
      conversation.answer(answer, replyTo, () => this.#answers.delete(waiting));
      return;
    }
    this.#answers.delete(waiting);
    this.#options.log.warn(
      { id: answer.id },
      `The answer to ${answer.id} is given up: the broker has hung up ${maxHangUps} times before it had it.`,
    );
  }

  #disconnected(byBroker: boolean): void {
    if (byBroker) for (const waiting of this.#answers) waiting.hangUps += 1;
    this.#conversation?.close();
    this.#conversation = null;
    this.#sinceMs = null;
    this.#onDisconnected();
  }

  #judge(telling: Telling, command: ReceivedCommand, replyTo: ReplyTo | null): void {
    const answer = this.#verdict(telling, command);
    // Of an id that is in use already this is another command: the first one's later fate is not for its sender.
    if (replyTo !== null && answer.status === 'accepted') {
      this.#replies.set(answer.id, replyTo);
      if (this.#replies.size > maxReplies) dropOldest(this.#replies);
    }
    this.#tell(answer, replyTo);
  }

  #verdict(telling: Telling, command: ReceivedCommand): CommandAnswer {
    try {
      return telling.command(command);
    } catch (error) {
      this.#options.log.error(
        { err: error, id: command.id },
        'A command could not be judged; it is refused.',
      );
      const unwritten = error instanceof SockmonError && error.code === 'JOURNAL_WRITE';
      return {
        id: command.id,
        action: command.action,
        status: 'rejected',
        code: unwritten ? 'journal_failed' : null,
        detail: unwritten ? error.message : 'A fault in sockmon; its log says more.',
        at: isoTime(telling.now().wallMs),
      };
    }
  }

  #view(pending: number): ConnectionView {
    const { connection, broker, connects, lastError, problem } = this.#connector;
    const sinceMs = this.#sinceMs;
    const now = this.#telling?.now();
    const since = sinceMs === null || now === undefined ? undefined : wallMsAt(sinceMs, now);
    return {
      state: connection === null ? 'connecting' : 'connected',
      broker,
      protocol: connection === null ? null : connection.protocol === 5 ? '5' : '3.1.1',
      since: since === undefined ? null : isoTime(since),
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

function dropOldest<K>(all: { keys(): Iterable<K>; delete(key: K): boolean }): void {
  for (const oldest of all.keys()) {
    all.delete(oldest);
    return;
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
