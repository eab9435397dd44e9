/**
 * Home Assistant's discovery over one connection: one message for the device where the broker takes it, else one for each entity. What has gone
 * over to single messages stays with them: every broker takes those, and Home Assistant does not bear a way back without losing some.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../core/ports.js';
import { migration } from '../homeassistant/discovery.js';
import type { Telling } from '../report/telling.js';
import type { Announcement, Announcer } from './announcer.js';
import { packetBytes } from './fitting.js';
import type { Outbox } from './outbox.js';
import type { Refusals } from './refusals.js';
import type { Topics } from './topics.js';

export interface DiscoveryTopicsOptions {
  readonly telling: Telling;
  readonly outbox: Outbox;
  readonly topics: Topics;
  readonly announcer: Announcer;
  readonly refusals: Refusals;
  readonly log: Log;
  /** All waits are multiplied by this; for tests. */
  readonly pace: number;
  maximumBytes(): number;
}

/**
 * A broker that is restarted with a limit is reached by us before Home Assistant is there again, which would not hear that it is to let go, and
 * refuse what follows. So its birth message is waited for, which comes some 13 s after the broker; where it has been there all the time, for this.
 */
const birthMs = 20_000;
/** Home Assistant unloads the entities of a device one by one, and forgets what comes meanwhile. */
const unloadMs = 3000;

export class DiscoveryTopics {
  readonly #options: DiscoveryTopicsOptions;
  #told: Announcement | null = null;
  #waiting: { readonly for: 'birth' | 'unloading'; readonly timer: NodeJS.Timeout } | null = null;
  #isMigrated = false;
  /** Nothing is told before what stands on its topic has been read. */
  #isHeld = false;

  constructor(options: DiscoveryTopicsOptions) {
    this.#options = options;
  }

  tell(): void {
    const { topics, announcer, telling } = this.#options;
    if (topics.discovery === null || this.#isHeld || announcer.topic.isDeleted) return;
    const { version } = telling.told.origin();
    const announcement = announcer.announcement(telling.told.watched(), version);
    if (announcement === this.#told) return;
    this.#told = announcement;
    if (this.#tellDevice(topics.discovery, announcement)) this.#stopWaiting();
    else this.#tellEach(announcement);
  }

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.tell();
  }

  /** Home Assistant has said that it is there, or wants everything anew. */
  again(): void {
    this.#told = null;
    if (this.#waiting?.for === 'birth') this.#migrate();
    this.tell();
  }

  close(): void {
    this.#stopWaiting();
  }

  /** @returns false where the broker does not take it, or the entities have been told one by one before. */
  #tellDevice(topic: string, { entities, device }: Announcement): boolean {
    const { telling, outbox, refusals, maximumBytes } = this.#options;
    if (telling.announced().each || this.#isMigrated) return false;
    const message = { topic, payload: device(), retain: true };
    if (packetBytes(message) > maximumBytes()) return false;
    outbox.add(
      () => message,
      error => {
        if (error === null) this.#note(entities, false);
        else refusals.tell('discovery', topic, error);
      },
    );
    return true;
  }

  #tellEach(announcement: Announcement): void {
    if (this.#waiting !== null) return;
    const { each, entities } = this.#options.telling.announced();
    const isNew = entities.length === 0 && !this.#options.announcer.topic.wasTold;
    if (each || isNew || this.#isMigrated) this.#tellSingles(announcement);
    else this.#wait('birth', birthMs, () => this.#migrate());
  }

  #migrate(): void {
    const { outbox, log, topics } = this.#options;
    const topic = topics.discovery ?? '';
    log.info(
      { topic },
      'The broker takes no discovery message of this size: Home Assistant is told of each entity by itself.',
    );
    this.#options.announcer.topic.willBeEmptied();
    for (const payload of [migration, '']) outbox.add(() => ({ topic, payload, retain: true }));
    this.#isMigrated = true;
    this.#wait('unloading', unloadMs, () => {
      if (this.#told !== null && !this.#options.announcer.topic.isDeleted) this.#tellSingles(this.#told);
    });
  }

  #stopWaiting(): void {
    clearTimeout(this.#waiting?.timer);
    this.#waiting = null;
  }

  #wait(what: 'birth' | 'unloading', ms: number, then: () => void): void {
    this.#stopWaiting();
    const timer = setTimeout(() => {
      this.#waiting = null;
      then();
    }, ms * this.#options.pace);
    this.#waiting = { for: what, timer: timer.unref() };
  }

  /** Noted once the broker has them all. */
  #tellSingles(announcement: Announcement): void {
    const { outbox, refusals } = this.#options;
    const singles = [...announcement.singles()];
    let waiting = singles.length;
    let isTaken = true;
    for (const { topic, payload } of singles) {
      outbox.add(
        () => ({ topic, payload, retain: true }),
        error => {
          waiting -= 1;
          if (error !== null) {
            isTaken = false;
            refusals.tell('discovery', topic, error);
          }
          if (waiting === 0 && isTaken && this.#told === announcement)
            this.#note(announcement.entities, true);
        },
      );
    }
  }

  #note(entities: readonly string[], each: boolean): void {
    const { telling, topics } = this.#options;
    const known = telling.announced();
    const announced = { ...known, entities, each, topic: topics.discovery };
    if (!isDeepStrictEqual(announced, known)) telling.noteAnnounced(announced);
  }
}
