/**
 * What is told, kept so that a change costs what it touches: of a thousand resources those are looked at that are not simply up, and those
 * are told that have changed. One listener.
 */
import { isDeepStrictEqual } from 'node:util';
import { offsetMsOf } from '../base/clock-offset.js';
import type { Policy } from '../core/policy.js';
import type { ResourceState } from '../core/state.js';
import { type Figures, figuresOf, lastOverOf, nextFallMs } from './figures.js';
import { viewOutage } from './outage-view.js';
import { stateName, viewResource } from './resource-view.js';
import { bearingOf, isRecovering, originOf, type Seen } from './snapshot.js';
import type { Told } from './telling.js';
import {
  longestList,
  type NetworkView,
  type Origin,
  type OutageView,
  type Overview,
  type Presence,
  type ResourceStateName,
  type ResourcesView,
  type ResourceView,
  viewRole,
  type WatchedView,
} from './views.js';

/** So long the shares of the time without an outage may stand as they were: they change by themselves as time goes by, and are no news. */
const figuresForMs = 3_600_000;

interface Counted {
  readonly figures: Figures;
  readonly untilMs: number;
  /** What they were counted from. */
  readonly key: readonly unknown[];
}

export class Picture implements Told {
  readonly #seen: () => Seen;
  /** Those that are not simply up, and the network. */
  readonly #notable = new Map<string, ResourceState>();
  readonly #network = new Map<string, ResourceState>();
  #order: ReadonlyMap<string, number> = new Map();
  readonly #changed = new Set<string>();
  #pausedUntilMs = new Map<string, number>();
  #pauseChanges = 0;
  #offsetMs: number | null = null;
  #counted: Counted | null = null;
  #known: { readonly policy: Policy; readonly views: readonly WatchedView[] } | null = null;

  constructor(seen: () => Seen) {
    this.#seen = seen;
  }

