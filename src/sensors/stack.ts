/** The machine's own IP stack, by a datagram to itself over loopback: native/sensors/stack.cc. */
import { formatDuration } from '../base/duration.js';
import { lockCause, lockReasons } from './kernel-lock.js';
import type { SensorKind } from './sensor.js';

type Fields = { readonly everyMs: number };

export const stackSensor: SensorKind<{ readonly every: number }, Fields> = {
  kind: 'stack',
  schema: ({ section, duration }) => section({ every: duration('1s', '1h').prefault('60s') }),
  shorthand: null,
  fields: ({ every }) => ({ everyMs: every }),
  fieldNames: ['everyMs'],
  reasons: { probe_failed: 'broken', ...lockReasons },
  name: () => 'stack',
  canKill: false,
  proves: 'loopback',
  isNetwork: () => true,
  words: ({ everyMs }) =>
    `a datagram to itself over loopback, every ${formatDuration(everyMs)} and at every doubt`,
  cause: loss => lockCause(loss) ?? { kind: 'probe', error: loss.detail ?? 'no answer' },
  alive: ({ detail }) => detail ?? 'datagrams pass',
};
