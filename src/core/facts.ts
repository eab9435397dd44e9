/** What the sensors' reports mean together, before anybody decides what to do. Pure. */
import { noteAlive } from './evidence.js';
import { type Effect, type ResourceState, record, type SensorInput, type SensorState } from './state.js';

/** How long a link may be without address or route after its carrier came back: DHCP with a slow modem takes half a minute. */
export const wholeAfterCarrierMs = 60_000;

export function allUp(state: ResourceState): boolean {
  return state.sensors.every(sensor => sensor.state === 'up' && sensor.waiting === null);
}

export function waitingFor(old: SensorState, input: SensorInput): SensorState['waiting'] {
  if (input.state !== 'up' || input.cause === null) return null;
  return { for: input.cause, sinceMs: old.waiting?.sinceMs ?? input.atMs };
}

export function notices(state: ResourceState, old: SensorState, sensor: SensorState, atMs: number): Effect[] {
  if (sensor.state !== 'up' || old.state !== 'up') return [];
  const resource = state.policy.id;
  if (old.interface !== null && sensor.interface !== null && old.interface !== sensor.interface) {
    const detail = `the default route moved from ${old.interface} to ${sensor.interface}`;
    return [
      record({ type: 'notice', resource, atMs, what: 'route_moved', detail }),
      { do: 'network', state: 'back' },
    ];
  }
  if (old.carrier === true && sensor.carrier === false) {
    const detail = `${sensor.interface ?? 'the interface'} lost its carrier (a cable, or the box at its other end); nothing is restarted for that`;
    return [record({ type: 'notice', resource, atMs, what: 'carrier_lost', detail })];
  }
  if (old.carrier === false && sensor.carrier === true) {
    const detail = `${sensor.interface ?? 'the interface'} has its carrier back`;
    return [
      record({ type: 'notice', resource, atMs, what: 'carrier_back', detail }),
      { do: 'network', state: 'back' },
    ];
  }
  return [];
}

export function aliveWords(state: ResourceState): string {
  return state.sensors
    .map(sensor => sensor.detail)
    .filter(detail => detail !== '')
    .join(', ');
}

/** A living link with another address or route than before. */
export function changed({ policy, phase }: ResourceState, old: SensorState, sensor: SensorState): Effect[] {
  const lives = phase.name === 'up' && old.state === 'up' && sensor.state === 'up';
  return lives && old.detail !== sensor.detail ? [noteAlive(policy.id)] : [];
}
