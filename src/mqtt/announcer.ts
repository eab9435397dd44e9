/** The discovery payload of this node as the configuration changes, under it and between its starts. */

import { discoveryOf, platformsOf } from '../homeassistant/discovery.js';
import type { EntityContext, Platform, Watched } from '../homeassistant/entity.js';
import type { Snapshot } from '../report/views.js';
import { press } from './commands.js';
import { DiscoveryTopic } from './discovery-topic.js';
import { eventTypes } from './events.js';
import type { Topics } from './topics.js';

export interface Announcement {
  readonly payload: string;
  /** As the journal keeps it: `key platform`. */
  readonly entities: readonly string[];
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

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#context = { topics: options.topics, eventTypes, press };
    this.#told = new Map(options.known.map(entity => entity.split(' ') as [string, Platform]));
  }

  /** What Home Assistant knows of as well, and the journal does not: it has been lost since, or is another one. */
  alsoKnown(entities: ReadonlyMap<string, Platform>): void {
    for (const [key, platform] of entities) if (!this.#told.has(key)) this.#told.set(key, platform);
  }

  announcement(snapshot: Snapshot): Announcement {
    const { node, area } = this.#options;
    const watched = watchedIn(snapshot);
    const present = platformsOf(watched, this.#context);
    const gone = new Map([...this.#told].filter(([key]) => !present.has(key)));
    for (const [key, platform] of present) this.#told.set(key, platform);
    const payload = discoveryOf({ ...this.#context, node, area, version: snapshot.version, watched, gone });
    const entities = [...present].map(([key, platform]) => `${key} ${platform}`);
    return { payload: JSON.stringify(payload), entities };
  }
}

function watchedIn({ resources }: Snapshot): Watched[] {
  return Object.entries(resources).map(([id, view]) => ({
    id,
    role: view.role,
    restartable: view.restart !== null,
  }));
}