  takeChanged(): readonly string[] {
    const seen = this.#seen();
    this.#look(seen);
    this.#lookAtPauses(seen);
    this.#lookAtClock(seen);
    const ids = [...this.#changed];
    this.#changed.clear();
    return ids;
  }

  isWatched(id: string): boolean {
    return this.#seen().state.resources.get(id) !== undefined;
  }

  resource(id: string): ResourceView | null {
    const { state, history, now } = this.#seen();
    const resource = state.resources.get(id);
    return resource === undefined ? null : viewResource(resource, history, now);
  }

  origin(): Origin {
    return originOf(this.#seen());
  }

  presence(): Presence {
    const seen = this.#seen();
    this.#look(seen);
    const { history, now } = seen;
    return {
      status: isRecovering([...this.#network.values()], now) ? 'recovering' : 'online',
      last_stack_outage: lastOverOf(history, this.#network.keys()),
    };
  }

  together(): ResourcesView {
    const seen = this.#seen();
    this.#look(seen);
    return this.#together(this.#inOrder(), seen);
  }

  overview(): Overview {
    const seen = this.#seen();
    this.#look(seen);
    const notable = this.#inOrder();
    const bearing = bearingOf(seen, notable);
    const { last, ...figures } = this.#figures(seen);
    return {
      ...bearing,
      ...figures,
      held: bearing.held.slice(0, longestList),
      detection: { ...bearing.detection, notes: shortList(bearing.detection.notes) },
      problems: shortList(bearing.problems),
      resources: this.#together(notable, seen),
      last_outage: last?.id ?? null,
    };
  }

  lastOutage(): OutageView | null {
    const seen = this.#seen();
    const { last } = this.#figures(seen);
    if (last === undefined) return null;
    const policy = seen.info.policy.resources.find(({ id }) => id === last.resource);
    return viewOutage(last, seen.history.seenFrom(seen.now), policy?.role ?? 'service');
  }

  watched(): readonly WatchedView[] {
    const { policy } = this.#seen().info;
    if (this.#known?.policy === policy) return this.#known.views;
    const views = policy.resources.map(({ id, role, steps }) => ({
      id,
      role: viewRole(role),
      restartable: steps.length > 0,
    }));
    // A reload that changes none of it is no reason to tell Home Assistant of every entity again.
    const isSame = isDeepStrictEqual(views, this.#known?.views);
    this.#known = { policy, views: isSame ? (this.#known?.views ?? views) : views };
    return this.#known.views;
  }

  #together(notable: readonly ResourceState[], seen: Seen): ResourcesView {
    const down = notable.filter(resource => stateName(resource) !== 'up');
    const { size } = seen.state.resources;
    return {
      watched: size,
      up: size - down.length,
      not_up: namesOf(down.slice(0, longestList)),
      network: networkOf(notable, seen),
    };
  }

  #look({ state: { resources } }: Seen): void {
    const news = resources.takeChanged();
    if (news.length === 0) return;
    for (const id of news) {
      const resource = resources.get(id);
      if (resource === undefined || isPlain(resource)) this.#notable.delete(id);
      else this.#notable.set(id, resource);
      if (resource?.policy.role === 'network') this.#network.set(id, resource);
      else this.#network.delete(id);
      this.#changed.add(id);
    }
    if (news.length >= resources.size || news.some(id => !this.#order.has(id)))
      this.#order = new Map(resources.keys().map((id, i) => [id, i]));
  }

  /** A pause of everything is a change of each. */
  #lookAtPauses({ state, history, now }: Seen): void {
    const isOver = [...this.#pausedUntilMs.values()].some(untilMs => untilMs <= now.bootMs);
    if (history.pauseChanges === this.#pauseChanges && !isOver) return;
    this.#pauseChanges = history.pauseChanges;
    const before = this.#pausedUntilMs;
    this.#pausedUntilMs = new Map();
    for (const id of state.resources.keys()) {
      const untilMs = history.pausedUntilMs(id, now);
      if (untilMs !== null) this.#pausedUntilMs.set(id, untilMs);
      if (before.get(id) !== this.#pausedUntilMs.get(id)) this.#changed.add(id);
    }
  }

  /** A clock that has been set is another time of everything. */
  #lookAtClock({ state, now }: Seen): void {
    const offsetMs = offsetMsOf(now);
    if (this.#offsetMs !== null && offsetMs !== this.#offsetMs)
      for (const id of state.resources.keys()) this.#changed.add(id);
    this.#offsetMs = offsetMs;
  }

  #inOrder(): ResourceState[] {
    const place = (id: string): number => this.#order.get(id) ?? 0;
    return [...this.#notable].sort(([a], [b]) => place(a) - place(b)).map(([, resource]) => resource);
  }

  #figures({ history, now, info: { policy } }: Seen): Figures {
    const key = [policy, history.kept.changes, offsetMsOf(now)];
    const known = this.#counted;
    if (known !== null && now.bootMs < known.untilMs && known.key.every((part, i) => part === key[i]))
      return known.figures;
    const figures = figuresOf(history, now, id => this.#network.has(id));
    const forMs = Math.min(figuresForMs, nextFallMs(history, now) - now.wallMs);
    this.#counted = { figures, key, untilMs: now.bootMs + forMs };
    return figures;
  }
}

function isPlain({ phase, policy, flapping, sensors }: ResourceState): boolean {
  const isSteady = !flapping && !sensors.some(({ repeats }) => repeats.isNamed);
  return phase.name === 'up' && policy.role === 'service' && isSteady;
}

function namesOf(resources: readonly ResourceState[]): Record<string, ResourceStateName> {
  return Object.fromEntries(resources.map(resource => [resource.policy.id, stateName(resource)]));
}

function networkOf(notable: readonly ResourceState[], { history, now }: Seen): Record<string, NetworkView> {
  const network = notable.filter(({ policy }) => policy.role === 'network');
  return Object.fromEntries(
    network.map(resource => {
      const { role, state, since, reason, outage, attempts } = viewResource(resource, history, now);
      const view = { role, state };
      return [resource.policy.id, state === 'up' ? view : { ...view, since, reason, outage, attempts }];
    }),
  );
}

function shortList(sentences: readonly string[]): readonly string[] {
  if (sentences.length <= longestList) return sentences;
  const more = sentences.length - longestList;
  return [
    ...sentences.slice(0, longestList),
    `and ${more} more: "sockmon status" on the gateway has them all`,
  ];
}
