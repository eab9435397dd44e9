/** The retained topics of a node over one connection, but for the status: told when they change, and only then. */
import type { Log } from '../core/ports.js';
import { withProblemOf } from '../report/snapshot.js';
import type { Telling } from '../report/telling.js';
import type { About, ConnectionView } from '../report/views.js';
import type { Announcer } from './announcer.js';
import { DiscoveryTopics } from './discovery-topics.js';
import { aboutForms, fitting, outageForms, stateForms } from './fitting.js';
import type { Outbox, Settled } from './outbox.js';
import { Refusals } from './refusals.js';
import { ResourceTopics } from './resource-topics.js';
import type { Topics } from './topics.js';

export interface RetainedOptions {
  readonly telling: Telling;
  readonly outbox: Outbox;
  readonly topics: Topics;
  readonly announcer: Announcer;
  readonly log: Log;
  connectionView(): ConnectionView;
  /** Bytes of a packet that the broker takes, as far as is known. */
  maximumBytes(): number;
  /** Waits for Home Assistant are multiplied by this; for tests. */
  readonly pace: number;
}

/**
 * A death, the end of its script and the recovery follow each other within a moment, and each changes the state: what comes within so long
 * is told together. Events, the status and what is about the network itself wait for nothing.
 */
const gatherMs = 250;

/** Home Assistant reads the discovery that lets go of a topic, then unloads what listens to it; an empty message before that is an error in its log. */
const clearAfterMs = 10_000;

export class Retained {
  readonly #options: RetainedOptions;
  readonly #refusals: Refusals;
  readonly #discovery: DiscoveryTopics;
  readonly #resources: ResourceTopics;
  #gathering: NodeJS.Timeout | null = null;
  #clearing: NodeJS.Timeout | null = null;
  #closed = false;
  #stateQueued = false;
  /** Last told over this connection; '' = nothing. */
  #lastStackOutage: string | null = null;
  #lastOutage = '';
  #about = '';
  #state = '';

  constructor(options: RetainedOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.log);
    const shared = { ...options, refusals: this.#refusals };
    this.#discovery = new DiscoveryTopics(shared);
    this.#resources = new ResourceTopics(shared);
  }

  holdDiscovery(): void {
    this.#discovery.hold();
  }

  releaseDiscovery(): void {
    this.#discovery.release();
  }

  /** Home Assistant may know of what is to be removed. */
  tellDiscovery(): void {
    this.#discovery.tell();
  }

  /** The largest last. */
  tellFacts(): void {
    this.#lastStackOutage = this.#options.telling.told.presence().last_stack_outage;
    this.#tellLastOutage();
    this.#tellAbout();
    this.#tellState();
    this.#resources.tell();
    this.#discovery.tell();
    if (this.#resources.hasGone) this.#clearLater();
  }

  /**
   * Something may have changed. What is about the network waits for nothing: the connection may be about to go.
   * @param isStatusNews Whether the status is another one.
   */
  changed(isStatusNews = false): void {
    const isUrgent = this.#isStackNews() || isStatusNews;
    if (this.#closed) return;
    this.#gathering ??= setTimeout(() => this.flush(), gatherMs).unref();
    if (isUrgent) this.flush();
  }

  /** Tells at once what waits to be told together. */
  flush(): void {
    if (this.#gathering === null) return;
    clearTimeout(this.#gathering);
    this.#gathering = null;
    if (!this.#closed) this.tellFacts();
  }

  discoveryAgain(): void {
    this.#discovery.again();
  }

  factsAgain(): void {
    this.#lastOutage = '';
    this.#tellLastOutage();
    this.#about = '';
    this.#tellAbout();
    this.#state = '';
    this.#tellState();
    this.#resources.again();
  }

  /** What is refused from now on is news. */
  forgetRefusals(): void {
    this.#refusals.clear();
  }

  /** A retained command would come again at every subscription by 3.1.1. */
  clear(topic: string): void {
    this.#retain('the clearing of a retained command', topic, '');
  }

  close(): void {
    this.#closed = true;
    for (const timer of [this.#gathering, this.#clearing]) if (timer !== null) clearTimeout(timer);
    this.#discovery.close();
  }

  #clearLater(): void {
    const { topics, pace } = this.#options;
    this.#clearing ??= setTimeout(
      () => {
        this.#clearing = null;
        this.#resources.clear();
      },
      topics.discovery === null ? 0 : clearAfterMs * pace,
    ).unref();
  }

  #isStackNews(): boolean {
    const { last_stack_outage: last } = this.#options.telling.told.presence();
    const isNews = last !== this.#lastStackOutage;
    this.#lastStackOutage = last;
    return isNews;
  }

  #tellLastOutage(): void {
    const { telling, topics, maximumBytes } = this.#options;
    const view = telling.told.lastOutage();
    if (view === null || view.ended_at === null) return;
    const payload = fitting(outageForms(view), topics.lastOutage, maximumBytes());
    if (payload === this.#lastOutage) return;
    this.#lastOutage = payload;
    this.#retain('the last outage', topics.lastOutage, payload);
  }

  #tellAbout(): void {
    const { topics, maximumBytes } = this.#options;
    const payload = fitting(aboutForms(this.#aboutView()), topics.about, maximumBytes());
    if (payload === this.#about) return;
    this.#about = payload;
    this.#retain('what there is to say about this gateway', topics.about, payload);
  }

  #aboutView(): About {
    const { telling, connectionView } = this.#options;
    const { pending: _, ...connection } = connectionView();
    return { ...telling.told.origin(), connection };
  }

  /** Made when its turn has come, so that a burst of changes is told once. */
  #tellState(): void {
    if (this.#stateQueued) return;
    this.#stateQueued = true;
    const { telling, topics, outbox, connectionView, maximumBytes } = this.#options;
    const make = () => {
      this.#stateQueued = false;
      const state = withProblemOf(connectionView(), telling.told.overview());
      const timeless = JSON.stringify({ ...state, at: null });
      if (timeless === this.#state) return null;
      this.#state = timeless;
      const former = this.#hasFormerEntities() ? [() => ({ ...this.#aboutView(), ...state })] : [];
      const payload = fitting([...former, ...stateForms(state)], topics.state, maximumBytes());
      return { topic: topics.state, payload, retain: true };
    };
    outbox.add(make, this.settledAs('the state', topics.state));
  }

  /**
   * Home Assistant has entities of 0.1.0, which noted no topic and told in the state what is told in `…/about` now. Until it has been told of the
   * new ones, their templates would fail in its log.
   */
  #hasFormerEntities(): boolean {
    const { entities, topic } = this.#options.telling.announced();
    return entities.length > 0 && topic === null;
  }

  #retain(what: string, topic: string, payload: string): void {
    this.#options.outbox.add(() => ({ topic, payload, retain: true }), this.settledAs(what, topic));
  }

  /** @returns what says once that the broker has refused it. */
  settledAs(what: string, topic: string): Settled {
    return error => {
      if (error !== null) this.#refusals.tell(what, topic, error);
    };
  }
}
