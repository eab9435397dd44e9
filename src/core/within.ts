/** Changes one resource, or each, inside the machine's state. Pure. */
import type { Effect } from './input.js';
import type { MachineState, ResourceState, Step } from './state.js';

export function within(
  state: MachineState,
  id: string,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  const resource = state.resources.get(id);
  if (resource === undefined) return { state, effects: [] };
  const step = change(resource);
  if (step.state === resource) return { state, effects: step.effects };
  return {
    state: { ...state, resources: new Map(state.resources).set(id, step.state) },
    effects: step.effects,
  };
}

export function eachResource(
  state: MachineState,
  change: (resource: ResourceState) => Step<ResourceState>,
): Step<MachineState> {
  let current = state;
  const effects: Effect[] = [];
  for (const id of state.resources.keys()) {
    const step = within(current, id, change);
    current = step.state;
    effects.push(...step.effects);
  }
  return { state: current, effects };
}
