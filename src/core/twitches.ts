/**
 * What changes again and again is told one by one a few times and then once as such: a plug that does not sit well twitches many times a
 * second, and each notice is a write to the disk and a message. Pure.
 */
import type { Twitches } from './state.js';

/** So many within `stillMs` are told one by one. */
const toldTwitches = 4;
/** After so long without a change it counts as still. */
const stillMs = 60_000;

export interface Twitched {
  readonly twitches: Twitches;
  /** named: say now that it keeps changing. nothing: that has been said. */
  readonly tell: 'change' | 'named' | 'nothing';
}

/** One more change, `atMs` of CLOCK_BOOTTIME. */
export function twitch(before: Twitches, atMs: number): Twitched {
  if (before.isNamed) return { twitches: { ...before, lastMs: atMs }, tell: 'nothing' };
  const told = before.toldMs.filter(at => atMs - at < stillMs);
  const isNamed = told.length >= toldTwitches;
  const twitches = { toldMs: [...told, atMs], lastMs: atMs, isNamed };
  return { twitches, tell: isNamed ? 'named' : 'change' };
}

/** When what was told to keep changing counts as still; null: nothing was told. */
export function restAtMs({ isNamed, lastMs }: Twitches): number | null {
  return isNamed ? lastMs + stillMs : null;
}

/** Whether a change now would be the first one for long. */
export function isForgotten({ isNamed, lastMs }: Twitches, nowMs: number): boolean {
  return !isNamed && nowMs - lastMs >= stillMs;
}
