/** A unit of systemd, by its main process and its control group: native/sensors/unit.cc. What systemd means to do: unit-state.ts. */
import { causeOf } from './exit-cause.js';
import type { SensorKind } from './sensor.js';

interface Settings {
  readonly name: string;
  readonly manager: 'system' | 'user';
}

type Fields = { readonly name: string; readonly manager: string };

/** What systemd.unit(5) allows in a name, and no suffix of another type: a socket, a target or a timer keeps no process running. */
export const unitPattern =
  /^(?!.*\.(socket|target|device|mount|automount|swap|timer|path|slice|scope)$)[a-zA-Z0-9:_.\\@-]{1,247}$/;
export const unitWords = 'the name of a service of systemd such as dnsmasq or wg-quick@wg0.service';

/** `dnsmasq` is short for `dnsmasq.service`. */
export function unitName(name: string): string {
  return name.endsWith('.service') ? name : `${name}.service`;
}

const words: Readonly<Record<string, string>> = {
  main_exit: 'its main process ended',
  failed: 'it failed',
  start_limit_hit: 'systemd does not start it any more (start-limit-hit)',
  stopped: 'it was stopped on purpose',
};

export const unitSensor: SensorKind<Settings, Fields> = {
  kind: 'unit',
  schema: ({ section, text, choice }) =>
    section({
      name: text(unitWords, unitPattern),
      manager: choice('system', 'user').prefault('system'),
    }),
  shorthand: 'name',
  fields: ({ name, manager }) => ({ name: unitName(name), manager }),
  fieldNames: ['name', 'manager'],
  reasons: { main_exit: 'exited', failed: 'exited', start_limit_hit: 'exited', stopped: 'gone' },
  name: ({ name }) => `unit ${name}`,
  canKill: true,
  isNetwork: () => false,
  restarter: 'systemd',
  words: ({ name, manager }) =>
    `the unit ${name}${manager === 'user' ? " of the user's own systemd" : ''}: dead when its main process ends and systemd does not bring it back`,
  cause: ({ reason, cause, detail }) =>
    reason === 'main_exit' && cause !== undefined && cause.kind !== 'unknown'
      ? causeOf(cause)
      : { kind: 'sensor', reason, words: detail || (words[reason] ?? reason) },
  alive: ({ pid, detail }) => (pid === undefined ? (detail ?? '') : `pid ${pid}`),
};
