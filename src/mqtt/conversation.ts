/** All that is said and heard over one connection. A new connection gets a new conversation, so nothing stale can be said. */
import { randomUUID } from 'node:crypto';
import type { IPublishPacket } from 'mqtt';
import type { CommandAnswer, Log, ReceivedCommand } from '../core/ports.js';
import type { Telling } from '../report/telling.js';
import type { ConnectionView } from '../report/views.js';
import type { Announcer } from './announcer.js';
import { type ReplyTo, replyToOf } from './answers.js';
import { commandOf } from './commands.js';
import type { Connection } from './connection.js';
import { DiscoveryReading, type ReadingTimes, readingTimes } from './discovery-reading.js';
import { inFlightLimit, type Message, Outbox } from './outbox.js';
import { Replay } from './replay.js';
import { Retained } from './retained.js';
import type { SigningKey } from './signature.js';
import { StatusWord, type StatusWordTimes, statusWordTimes } from './status-word.js';
import { Stored } from './stored.js';
import { Subscriptions } from './subscriptions.js';
import type { Topics } from './topics.js';
import { WasLeftOut } from './was-left-out.js';

export interface ConversationOptions {
  readonly connection: Connection;
  readonly telling: Telling;
  readonly topics: Topics;
  readonly announcer: Announcer;
  readonly log: Log;
  /** @param pending What has not been handed to this connection yet: the broker gets all else before it gets the view. */
  connectionView(pending: number): ConnectionView;
  /** Judges a command; never throws. */
  judge(command: ReceivedCommand, replyTo: ReplyTo | null): void;
  /** Of commands that are signed; null = none has to be. */
  readonly signingKey: SigningKey | null;
  /** See replyToOf. */
  readonly responsePrefix: string | null;
  readonly random: () => number;
  readonly times?: ConversationTimes;
  /** Waits for Home Assistant are multiplied by this; for tests. */
  readonly pace: number;
}

interface Span {
  readonly min: number;
  readonly max: number;
}

export interface ConversationTimes {
  /** Home Assistant asks all devices at once: each waits a little of its own before it answers. */
  readonly birthMs: Span;
  /** Its entities need a moment to be made before they are told anything. */
  readonly factsAfterDiscoveryMs: number;
  /** Until everything retained is told again: some brokers forget it a day after it was told (mochi), or with a restart that we do not see. */
  readonly dayMs: Span;
  readonly statusWord: StatusWordTimes;
  readonly reading: ReadingTimes;
}

export const conversationTimes: ConversationTimes = {
  birthMs: { min: 1000, max: 10_000 },
  factsAfterDiscoveryMs: 2000,
  dayMs: { min: 18 * 3_600_000, max: 23 * 3_600_000 },
  statusWord: statusWordTimes,
  reading: readingTimes,
};

