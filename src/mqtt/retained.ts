/** The retained topics of a node over one connection, but for the status: told when they change, and only then. */
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../core/ports.js';
import { withProblemOf } from '../report/snapshot.js';
import type { Telling } from '../report/telling.js';
import type { ConnectionView, Snapshot } from '../report/views.js';
import type { Announcer } from './announcer.js';
import type { Outbox, Settled } from './outbox.js';
import type { Topics } from './topics.js';

export interface RetainedOptions {
  readonly telling: Telling;
  readonly outbox: Outbox;
  readonly topics: Topics;
  readonly announcer: Announcer;
  readonly log: Log;
  connectionView(): ConnectionView;
}

export class Retained {
  readonly #options: RetainedOptions;
  readonly #refused = new Set<string>();
  #stateQueued = false;
  /** Last told over this connection; '' = nothing. */
  #discovery = '';
  #lastOutage = '';
  #state = '';

  constructor(options: RetainedOptions) {
    this.#options = options;
  }

  tellFacts(snapshot: Snapshot): void {
    this.#tellLastOutage(snapshot);
    this.#tellState();
  }

  discoveryAgain(): void {
    this.#discovery = '';
    this.tellDiscovery(this.#options.telling.snapshot());
  }

  factsAgain(): void {
    this.#lastOutage = '';
    this.#state = '';
    this.tellFacts(this.#options.telling.snapshot());
  }

  /** What is refused from now on is news. */
  forgetRefusals(): void {
    this.#refused.clear();
  }

  /** A retained command would come again at every subscription by 3.1.1. */
  clear(topic: string): void {
    this.#retain('the clearing of a retained command', topic, '');
  }

  tellDiscovery(snapshot: Snapshot): void {
    const { topics, announcer } = this.#options;
    if (topics.discovery === null) return;
    const { payload, entities } = announcer.announcement(snapshot);
    if (payload === this.#discovery) return;
    this.#discovery = payload;
    this.#retain('discovery', topics.discovery, payload, () => {
      const { telling } = this.#options;
      if (!isDeepStrictEqual(entities, telling.announced())) telling.noteAnnounced(entities);
    });
  }

  #tellLastOutage({ last_outage }: Snapshot): void {
    if (last_outage === null || last_outage.ended_at === null) return;
    const payload = JSON.stringify(last_outage);
    if (payload === this.#lastOutage) return;
    this.#lastOutage = payload;
    this.#retain('the last outage', this.#options.topics.lastOutage, payload);
  }

  /** Made when its turn has come, so that a burst of changes is told once. */
  #tellState(): void {
    if (this.#stateQueued) return;
    this.#stateQueued = true;
    const { telling, topics, outbox, connectionView } = this.#options;
    const make = () => {
      this.#stateQueued = false;
      const connection = connectionView();
      const state = { ...withProblemOf(connection, telling.snapshot()), connection };
      const timeless = JSON.stringify({ ...state, at: null });
      if (timeless === this.#state) return null;
      this.#state = timeless;
      return { topic: topics.state, payload: JSON.stringify(state), retain: true };
    };
    outbox.add(make, this.settledAs('the state', topics.state));
  }

  #retain(what: string, topic: string, payload: string, acknowledged?: () => void): void {
    const settled = this.settledAs(what, topic, acknowledged);
    this.#options.outbox.add(() => ({ topic, payload, retain: true }), settled);
  }

  /** @returns what says once that the broker has refused it. */
  settledAs(what: string, topic: string, acknowledged?: () => void): Settled {
    return error => {
      if (error === null) acknowledged?.();
      if (error === null || this.#refused.has(topic)) return;
      this.#refused.add(topic);
      this.#options.log.warn(
        { topic, error: error.message },
        `The broker refused ${what} (${error.message}). Let this user write to ${topic}.`,
      );
    };
  }
}
