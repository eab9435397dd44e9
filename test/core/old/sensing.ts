/** What the sensors' reports mean together, before anybody decides what to do. Pure. */
import { noteAlive } from './evidence.js';
import type { Effect, SensorInput } from './input.js';
import type { ResourcePolicy } from './policy.js';
import {
  type Context,
  noRepeats,
  type Repeats,
  type ResourceState,
  record,
  type SensorState,
  type Step,
} from './state.js';

/** How long a link may be without address or route after its carrier came back: DHCP with a slow modem takes half a minute. */
export const wholeAfterCarrierMs = 60_000;

export function allUp(state: ResourceState): boolean {
  return state.sensors.every(sensor => sensor.state === 'up' && sensor.waiting === null);
}

export function waitingFor(old: SensorState, input: SensorInput): SensorState['waiting'] {
  if (input.state !== 'up' || input.cause === null) return null;
  return { for: input.cause, sinceMs: old.waiting?.sinceMs ?? input.atMs };
}

/** For the broker's connection, which only the network's coming and going says something about. */
export function networkEffect(policy: ResourcePolicy, now: 'lost' | 'back'): Effect[] {
  return policy.role === 'network' ? [{ do: 'network', state: now }] : [];
}

export interface Noticed {
  readonly sensor: SensorState;
  readonly effects: readonly Effect[];
}

export function notices(state: ResourceState, old: SensorState, sensor: SensorState, atMs: number): Noticed {
  if (sensor.state !== 'up' || old.state !== 'up') return { sensor, effects: [] };
  const resource = state.policy.id;
  if (hasMoved(old, sensor)) {
    const detail = `the default route moved from ${old.interface} to ${sensor.interface}`;
    const moved = record({ type: 'notice', resource, atMs, what: 'route_moved', detail });
    return { sensor, effects: [moved, ...networkEffect(state.policy, 'back')] };
  }
  const others = [
    ...noticeStandby(resource, old, sensor, atMs),
    ...noticeFamilies(resource, old, sensor, atMs),
  ];
  if (others.length > 0) return { sensor, effects: others };
  const isLost = old.carrier === true && sensor.carrier === false;
  const isBack = old.carrier === false && sensor.carrier === true;
  if (!isLost && !isBack) return { sensor, effects: [] };
  const noticed = noticeCarrier(resource, sensor, atMs);
  return isBack
    ? { ...noticed, effects: [...noticed.effects, ...networkEffect(state.policy, 'back')] }
    : noticed;
}

/** To another interface, and not to another name of the same. */
function hasMoved(old: SensorState, sensor: SensorState): boolean {
  if (old.interface === null || sensor.interface === null) return false;
  return old.interfaceIndex === null || sensor.interfaceIndex === null
    ? old.interface !== sensor.interface
    : old.interfaceIndex !== sensor.interfaceIndex;
}

/** What stands by carries nothing: its loss is told, and restarts nothing. */
function noticeStandby(resource: string, old: SensorState, sensor: SensorState, atMs: number): Effect[] {
  if (old.standby === null || sensor.standby === null) return [];
  const { standby: before, interface: carrying } = old;
  const { standby: after } = sensor;
  const lost = before.filter(name => !after.includes(name));
  const back = after.filter(name => !before.includes(name));
  const notice = (what: 'standby_lost' | 'standby_back', detail: string) =>
    record({ type: 'notice', resource, atMs, what, detail });
  return [
    ...lost.map(name =>
      notice(
        'standby_lost',
        `${name}, which stood by, leads to the internet no more; ${carrying} carries the traffic, and nothing is restarted for that`,
      ),
    ),
    ...back.map(name => notice('standby_back', `${name} stands by beside ${carrying}`)),
  ];
}

/** Either is enough, where that is the owner's wish. */
function noticeFamilies(resource: string, old: SensorState, sensor: SensorState, atMs: number): Effect[] {
  const { families: before } = old;
  const { families: after } = sensor;
  if (before === null || after === null) return [];
  const lost = before.filter(family => !after.includes(family));
  const back = after.filter(family => !before.includes(family));
  const notice = (what: 'family_lost' | 'family_back', detail: string) =>
    record({ type: 'notice', resource, atMs, what, detail });
  const rest = `${after.join(' and ')} does, and nothing is restarted for that`;
  return [
    ...lost.map(family => notice('family_lost', `${family} leads to the internet no more; ${rest}`)),
    ...back.map(family => notice('family_back', `${family} leads to the internet`)),
  ];
}