const resultExpiryS = 3600;
/** Commands of QoS 0 may come faster than their answers are acknowledged. */
const maxWaitingAnswers = 1000;

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #outbox: Outbox;
  readonly #replay: Replay;
  readonly #retained: Retained;
  readonly #statusWord: StatusWord;
  readonly #times: ConversationTimes;
  readonly #stored = new Stored();
  readonly #subscriptions: Subscriptions;
  readonly #connectedMs: number;
  readonly #timers = new Map<'birth' | 'day', NodeJS.Timeout>();
  readonly #reading: DiscoveryReading;
  #ending = false;
  #refreshQueued = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { connection, telling, topics, announcer, log, connectionView, pace } = options;
    this.#connectedMs = telling.now().bootMs;
    this.#times = options.times ?? conversationTimes;
    const limit = inFlightLimit(connection.protocol, connection.receiveMaximum);
    const maximumBytes = () => connection.sender.maximumBytes;
    const outbox = new Outbox((message, settled) => connection.publish(message, settled), limit);
    const replay = new Replay({ telling, outbox, topic: topics.event, log, maximumBytes });
    this.#outbox = outbox;
    this.#replay = replay;
    this.#retained = new Retained({
      telling,
      outbox,
      topics,
      announcer,
      log,
      connectionView: () => connectionView(replay.unsent),
      maximumBytes,
      pace,
    });
    const now = () => telling.now();
    this.#subscriptions = new Subscriptions({ connection, topics, log, stored: this.#stored, now });
    this.#reading = new DiscoveryReading({
      connection,
      topics,
      announcer,
      retained: this.#retained,
      log,
      times: this.#times.reading,
    });
    const refused = this.#retained.settledAs('the status', topics.status);
    this.#statusWord = new StatusWord({
      say: word =>
        outbox.addUrgent(
          () => this.#statusOf(word),
          error => {
            refused(error);
            this.#reading.statusSettled();
          },
        ),
      gaveIn: word =>
        log.warn(
          { topic: topics.status, word },
          `Somebody else says ${word} on ${topics.status} again and again. Is there a second sockmon of this name? Give each machine its own node name.`,
        ),
      times: this.#times.statusWord,
    });
  }

  /**
   * The status, facts, the last outage, the state, each resource, discovery: all at once in this order, none waits for the other's
   * acknowledgement. What a broker may take for too large comes last, so that all else has been told before. Only the first discovery after a
   * start waits until what stands on its topic has been read.
   */
  begin(): void {
    this.#reading.begin();
    this.#tellPresence();
    this.#subscriptions.ask();
    this.#replay.sync();
    this.#retained.tellFacts();
    this.#retellDaily();
  }

  /** What was left out for a time is tried again, and with it what stands beside it. */
  tellAgain(): void {
    this.#retained.forgetRefusals();
    this.#listenAgain();
    this.#statusWord.again();
    this.#retained.discoveryAgain();
    this.#retained.factsAgain();
    this.#replay.sync();
  }

  sync(): void {
    this.#replay.sync();
    if (this.#refreshQueued) return;
    this.#refreshQueued = true;
    setImmediate(() => {
      this.#refreshQueued = false;
      if (this.#ending) return;
      this.#retained.changed(this.#tellPresence());
    });
  }

  /** @param settled The broker has it, or will never take it. */
  answer(answer: CommandAnswer, replyTo: ReplyTo | null, settled: () => void): void {
    const { log, topics } = this.#options;
    const topic = topics.result(answer.id);
    if (this.#outbox.waiting >= maxWaitingAnswers) {
      log.debug({ topic }, 'A result is not told: more commands come than the broker takes answers to.');
      settled();
      return;
    }
    const message = { payload: JSON.stringify(answer), retain: false, expiryS: resultExpiryS };
    const isOwnTopic = replyTo?.topic === topic;
    if (replyTo !== null && !isOwnTopic) {
      this.#outbox.add(
        () => ({ ...message, ...replyTo }),
        error => {
          if (error === null) return;
          const fields = { topic: replyTo.topic, error: error.message };
          log.debug(fields, "The broker refused a result on the sender's own topic.");
        },
      );
    }
    this.#outbox.add(
      () => ({ ...message, ...(isOwnTopic && replyTo), topic }),
      error => {
        settled();
        if (error === null || error instanceof WasLeftOut) return;
        log.warn(
          { topic, error: error.message },
          `The broker refused a command's result (${error.message}). Let this user write to ${topic}.`,
        );
      },
    );
  }

  received(packet: IPublishPacket): void {
    const { topics } = this.#options;
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    if (packet.topic === topics.status) {
      if (packet.retain) this.#stored.sawMark();
      this.#statusWord.heard(payload.toString());
    } else if (packet.topic === topics.discovery) {
      this.#reading.heard(payload.toString(), packet.retain);
    } else if (packet.topic === topics.birth) {
      // A retained birth is old news: discovery has just been sent.
      if (!packet.retain && payload.toString() === 'online') this.#announceLater();
    } else {
      this.#command(packet, payload);
    }
  }

  /** Says `offline`; resolves when the broker has it and, before it, all that was in flight. Never rejects. */
  goodbye(): Promise<void> {
    this.#retained.flush();
    this.#end();
    return new Promise(resolve =>
      this.#outbox.addUrgent(
        () => this.#statusOf('offline'),
        () => this.#outbox.drain(resolve),
      ),
    );
  }

  /** After it nothing is said, and no acknowledgement is believed. */
  close(): void {
    this.#end();
    this.#retained.close();
    this.#outbox.close();
    this.#replay.save();
  }

  #tellPresence(): boolean {
    return this.#statusWord.tell(this.#options.telling.told.presence().status);
  }

  #statusOf(payload: string): Message {
    const { topics, connection } = this.#options;
    return { topic: topics.status, payload, retain: true, session: connection.session };
  }

  #end(): void {
    this.#ending = true;
    this.#statusWord.end();
    this.#reading.end();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #command(packet: IPublishPacket, payload: Buffer): void {
    const { telling, topics, judge, log, signingKey, responsePrefix } = this.#options;
    const sinceConnectMs = telling.now().bootMs - this.#connectedMs;
    const { topic, retain: retained, dup: duplicate } = packet;
    const received = { topic, payload, retained, duplicate, sinceConnectMs };
    const command = commandOf(received, topics, randomUUID, signingKey);
    if (command === null) {
      log.debug({ topic, bytes: payload.length }, 'Ignored a message that is no command.');
      return;
    }
    const mayBeStored = !retained && this.#stored.mayHold(command.issuedWallMs, telling.now());
    const judged = mayBeStored ? { ...command, mayBeStored } : command;
    judge(judged, replyToOf(packet.properties, responsePrefix, topics));
    if (retained || mayBeStored) this.#retained.clear(topic);
  }

  /** Events are never told again: Home Assistant would take them for new ones. */
  #announceLater(): void {
    const { pace } = this.#options;
    this.#after('birth', this.#jittered(this.#times.birthMs) * pace, () => this.#retell('birth'));
  }

  #retellDaily(): void {
    this.#after('day', this.#jittered(this.#times.dayMs), () => {
      this.#retellDaily();
      this.#listenAgain();
      this.#retell('day');
    });
  }

  #listenAgain(): void {
    this.#subscriptions.ask();
    this.#reading.again();
  }

  #retell(why: 'birth' | 'day'): void {
    this.#retained.discoveryAgain();
    const facts = () => {
      this.#statusWord.again();
      this.#retained.factsAgain();
    };
    if (why === 'birth') this.#after('birth', this.#times.factsAfterDiscoveryMs * this.#options.pace, facts);
    else facts();
  }

  #jittered({ min, max }: Span): number {
    return min + this.#options.random() * (max - min);
  }

  #after(name: 'birth' | 'day', delayMs: number, work: () => void): void {
    if (this.#ending) return;
    clearTimeout(this.#timers.get(name));
    const timer = setTimeout(work, delayMs);
    timer.unref();
    this.#timers.set(name, timer);
  }
}
