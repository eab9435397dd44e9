/** What the evidence tells about why something died. Pure. */
import type { Effect, Input } from './input.js';
import { isKernelLock, kernelLockWith } from './kernel-lock.js';
import { learnFilter } from './loopback.js';
import { phaseOutage, type ResourceState, record, type Step } from './state.js';

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
