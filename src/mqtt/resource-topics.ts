/** A retained topic for each resource over one connection: what has changed is told, what is not watched any more is taken away. */
import { createHash } from 'node:crypto';
import type { Telling } from '../report/telling.js';
import { fitting, resourceForms } from './fitting.js';
import type { Outbox } from './outbox.js';
import type { Refusals } from './refusals.js';
import type { Topics } from './topics.js';

export interface ResourceTopicsOptions {
  readonly telling: Telling;
  readonly outbox: Outbox;
  readonly topics: Topics;
  readonly refusals: Refusals;
  maximumBytes(): number;
}

export class ResourceTopics {
  readonly #options: ResourceTopicsOptions;
  /** Digests of what was told last over this connection: the messages of thousands would be megabytes. */
  readonly #told = new Map<string, string>();
  /** In the outbox: one that changes once more is told once. */
  readonly #queued = new Set<string>();
  /** What the journal knows to have a topic. */
  readonly #noted: Set<string>;
  readonly #gone = new Set<string>();
  #isFirst = true;

  constructor(options: ResourceTopicsOptions) {
    this.#options = options;
    this.#noted = new Set(options.telling.announced().resources);
  }

  /** Over a new connection all of them, then what has changed. */
  tell(): void {
    const { told } = this.#options.telling;
    const changed = told.takeChanged();
    const ids = this.#isFirst ? told.watched().map(({ id }) => id) : changed;
    for (const id of this.#isFirst ? this.#noted : ids)
      if (this.#noted.has(id) && !told.isWatched(id)) this.#gone.add(id);
    this.#isFirst = false;
    const present = ids.filter(id => told.isWatched(id));
    this.#noteNew(present);
    for (const id of present) this.#queue(id);
  }

  /** Whether there is something to clear. */
  get hasGone(): boolean {
    return this.#gone.size > 0;
  }

  again(): void {
    this.#told.clear();
    for (const { id } of this.#options.telling.told.watched()) this.#queue(id);
  }

  /** Takes away what is gone, also what went while sockmon did not run. */
  clear(): void {
    const { outbox, topics, refusals } = this.#options;
    for (const id of this.#gone) {
      const topic = topics.resource(id);
      this.#told.delete(id);
      outbox.add(
        // It may be back.
        () => (this.#gone.has(id) ? { topic, payload: '', retain: true } : null),
        error => {
          if (error !== null) refusals.tell('that a resource is gone', topic, error);
          else if (this.#gone.delete(id)) this.#noteGone(id);
        },
      );
    }
  }

  #queue(id: string): void {
    this.#gone.delete(id);
    if (this.#queued.has(id)) return;
    this.#queued.add(id);
    const { telling, outbox, topics, refusals, maximumBytes } = this.#options;
    const topic = topics.resource(id);
    outbox.add(
      () => {
        this.#queued.delete(id);
        const view = telling.told.resource(id);
        if (view === null) return null;
        const payload = fitting(resourceForms(view), topic, maximumBytes());
        const digest = createHash('sha1').update(payload).digest('base64');
        if (digest === this.#told.get(id)) return null;
        this.#told.set(id, digest);
        return { topic, payload, retain: true };
      },
      error => {
        if (error !== null) refusals.tell('a resource', topic, error);
      },
    );
  }

  /** Before it is told: whatever happens then, the journal knows that there may be something to take away. */
  #noteNew(ids: readonly string[]): void {
    const isNew = ids.some(id => !this.#noted.has(id));
    for (const id of ids) this.#noted.add(id);
    if (isNew) this.#note();
  }

  #noteGone(id: string): void {
    this.#noted.delete(id);
    if (this.#gone.size === 0) this.#note();
  }

  #note(): void {
    const { telling } = this.#options;
    telling.noteAnnounced({ ...telling.announced(), resources: [...this.#noted] });
  }
}
