/** What has not been seen alive since sockmon watches it: at first it may only be late, then somebody has to know. Pure. */
import type { ResourceState } from './state.js';

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
