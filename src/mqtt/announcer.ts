/** The discovery payload of this node as the configuration changes under it. Lives as long as the process. */
import type { Snapshot } from '../core/snapshot-model.js';
import { discoveryOf, platformsOf } from '../homeassistant/discovery.js';
import type { EntityContext, Platform, Watched } from '../homeassistant/entities.js';
import { press } from './commands.js';
import { eventTypes } from './messages.js';
import type { Topics } from './topics.js';

export class Announcer {
  readonly #node: string;
  readonly #context: EntityContext;
  readonly #told = new Map<string, Platform>();

  constructor(node: string, topics: Topics) {
    this.#node = node;
    this.#context = { topics, eventTypes, press };
  }

  payload(snapshot: Snapshot): string {
    const watched: Watched[] = Object.entries(snapshot.resources).map(([id, view]) => ({
      id,
      role: view.role,
      restartable: view.restart !== null,
    }));
    const present = platformsOf(watched, this.#context);
    const gone = new Map([...this.#told].filter(([key]) => !present.has(key)));
    for (const [key, platform] of present) this.#told.set(key, platform);
    return JSON.stringify(
      discoveryOf({ ...this.#context, node: this.#node, version: snapshot.version, watched, gone }),
    );
  }
}
