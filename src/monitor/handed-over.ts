/** The hand-over from arm.cjs, which watches before the rest of the program is loaded. */
import type { Monitor, NativeEvent, SensorReport } from '../../native/index.js';
import type { NativeSensor } from '../core/policy.js';
import type { RunFile } from './run-files.cjs';

export interface Early {
  readonly monitor: Monitor;
  readonly watches: readonly { resource: string; sensors: NativeSensor[]; reports: SensorReport[] }[];
  /** Scripts of an earlier sockmon that the monitor has taken over. */
  readonly runs: readonly RunFile[];
  /** Delivers what has come in since, and from now on directly. */
  takeOver(handler: (events: NativeEvent[]) => void): void;
}

const key = Symbol.for('sockmon.early');

export function takeEarly(): Early | null {
  const holder = globalThis as { [key]?: Early };
  const early = holder[key] ?? null;
  delete holder[key];
  return early;
}