function noticeCarrier(resource: string, sensor: SensorState, atMs: number): Noticed {
  const { repeats, tell } = noteRepeat(sensor.repeats, atMs);
  if (tell === 'nothing') return { sensor: { ...sensor, repeats }, effects: [] };
  const name = sensor.interface ?? 'the interface';
  const isNamed = tell === 'named';
  const lost = `${name} lost its carrier (a cable, or the box at its other end); nothing is restarted for that`;
  const back = `${name} has its carrier back`;
  const named = `the carrier of ${name} keeps coming and going (a cable, or the box at its other end); that is told again when it has been still for a minute`;
  const [what, detail] = isNamed
    ? (['flapping', named] as const)
    : sensor.carrier === true
      ? (['carrier_back', back] as const)
      : (['carrier_lost', lost] as const);
  return {
    sensor: { ...sensor, repeats },
    effects: [
      record({ type: 'notice', resource, atMs, what, detail, carrier: !isNamed && sensor.carrier === true }),
    ],
  };
}

/** When a carrier that keeps coming and going counts as still. */
export function stillAtMs({ repeats }: SensorState): number | null {
  return restAtMs(repeats);
}

/** Says how it stands with a carrier that has come to rest. */
export function calm(state: ResourceState, ctx: Context): Step<ResourceState> {
  const { bootMs } = ctx.now;
  const effects: Effect[] = [];
  const sensors = state.sensors.map(sensor => {
    const atMs = stillAtMs(sensor);
    if (atMs === null || bootMs < atMs) return sensor;
    const name = sensor.interface ?? 'the interface';
    const rest = sensor.carrier === false ? 'is without a carrier' : 'has its carrier';
    const detail = `${name} ${rest}, and has been still for a minute; single changes are told again`;
    const resource = state.policy.id;
    const carrier = sensor.carrier !== false;
    effects.push(record({ type: 'notice', resource, atMs: bootMs, what: 'steady', detail, carrier }));
    return { ...sensor, repeats: noRepeats };
  });
  return effects.length === 0 ? { state, effects } : { state: { ...state, sensors }, effects };
}

/** For the record: there where a link is without its carrier. What a pulled cable takes away has not died. */
export function carrierFact({ sensors }: ResourceState): { carrier?: false } {
  return sensors.some(({ carrier }) => carrier === false) ? { carrier: false } : {};
}

export function aliveWords(state: ResourceState): string {
  return state.sensors
    .map(sensor => sensor.detail)
    .filter(detail => detail !== '')
    .join(', ');
}

/** What it was has ended, or is about to, with a successor in its place: nothing was down. In an outage its own end tells enough. */
export function handedOver({ policy, phase }: ResourceState, old: SensorState, input: SensorInput): Effect[] {
  const { replaced: detail, atMs } = input;
  if (detail === null || input.state !== 'up' || old.state !== 'up' || phase.name !== 'up') return [];
  return [record({ type: 'notice', resource: policy.id, atMs, what: 'replaced', detail })];
}

/** A living link with another address or route than before. */
export function changed({ policy, phase }: ResourceState, old: SensorState, sensor: SensorState): Effect[] {
  const isBack = phase.name === 'up' || phase.name === 'verifying';
  const lives = isBack && old.state === 'up' && sensor.state === 'up';
  return lives && old.detail !== sensor.detail ? [noteAlive(policy.id)] : [];
}

// What changes again and again is told one by one a few times and then once as such: a plug that does not sit well comes and goes many times a
// second, and each notice is a write to the disk and a message.

/** So many within `stillMs` are told one by one. */
const toldRepeats = 4;
/** After so long without a change it counts as still. */
const stillMs = 60_000;

export interface Repeated {
  readonly repeats: Repeats;
  /** named: say now that it keeps changing. nothing: that has been said. */
  readonly tell: 'change' | 'named' | 'nothing';
}

/** One more change, `atMs` of CLOCK_BOOTTIME. */
export function noteRepeat(before: Repeats, atMs: number): Repeated {
  if (before.isNamed) return { repeats: { ...before, lastMs: atMs }, tell: 'nothing' };
  const told = before.toldMs.filter(at => atMs - at < stillMs);
  const isNamed = told.length >= toldRepeats;
  const repeats = { toldMs: [...told, atMs], lastMs: atMs, isNamed };
  return { repeats, tell: isNamed ? 'named' : 'change' };
}

/** When what was told to keep changing counts as still; null: nothing was told. */
export function restAtMs({ isNamed, lastMs }: Repeats): number | null {
  return isNamed ? lastMs + stillMs : null;
}

/** Whether a change now would be the first one for long. */
export function isForgotten({ isNamed, lastMs }: Repeats, nowMs: number): boolean {
  return !isNamed && nowMs - lastMs >= stillMs;
}

// What has not been seen alive since sockmon watches it: at first it may only be late, then somebody has to know.

/** A gateway that boots brings its network up within this, a slow modem included. */
export const lateMs = 5 * 60_000;

/** When an absence becomes a problem; null = it is not absent. */
export function missedAtMs({ phase }: ResourceState): number | null {
  return phase.name === 'absent' ? phase.sinceMs + lateMs : null;
}

export function isMissed(state: ResourceState, nowMs: number): boolean {
  const atMs = missedAtMs(state);
  return atMs !== null && nowMs >= atMs;
}
