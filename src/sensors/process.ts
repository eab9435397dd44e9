/** One process, by pidfd_open(2): native/sensors/process.cc. */
import { causeOf } from './exit-cause.js';
import type { SensorKind } from './sensor.js';

interface Settings {
  readonly pidfile?: string | undefined;
  readonly name?: string | undefined;
  readonly listen?: string | undefined;
}

type Fields = { readonly pidfile?: string; readonly name?: string; readonly listen?: string };

const listenPattern = /^((tcp|udp):(?:(?:[0-9.]{7,15}|\[[0-9a-fA-F:.]+\]):)?\d{1,5}|unix:[/@].+)$/;

export const processSensor: SensorKind<Settings, Fields> = {
  kind: 'process',
  schema: ({ section, path, text, isMapping }) => {
    const shape = {
      pidfile: path('the path of a pidfile').optional(),
      name: text('the name of a program, without a path', /^[^/\0]{1,255}$/).optional(),
      listen: text(
        'tcp:53, tcp:127.0.0.1:53, tcp:[::1]:53, udp:53 or unix:/run/x.sock',
        listenPattern,
      ).optional(),
    };
    return section(shape).refine(
      sensor => Object.keys(shape).some(key => sensor[key as keyof typeof shape] !== undefined),
      { error: 'says nothing to find the process by; expected pidfile, name or listen', when: isMapping },
    );
  },
  shorthand: null,
  fields: ({ pidfile, name, listen }, resolve) => ({
    ...(pidfile && { pidfile: resolve('pidfile', pidfile) }),
    ...(name && { name }),
    ...(listen && { listen }),
  }),
  fieldNames: ['pidfile', 'name', 'listen'],
  reasons: { process_exit: 'exited' },
  name: ({ pidfile, name, listen }) => `process ${name ?? pidfile ?? listen ?? ''}`,
  canKill: true,
  isNetwork: () => false,
  words: ({ pidfile, name, listen }) => {
    const parts = [
      name && `named ${name}`,
      pidfile && `with its pid in ${pidfile}`,
      listen && `listening on ${listen}`,
    ];
    return `the process ${parts.filter(Boolean).join(', ')}`;
  },
  cause: ({ cause }) => (cause === undefined ? { kind: 'unknown' } : causeOf(cause)),
  alive: ({ pid, detail }) => (pid === undefined ? (detail ?? '') : `pid ${pid}`),
};
