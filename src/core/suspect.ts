/** Dead, but perhaps only being replaced or restarted by somebody else; and what was taken down on purpose. Pure. */

import { isBetterCause } from './cause.js';
import { flappingNotice, noteReplacement } from './flapping.js';
import type { SensorInput } from './input.js';
import { laterAnswer } from './outage.js';
import { graceOf, type ResourcePolicy } from './policy.js';
import { type Context, type Phase, type ResourceState, record, type Step } from './state.js';
import { causeWords, durationWords } from './words.js';

type Suspect = Extract<Phase, { name: 'suspect' }>;

/** How long a `down` is borne for its own sake, and from its moment on for the sake of who is bringing it back. */
export function borne(policy: ResourcePolicy, { nature, grace }: SensorInput) {
  const by = grace?.by ?? null;
  const isOwn = grace !== undefined && by === null;
  const ownMs = graceOf(policy, nature ?? 'exited', isOwn ? grace.ms : undefined);
  return { ownMs, othersMs: isOwn ? 0 : (grace?.ms ?? 0), by };
}

/** What a `down` makes of a living resource or of a suspect; it is dead when `untilMs` has come. */
export function suspicion(
  { phase, policy }: ResourceState,
  seen: Pick<Suspect, 'cause' | 'sensor'>,
  input: SensorInput,
): Suspect {
  const { atMs } = input;
  const { ownMs, othersMs, by } = borne(policy, input);
  const waits = ownMs > 0 || by !== null;
  const sinceMs = phase.name === 'suspect' ? phase.sinceMs : atMs;
  const untilMs = waits ? Math.max(sinceMs + ownMs, atMs + othersMs) : atMs;
  if (phase.name !== 'suspect') return { name: 'suspect', sinceMs, untilMs, ...seen, by };
  const known = { beganMs: sinceMs, cause: phase.cause };
  // What does not wait, or gives up a grace, knows more than what asked for it: why nobody brings it back.
  const isLast = by === null && (seen.cause.kind === 'sensor' || (!waits && phase.by === null));
  return { ...phase, untilMs, by, ...((isLast || isBetterCause(known, seen.cause, atMs)) && seen) };
}

/** How it came back before it counted as dead. */
export function replacedWords(
  { sinceMs, cause, by }: Pick<Suspect, 'sinceMs' | 'cause' | 'by'>,
  { atMs, byOrder = false }: SensorInput,
): string {
  const away = durationWords(Math.max(0, atMs - sinceMs));
  const isProcess = cause.kind === 'signal' || cause.kind === 'exit';
  const who = by === null ? null : `restarted by ${byOrder ? 'an order to ' : ''}${by}`;
  const how = who ?? (isProcess ? 'replaced' : null);
  const what = how === null ? `it is whole again after ${away}` : `it was ${how} within ${away}`;
  return `${what}: ${causeWords(cause)}`;
}

/** Back before it counted as dead: a note. */
export function backInTime(
  state: ResourceState,
  suspect: Suspect,
  input: SensorInput,
  ctx: Context,
): Step<ResourceState> {
  const { sinceMs } = suspect;
  const { atMs, byOrder = false } = input;
  const resource = state.policy.id;
  const detail = replacedWords(suspect, input);
  const drill = drillAt(state, sinceMs);
  const noted = { ...state, ...noteReplacement(state, sinceMs, byOrder || drill !== null) };
  // One of many is not told; that there are many is.
  const notice = state.flapping ? [] : [record({ type: 'notice', resource, atMs, what: 'replaced', detail })];
  const done =
    drill === null
      ? []
      : [laterAnswer(drill.command, 'drill', 'done', `${resource} was killed; ${detail}`, ctx)];
  return {
    state: { ...noted, phase: { name: 'up', sinceMs: atMs }, drill: null },
    effects: [...notice, ...flappingNotice(state, noted, atMs), ...done],
  };
}

/** Taken down on purpose, which is nobody's business but the owner's. From now on it is absent. */
export function stopped(state: ResourceState, { atMs, detail }: SensorInput): Step<ResourceState> {
  const resource = state.policy.id;
  const words = `${detail === '' ? 'it was stopped on purpose' : detail}; it is left alone until it is started again`;
  return {
    state: {
      ...state,
      phase: { name: 'absent', sinceMs: atMs },
      expected: false,
      drill: null,
    },
    effects: [record({ type: 'notice', resource, atMs, what: 'stopped', detail: words })],
  };
}

/** A death later than this after the order to kill is not the drill's. */
const drillMs = 10_000;

export function drillAt({ drill }: ResourceState, diedMs: number): ResourceState['drill'] {
  return drill !== null && diedMs - drill.atMs <= drillMs ? drill : null;
}
