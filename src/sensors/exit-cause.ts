/** How a process ended, in the words of the journal. */
import { constants } from 'node:os';
import type { ExitCause } from '../../native/index.js';
import type { Cause } from '../core/records.js';

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name]),
);

export function signalName(signal: number): string {
  return signalNames.get(signal) ?? `signal ${signal}`;
}

export function causeOf(cause: ExitCause): Cause {
  return cause.kind === 'signal'
    ? { kind: 'signal', signal: signalName(cause.signal), coreDumped: cause.coreDumped }
    : cause;
}
