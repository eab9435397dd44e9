/** What became of a command that was accepted. Pure. */
import { isoTime } from './clock.js';
import type { Effect } from './input.js';
import type { Action } from './model.js';
import type { OpenOutage, Outside } from './state.js';

export function laterAnswer(
  id: string,
  action: Action,
  status: 'done' | 'failed',
  detail: string,
  { now }: Outside,
): Effect {
  return { do: 'answer', answer: { id, action, status, code: null, detail, at: isoTime(now.wallMs) } };
}

/** Of the command that asked for the restart of an outage, or for the drill that began it; nothing where none did. */
export function outageAnswer(
  { command, drill }: OpenOutage,
  status: 'done' | 'failed',
  detail: string,
  outside: Outside,
): Effect[] {
  return command === null ? [] : [laterAnswer(command, drill ? 'drill' : 'restart', status, detail, outside)];
}
