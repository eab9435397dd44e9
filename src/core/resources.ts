/**
 * All resources in the order of the policy, and what is known about them as a whole: who is to be looked at again, when, and whose run a run is.
 * A change costs what it touches and not what there is: 10,000 resources may die at once.
 */
import { atWork, outageOf, type ResourceState } from './state.js';
import { wakeMs } from './wake.js';
import { Wakes } from './wakes.js';

/** How they stood when the present input came: what one resource decides does not depend on which of its neighbours came first. */
export interface ResourcesBefore {
  get(id: string): ResourceState | undefined;
  values(): Iterable<ResourceState>;
}

export class Resources implements Iterable<[string, ResourceState]> {
  private byId = new Map<string, ResourceState>();
  private order = new Map<string, number>();
  /** By the id of what is needed. */
  private dependants = new Map<string, readonly string[]>();
  private readonly owners = new Map<string, string>();
  private readonly wakes = new Wakes();
  private readonly touched = new Set<string>();
  private readonly changed = new Map<string, ResourceState>();
  /** Changed since somebody asked. */
  private readonly news = new Set<string>();
  readonly before: ResourcesBefore = {
    get: id => this.changed.get(id) ?? this.byId.get(id),
    values: () => this.valuesBefore(),
  };

  get size(): number {
    return this.byId.size;
  }

  get(id: string): ResourceState | undefined {
    return this.byId.get(id);
  }

  keys(): string[] {
    return [...this.byId.keys()];
  }

  values(): Iterable<ResourceState> {
    return this.byId.values();
  }

  [Symbol.iterator](): Iterator<[string, ResourceState]> {
    return this.byId.entries();
  }

  /** An input has been worked on: how all stood before is of no use any more. */
  endInput(): void {
    this.changed.clear();
  }

  set(id: string, state: ResourceState): void {
    const old = this.byId.get(id);
    if (old === undefined || old === state) return;
    if (!this.changed.has(id)) this.changed.set(id, old);
    this.byId.set(id, state);
    this.index(id, old, state);
    this.touch(id);
    this.news.add(id);
    if (downKey(old) !== downKey(state)) this.touchDependants(id);
  }

  /** A configuration has been taken up. */
  replaceAll(resources: ReadonlyMap<string, ResourceState>): void {
    for (const [id, old] of this.byId) {
      if (!this.changed.has(id)) this.changed.set(id, old);
      this.index(id, old, null);
      this.news.add(id);
    }
    this.byId = new Map(resources);
    this.order = new Map([...resources.keys()].map((id, i) => [id, i]));
    this.dependants = dependantsOf(resources);
    for (const [id, state] of resources) {
      this.index(id, null, state);
      this.news.add(id);
    }
    this.touchAll();
  }

  /** Those that have changed, have come or are gone since the last call: for whoever tells of them. */
  takeChanged(): string[] {
    const ids = [...this.news];
    this.news.clear();
    return ids;
  }

  touch(id: string): void {
    this.touched.add(id);
  }

  touchAll(): void {
    for (const id of this.byId.keys()) this.touched.add(id);
  }

  /** Those that are to be looked at again, in the order of the policy: what has changed, what needs such, and whose time has come. */
  takeTouched(nowMs: number): string[] {
    for (const id of this.wakes.due(nowMs)) this.touched.add(id);
    const ids = this.inOrder([...this.touched]);
    this.touched.clear();
    return ids;
  }

  /** Whose time has come. */
  due(nowMs: number): string[] {
    return this.inOrder(this.wakes.due(nowMs));
  }

  nextWakeMs(): number | null {
    return this.wakes.nextMs();
  }

  /** Whose run it is. */
  ownerOf(run: string): string | undefined {
    return this.owners.get(run);
  }

  private inOrder(ids: string[]): string[] {
    const { order } = this;
    return ids.filter(id => order.has(id)).sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0));
  }

  private index(id: string, old: ResourceState | null, state: ResourceState | null): void {
    if (old !== null) for (const run of runsOf(old)) this.owners.delete(run);
    if (state !== null) for (const run of runsOf(state)) this.owners.set(run, id);
    this.wakes.set(id, state === null ? null : wakeMs(state));
  }

  /** However far above: what is down below all of them is one story. */
  private touchDependants(id: string, seen: Set<string> = new Set([id])): void {
    for (const dependant of this.dependants.get(id) ?? []) {
      if (seen.has(dependant)) continue;
      seen.add(dependant);
      this.touched.add(dependant);
      this.touchDependants(dependant, seen);
    }
  }

  private *valuesBefore(): Iterable<ResourceState> {
    for (const [id, state] of this.byId) yield this.changed.get(id) ?? state;
  }
}

/** What others that need it look at. */
function downKey({ phase }: ResourceState): string {
  return outageOf(phase)?.id ?? (phase.name === 'suspect' ? 'suspect' : '');
}

function runsOf({ phase, leftovers }: ResourceState): string[] {
  return [...atWork(phase), ...leftovers].map(({ run }) => run);
}

function dependantsOf(resources: ReadonlyMap<string, ResourceState>): Map<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const [id, { policy }] of resources)
    for (const needed of policy.needs) found.set(needed, [...(found.get(needed) ?? []), id]);
  return found;
}
