/** What Home Assistant is told of the entities of this node, as the configuration changes, under it and between its starts. */
import { discoveryOf, entityDiscoveryOf, platformsOf } from '../homeassistant/discovery.js';
import type { EntityContext, Platform } from '../homeassistant/entity.js';
import type { WatchedView } from '../report/views.js';
import { press } from './commands.js';
import { DiscoveryTopic } from './discovery-topic.js';
import { eventTypes } from './events.js';
import type { Topics } from './topics.js';

interface Single {
  readonly topic: string;
  /** '' takes the entity away. */
  readonly payload: string;
}

export interface Announcement {
  /** As the journal keeps it: `key platform`. */
  readonly entities: readonly string[];
  /** One message for the whole device. Made anew at each call: with a thousand resources it has more than a megabyte. */
  device(): string;
  /** One message for each entity, what is gone first. */
  singles(): Iterable<Single>;
}

export interface AnnouncerOptions {
  readonly node: string;
  readonly topics: Topics;
  /** Where Home Assistant puts the device at first; null = nowhere. */
  readonly area: string | null;
  /** What Home Assistant knows of, as `key platform`. */
  readonly known: readonly string[];
}

export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #context: EntityContext;
  /** What others say on the same topic. */
  readonly topic = new DiscoveryTopic();
  /** Ever told, so that what is gone is removed, not left out. */
  readonly #told: Map<string, Platform>;
  #last: { readonly watched: readonly WatchedView[]; readonly announcement: Announcement } | null = null;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#context = { topics: options.topics, eventTypes, press };
    this.#told = new Map(options.known.map(entity => entity.split(' ') as [string, Platform]));
  }

  /** What Home Assistant knows of as well, and the journal does not: it has been lost since, or is another one. */
  alsoKnown(entities: ReadonlyMap<string, Platform>): void {
    for (const [key, platform] of entities) {
      if (this.#told.has(key)) continue;
      this.#told.set(key, platform);
      this.#last = null;
    }
  }

  /** The same object while the same is watched. */
  announcement(watched: readonly WatchedView[], version: string): Announcement {
    if (this.#last?.watched !== watched)
      this.#last = { watched, announcement: this.#announce(watched, version) };
    return this.#last.announcement;
  }

  #announce(watched: readonly WatchedView[], version: string): Announcement {
    const { node, area, topics } = this.#options;
    const present = platformsOf(watched, this.#context);
    const gone = new Map([...this.#told].filter(([key]) => !present.has(key)));
    for (const [key, platform] of present) this.#told.set(key, platform);
    const input = { ...this.#context, node, area, version, watched, gone };
    return {
      entities: [...present].map(([key, platform]) => `${key} ${platform}`),
      device: () => JSON.stringify(discoveryOf(input)),
      *singles() {
        for (const [key, platform] of gone) yield { topic: topics.entity(platform, key), payload: '' };
        for (const { key, platform, payload } of entityDiscoveryOf(input))
          yield { topic: topics.entity(platform, key), payload: JSON.stringify(payload) };
      },
    };
  }
}
