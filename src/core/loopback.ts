/** A probe of loopback that fails while the network carries traffic: what that probably is, and what not to do about it. Pure. */
import type { Effect, Input, SensorInput } from './input.js';
import type { Cause } from './records.js';
import { type Context, phaseOutage, type ResourceState, record, type Step } from './state.js';
import { borne } from './suspect.js';
import { isFiltered } from './words.js';

type Resources = Context['resources'];

/**
 * Which interface carries traffic, where loopback is all that fails of a resource; else null. A resource without an interface of its own is
 * judged by those of the other resources that are the network.
 */
export function carriedBeside(state: ResourceState, resources: Resources): string | null {
  const { policy, sensors } = state;
  const down = sensors.flatMap((sensor, i) => (sensor.state === 'up' ? [] : [policy.sensors[i]?.proves]));
  if (down.length === 0 || down.some(proves => proves !== 'loopback')) return null;
  const own = carrier(state);
  if (own !== undefined) return own;
  const others = [...resources.values()].filter(
    one => one.policy.role === 'network' && one.policy.id !== policy.id,
  );
  const carriers = others.map(carrier).filter(one => one !== undefined);
  // A LAN that lives beside a dead uplink proves nothing.
  return carriers.includes(null) ? null : (carriers[0] ?? null);
}

/** undefined: it has no sensor of an interface. null: one of them is not whole. Who knows what stands by is the uplink. */
function carrier({ policy, sensors }: ResourceState): string | null | undefined {
  const links = sensors.filter((_, i) => policy.sensors[i]?.proves === 'traffic');
  if (links.length === 0) return undefined;
  const isWhole = links.every(link => link.state === 'up' && link.carrier !== false && link.waiting === null);
  if (!isWhole) return null;
  return (links.find(link => link.standby !== null) ?? links[0])?.interface ?? 'the network';
}

/** The cause as it looks now, beside what else is known of the network. */
export function besideTraffic<C extends Cause | null>(
  cause: C,
  state: ResourceState,
  resources: Resources,
): C | Cause {
  if (cause?.kind !== 'probe') return cause;
  const beside = carriedBeside(state, resources);
  return { kind: 'probe', error: cause.error, ...(beside !== null && { beside }) };
}

/**
 * Loopback alone was no reason for a reboot, and now the network has died as well: it gets an attempt of its own, and the reboot if that
 * does not help. A loss that is borne, as a lease being renewed, changes nothing.
 */
export function isCutOff(state: ResourceState, input: SensorInput, { resources }: Context): boolean {
  const { phase, policy } = state;
  if (phase.name !== 'held' || phase.held.why !== 'loopback_only' || input.state !== 'down') return false;
  const { ownMs, by } = borne(policy, input);
  return ownMs === 0 && by === null && carriedBeside(state, resources) === null;
}

/** Longer lists are in the evidence. */
const namedFilters = 2;

/** The evidence has found filters that may be the ones. */
export function learnFilter(
  state: ResourceState,
  { outage: id, evidence }: Extract<Input, { kind: 'evidence' }>,
): Step<ResourceState> {
  const nothing = { state, effects: [] };
  const outage = phaseOutage(state.phase);
  const found = (evidence.filters ?? []).filter(words => !words.startsWith('('));
  if (outage?.id !== id || outage.cause.kind !== 'probe' || found.length === 0) return nothing;
  if (
    outage.cause.beside === undefined ||
    outage.cause.filter !== undefined ||
    !isFiltered(outage.cause.error)
  )
    return nothing;
  const more = found.length - namedFilters;
  const filter = found.slice(0, namedFilters).join('; ') + (more > 0 ? `; and ${more} more` : '');
  const cause = { ...outage.cause, filter };
  const effects: Effect[] = [
    record({ type: 'outage_cause', outage: id, resource: state.policy.id, cause, sensor: outage.sensor }),
  ];
  const phase = { ...state.phase, outage: { ...outage, cause } } as ResourceState['phase'];
  return { state: { ...state, phase }, effects };
}
