/** Faults of detection: what cannot be watched as it should, from when until when. Pure. */
import type { Effect, Input } from './input.js';
import { isForgotten, noteRepeat, restAtMs } from './sensing.js';
import {
  type Context,
  type MachineState,
  noRepeats,
  type Repeats,
  type ResourceState,
  record,
  type Step,
} from './state.js';

/**
 * What does not work. sensor: it cannot look as it should. watching: the monitor did not take the resource at all. reflex: the first
 * attempt comes from the ladder, some milliseconds later. monitor: the thread itself met an error that it does not expect; what has been
 * missed by that is not known, so it lasts until the monitor says that it is over, or sockmon is restarted.
 */
export type FaultOf =
  | { readonly what: 'sensor'; readonly resource: string; readonly sensor: number }
  | { readonly what: 'watching' | 'reflex'; readonly resource: string }
  | { readonly what: 'monitor'; readonly code: string };

/** One that is there, or that has been there of late. */
export interface Fault {
  readonly of: FaultOf;
  /** What is wrong, or was last. */
  readonly detail: string;
  /** The same as it was told last: while it changes too often to be told, what is published stays as it is. */
  readonly toldDetail: string;
  readonly isActive: boolean;
  readonly repeats: Repeats;
  /** When it is tried again, in ms of CLOCK_BOOTTIME; null: nothing is tried from here. */
  readonly retryAtMs: number | null;
}

/** What is short, such as file descriptors, may be there again soon; a try costs less than a millisecond. */
const retryMs = 10_000;

export function onFault(
  state: MachineState,
  input: Extract<Input, { kind: 'fault' }>,
  { now }: Context,
): Step<MachineState> {
  const same = { state, effects: [] };
  if (!isWatched(state, input.of)) return same;
  const known = state.faults.find(fault => isSame(fault.of, input.of));
  const wasActive = known?.isActive === true;
  const isNews = input.active ? !wasActive || known.detail !== input.detail : wasActive;
  if (!isNews) return same;
  const { repeats, tell } = noteRepeat(known?.repeats ?? noRepeats, now.bootMs);
  // The end of a fault needs no words of its own.
  const detail = input.active || known === undefined ? input.detail : known.detail;
  const fault: Fault = {
    of: input.of,
    detail,
    toldDetail: tell === 'nothing' && known !== undefined ? known.toldDetail : detail,
    isActive: input.active,
    repeats,
    retryAtMs: input.active && isRetried(input.of) ? now.bootMs + retryMs : null,
  };
  const others = state.faults.filter(
    ({ isActive, repeats }) => isActive || !isForgotten(repeats, now.bootMs),
  );
  const faults = others.some(other => other === known)
    ? others.map(other => (other === known ? fault : other))
    : [...others, fault];
  const effects = tell === 'nothing' ? [] : [told(fault, tell === 'named' ? 'named' : 'change', now.bootMs)];
  return { state: { ...state, faults }, effects };
}

/** A report may be on its way when its resource is given up. */
function isWatched({ resources }: MachineState, of: FaultOf): boolean {
  if (of.what === 'monitor') return true;
  const sensors = resources.get(of.resource)?.sensors;
  return sensors !== undefined && (of.what !== 'sensor' || of.sensor < sensors.length);
}

function isSame(one: FaultOf, other: FaultOf): boolean {
  if (one.what === 'monitor') return other.what === 'monitor' && one.code === other.code;
  if (other.what !== one.what || other.resource !== one.resource) return false;
  return one.what !== 'sensor' || (other.what === 'sensor' && one.sensor === other.sensor);
}

function isRetried({ what }: FaultOf): boolean {
  return what === 'watching' || what === 'reflex';
}

const keepsChanging = 'degraded detection that keeps ending and beginning again';
const stillAgain = 'it has been so for a minute, and single changes are told again';

