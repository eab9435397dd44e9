/** What the owner would look for the next morning: when it is collected, what of it is recorded and what is told. Pure. */
import { isKernelLock, kernelLockWith } from './cause.js';
import type { Effect, Input } from './input.js';
import { learnFilter } from './loopback.js';
import type { OutageHistory } from './outage-history.js';
import type { Evidence } from './ports.js';
import {
  type OpenOutage,
  type Outside,
  phaseOutage,
  type ResourceState,
  record,
  type Step,
} from './state.js';

/** A picture of the living, kept in memory only: nobody knows which one will have been the last before a death. */
export function noteAlive(resource: string): Effect {
  return { do: 'collect', resource, outage: null, when: 'alive' };
}

/** Of single deaths of a flapping resource and of restarts that were asked for nothing is kept: they are many, and their causes known. */
export function collectFor(resource: string, outage: OpenOutage, when: 'before' | 'after'): Effect[] {
  if (!outage.quiet && outage.cause.kind !== 'commanded') return [collect(resource, outage, when)];
  return when === 'after' ? [noteAlive(resource)] : [];
}

/** Where datagrams do not pass, it may be a packet filter that keeps them; where the kernel is locked up, some task has the lock. */
function collect(
  resource: string,
  { id, cause }: Pick<OpenOutage, 'id' | 'cause'>,
  when: 'before' | 'after',
): Effect {
  const filters = when === 'before' && cause.kind === 'probe';
  const held = when === 'before' && isKernelLock(cause);
  return { do: 'collect', resource, outage: id, when, ...(filters && { filters }), ...(held && { held }) };
}

/** sockmon has ended between an outage's begin and its evidence; in another boot the kernel has forgotten what led to it. */
export function collectLate(open: OutageHistory | undefined, bootId: string): Effect[] {
  if (open === undefined || open.begin.bootId !== bootId || open.evidence.before !== null) return [];
  if (open.begin.quiet || open.cause.kind === 'commanded') return [];
  return [collect(open.resource, open, 'before')];
}

/** Recorded unless the same is in the journal already, or there is nothing to record. */
export function onEvidence(input: Extract<Input, { kind: 'evidence' }>, { history }: Outside): Effect[] {
  const { resource, outage, when, evidence } = input;
  const known = history.outages.findLast(({ id }) => id === outage);
  if (known === undefined) return [];
  if (isSame(known.evidence[when], evidence)) return [];
  return [record({ type: 'evidence', outage, resource, when, ...evidence })];
}

const nothing: Evidence = { kernel: [], addresses: [], routes: [] };

function isSame(known: Evidence | null, found: Evidence): boolean {
  return textOf(known ?? nothing) === textOf(found);
}

function textOf({ kernel, addresses, routes, filters = [], held = [] }: Evidence): string {
  return JSON.stringify([kernel, addresses, routes, filters, held]);
}

// What the evidence tells about why something died.

type Found = Extract<Input, { kind: 'evidence' }>;

export function learnFromEvidence(state: ResourceState, found: Found): Step<ResourceState> {
  const outage = phaseOutage(state.phase);
  const isLock = outage !== null && outage.id === found.outage && isKernelLock(outage.cause);
  return isLock ? learnHeld(state, found) : learnFilter(state, found);
}

/** Which tasks the kernel holds, while its networking is locked up. */
function learnHeld(state: ResourceState, { evidence }: Found): Step<ResourceState> {
  const outage = phaseOutage(state.phase);
  const held = (evidence.held ?? []).filter(task => !task.startsWith('('));
  if (outage === null || !isKernelLock(outage.cause) || held.length === 0) return { state, effects: [] };
  const cause = kernelLockWith(outage.cause, held);
  if (JSON.stringify(cause) === JSON.stringify(outage.cause)) return { state, effects: [] };
  const { id, sensor } = outage;
  const effects: Effect[] = [
    record({ type: 'outage_cause', outage: id, resource: state.policy.id, cause, sensor }),
  ];
  const phase = { ...state.phase, outage: { ...outage, cause } } as ResourceState['phase'];
  return { state: { ...state, phase }, effects };
}
