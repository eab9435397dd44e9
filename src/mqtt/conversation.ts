/** All that is said and heard over one connection. A new connection gets a new conversation, so nothing stale can be said. */
import { randomUUID } from 'node:crypto';
import type { IPublishPacket, ISubscriptionMap } from 'mqtt';
import type { CommandAnswer, Log, ReceivedCommand } from '../core/ports.js';
import type { Telling } from '../report/telling.js';
import type { ConnectionView } from '../report/views.js';
import type { Announcer } from './announcer.js';
import { type ReplyTo, replyToOf } from './answers.js';
import { commandOf } from './commands.js';
import type { Attempt } from './connection.js';
import { Outbox } from './outbox.js';
import { Replay } from './replay.js';
import { Retained } from './retained.js';
import type { SigningKey } from './signature.js';
import type { Topics } from './topics.js';

export interface ConversationOptions {
  readonly connection: Attempt;
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
  /** Waits for Home Assistant are multiplied by this; for tests. */
  readonly pace: number;
}

/** What the broker and we stand unacknowledged. */
const maxInFlight = 16;
/** Home Assistant asks all devices at once, each waits a little of its own; then its entities need a moment to be made. */
const birthJitterMs = { min: 1000, max: 10_000 };
const stateAfterDiscoveryMs = 2000;
/** Several wills of dead sessions are answered once. */
const healDelayMs = 100;
const resultExpiryS = 3600;
/** Commands of QoS 0 may come faster than their answers are acknowledged. */
const maxWaitingAnswers = 1000;

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #outbox: Outbox;
  readonly #replay: Replay;
  readonly #retained: Retained;
  readonly #connectedMs: number;
  readonly #timers = new Map<'birth' | 'heal', NodeJS.Timeout>();
  #ending = false;
  #refreshQueued = false;

  constructor(options: ConversationOptions) {
    this.#options = options;
    const { connection, telling, topics, announcer, log, connectionView, pace } = options;
    this.#connectedMs = telling.now().bootMs;
    // One is left over for the good-bye.
    const window = Math.min(maxInFlight, connection.receiveMaximum - 1);
    const maximumBytes = () => connection.sender.maximumBytes;
    const outbox = new Outbox((message, settled) => connection.publish(message, settled), window);
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
  }

  /**
   * The status, facts, the last outage, the state, each resource, discovery: all at once in this order, none waits for the other's
   * acknowledgement. What a broker may take for too large comes last, so that all else has been told before.
   */
  begin(): void {
    this.#retained.tellPresence();
    this.#subscribe();
    this.#replay.sync();
    this.#retained.tellFacts();
  }

  /** What was left out for a time is tried again, and with it what stands beside it. */
  tellAgain(): void {
    this.#retained.allAgain();
    this.#replay.sync();
  }

  sync(): void {
    this.#replay.sync();
    if (this.#refreshQueued) return;
    this.#refreshQueued = true;
    setImmediate(() => {
      this.#refreshQueued = false;
      if (!this.#ending) this.#retained.changed();
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
        if (error === null) return;
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
      if (payload.toString() === 'offline') this.#healLater();
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
    const { connection, topics } = this.#options;
    return new Promise(resolve => {
      connection.publish({ topic: topics.status, payload: 'offline', retain: true }, () => resolve());
    });
  }

  /** After it nothing is said, and no acknowledgement is believed. */
  close(): void {
    this.#end();
    this.#retained.close();
    this.#outbox.close();
    this.#replay.save();
  }

  #end(): void {
    this.#ending = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #subscribe(): void {
    const { connection, topics, log } = this.#options;
    // rh 2: no retained messages at subscription. rap: a live message keeps its retain flag, so that it can be refused. nl: not our own.
    const filters: ISubscriptionMap = {
      [topics.commands]: { qos: 1, rap: true, rh: 2, nl: true },
      [topics.status]: { qos: 1 },
      ...(topics.birth === null ? {} : { [topics.birth]: { qos: 1, rh: 2 } }),
    };
    connection.subscribe(filters, words => {
      log.warn(
        { topics: Object.keys(filters), error: words },
        `The broker refuses a subscription (${words}). Let this user read ${topics.commands}, or no command will arrive.`,
      );
    });
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
    judge(command, replyToOf(packet.properties, responsePrefix, topics));
    if (retained) this.#retained.clear(topic);
  }

  /** Another session's will, or another machine's: the last word must be ours. */
  #healLater(): void {
    this.#after('heal', healDelayMs, () => this.#retained.statusAgain());
  }

  /** Events are never told again: Home Assistant would take them for new ones. */
  #announceLater(): void {
    const { min, max } = birthJitterMs;
    this.#after('birth', min + this.#options.random() * (max - min), () => {
      this.#retained.discoveryAgain();
      this.#after('birth', stateAfterDiscoveryMs, () => this.#retained.stateAgain());
    });
  }

  #after(name: 'birth' | 'heal', delayMs: number, work: () => void): void {
    if (this.#ending) return;
    clearTimeout(this.#timers.get(name));
    const timer = setTimeout(work, delayMs);
    timer.unref();
    this.#timers.set(name, timer);
  }
}