/** change: it has begun or is over. named: it keeps doing so. rest: it has stopped doing so. */
function told({ of, isActive, detail }: Fault, how: 'change' | 'named' | 'rest', atMs: number): Effect {
  const active = isActive || how === 'named';
  const now = `${isActive ? 'degraded detection' : 'detection works again after'}: ${detail}`;
  const words = {
    change: now,
    named: `${keepsChanging}: ${detail}; more is told when it has been still for a minute`,
    rest: `${now}; ${stillAgain}`,
  }[how];
  if (of.what === 'monitor') return record({ type: 'monitor_fault', code: of.code, detail: words, active });
  const what = active ? 'degraded' : 'detection_back';
  return record({ type: 'notice', resource: of.resource, atMs, what, detail: words });
}

/** The earliest moment (ms of CLOCK_BOOTTIME) at which `tickFaults` has something to do; null = none. */
export function faultsDueMs(faults: readonly Fault[]): number | null {
  const moments = faults
    .flatMap(({ repeats, retryAtMs }) => [restAtMs(repeats), retryAtMs])
    .filter(at => at !== null);
  return moments.length === 0 ? null : Math.min(...moments);
}

/** Tries again what failed, and says how it stands with what has come to rest. */
export function tickFaults(state: MachineState, { now }: Context): Step<MachineState> {
  const dueMs = faultsDueMs(state.faults);
  if (dueMs === null || dueMs > now.bootMs) return { state, effects: [] };
  const resources = new Map(state.resources);
  const effects: Effect[] = [];
  const faults = state.faults.map((fault): Fault => {
    let { repeats, toldDetail, retryAtMs } = fault;
    const atMs = restAtMs(repeats);
    if (atMs !== null && atMs <= now.bootMs) {
      effects.push(told(fault, 'rest', now.bootMs));
      repeats = noRepeats;
      toldDetail = fault.detail;
    }
    if (retryAtMs !== null && retryAtMs <= now.bootMs) {
      retryAtMs = now.bootMs + retryMs;
      effects.push(...retry(fault.of, resources));
    }
    return { ...fault, repeats, toldDetail, retryAtMs };
  });
  return { state: { ...state, resources, faults }, effects };
}

function retry(of: FaultOf, resources: Map<string, ResourceState>): Effect[] {
  const resource = of.what === 'monitor' ? undefined : resources.get(of.resource);
  if (resource === undefined) return [];
  const { policy } = resource;
  if (of.what === 'watching') return [{ do: 'watch', resource: policy.id, policy }];
  // The review compares what is wanted with what was told last, and arms.
  resources.set(policy.id, { ...resource, armed: null });
  return [];
}

/**
 * After a reload: what is no longer watched, or is by other sensors, has no faults, nor has the reflex of what is now restarted in another
 * way. What is wrong with the new ones will be told anew.
 */
export function faultsLeft(
  { faults, resources: before }: MachineState,
  after: MachineState['resources'],
  effects: readonly Effect[],
): readonly Fault[] {
  const anew = new Set(effects.flatMap(effect => (effect.do === 'watch' ? [effect.resource] : [])));
  return faults.filter(({ of }) => {
    if (of.what === 'monitor') return true;
    const known = after.get(of.resource);
    if (known === undefined || anew.has(of.resource)) return false;
    return of.what !== 'reflex' || known.policy === before.get(of.resource)?.policy;
  });
}

/** A sentence each, for people. One that keeps ending and beginning counts as there, so that it is published once. */
export function faultNotes(faults: readonly Fault[]): string[] {
  const notes = faults.flatMap(({ of, toldDetail, isActive, repeats }) => {
    if (!isActive && !repeats.isNamed) return [];
    const whose = of.what === 'monitor' ? 'the monitor' : of.resource;
    return [`${whose}: ${repeats.isNamed ? 'it keeps ending and beginning again: ' : ''}${toldDetail}`];
  });
  return [...new Set(notes)];
}
