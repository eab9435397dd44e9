/** What stands on the discovery topic is read before the first announcement of a start, and over each connection it is heard when the device is deleted. */
import type { ISubscriptionMap } from 'mqtt';
import type { Log } from '../core/ports.js';
import type { Announcer } from './announcer.js';
import type { Connection } from './connection.js';
import type { Retained } from './retained.js';
import type { Topics } from './topics.js';

const deletedWords =
  'Home Assistant has deleted the device, so it is not announced any more. It comes back when sockmon is started again.';
const unreadableWords =
  'The broker does not let this user read discovery: what an earlier sockmon has left there, and whether the device is deleted, is not heard.';

export interface ReadingTimes {
  /** A broker that says nothing to a subscription for so long is not waited for. */
  readonly readingMs: number;
  /** Home Assistant is still at work on the message before: the next one would lose what it has not come to. */
  readonly correctionMs: number;
}

export const readingTimes: ReadingTimes = { readingMs: 5000, correctionMs: 5000 };

export interface ReadingOptions {
  readonly connection: Connection;
  readonly topics: Topics;
  readonly announcer: Announcer;
  readonly retained: Retained;
  readonly log: Log;
  readonly times: ReadingTimes;
}

export class DiscoveryReading {
  readonly #options: ReadingOptions;
  readonly #timers = new Map<'reading' | 'correction', NodeJS.Timeout>();
  /** What has to come before it is known that nothing more is stored there. */
  readonly #awaited = new Set<'subscription' | 'status'>();
  #isAnswered = false;
  #ending = false;

  constructor(options: ReadingOptions) {
    this.#options = options;
  }

  /**
   * Subscribed to on its own, since not everybody has the right to read it, and nothing else may suffer from that. What is stored there comes
   * before the acknowledgement of what is published after the subscription: of the status, which is to follow at once.
   */
  begin(): void {
    const { connection, topics, announcer, retained, log, times } = this.#options;
    if (topics.discovery === null) return;
    const asking = announcer.topic.asking();
    if (asking === 'leave') {
      log.debug({ topic: topics.discovery }, unreadableWords);
      return;
    }
    if (asking === 'read') {
      this.#awaited.add('subscription').add('status');
      retained.holdDiscovery();
      this.#after('reading', times.readingMs, () => retained.releaseDiscovery());
    }
    // QoS 0: to a subscriber of QoS 1 moquette 0.17 hides that a message was stored.
    const filter: ISubscriptionMap = {
      [topics.discovery]: { qos: 0, nl: true, rh: asking === 'read' ? 0 : 2 },
    };
    connection.subscribe(filter, (_, refused) => {
      this.#isAnswered = true;
      announcer.topic.answered();
      if (refused !== null) log.debug({ topic: topics.discovery, error: refused.words }, unreadableWords);
      this.#come('subscription');
    });
  }

  /** A broker that has not answered over this connection may do so by now. The status is to follow at once. */
  again(): void {
    if (this.#isAnswered || this.#options.topics.discovery === null) return;
    this.#options.announcer.topic.mayAnswer();
    this.begin();
  }

  /** The broker has the status, or will not take it. */
  statusSettled(): void {
    this.#come('status');
  }

  /** @param stored The broker had it before the subscription. */
  heard(payload: string, stored: boolean): void {
    const { announcer, topics, retained, log, times } = this.#options;
    const heard = announcer.topic.heard(payload, stored);
    if (heard.what === 'deleted') {
      log.info({ topic: topics.discovery }, deletedWords);
    } else if (heard.what === 'entities') {
      announcer.alsoKnown(heard.entities);
      // Heard in time, it is said with the first discovery, and then nothing changes.
      this.#after('correction', times.correctionMs, () => retained.tellDiscovery());
    }
  }

  end(): void {
    this.#ending = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #come(what: 'subscription' | 'status'): void {
    if (!this.#awaited.delete(what) || this.#awaited.size > 0 || this.#ending) return;
    const { announcer, retained } = this.#options;
    announcer.topic.read();
    clearTimeout(this.#timers.get('reading'));
    retained.releaseDiscovery();
  }

  #after(name: 'reading' | 'correction', delayMs: number, work: () => void): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.set(name, setTimeout(work, delayMs).unref());
  }
}
