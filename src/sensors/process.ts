/** Processes, by pidfd_open(2): native/sensors/process.cc. */
import { causeOf } from './exit-cause.js';
import type { SensorKind } from './sensor.js';

interface Settings {
  readonly pidfile?: string | undefined;
  readonly name?: string | undefined;
  readonly listen?: string | undefined;
  readonly command?: string | undefined;
  readonly user?: string | undefined;
  readonly namespace?: 'own' | 'any' | undefined;
}

type Fields = {
  readonly pidfile?: string;
  readonly name?: string;
  readonly listen?: string;
  readonly command?: string;
  readonly user?: string;
  readonly namespace?: 'own' | 'any';
};

const listenPattern = /^((tcp|udp):(?:(?:[0-9.]{7,15}|\[[0-9a-fA-F:.]+\]):)?\d{1,5}|unix:[/@].+)$/;
const found = ['pidfile', 'name', 'listen', 'command'] as const;

export const processSensor: SensorKind<Settings, Fields> = {
  kind: 'process',
  schema: ({ section, path, text, numberOrText, choice, isMapping }) => {
    const shape = {
      pidfile: path('the path of a pidfile').optional(),
      name: text('the name of a program, without a path', /^[^/\0]{1,255}$/).optional(),
      listen: text(
        'tcp:53, tcp:127.0.0.1:53, tcp:[::1]:53, udp:53 or unix:/run/x.sock',
        listenPattern,
      ).optional(),
      command: text('words of a command line, as "--config /etc/openvpn/home.conf"', /[^\s\0]/).optional(),
      user: numberOrText('the name or the number of a user', /^[^:\s\0]{1,64}$/, 0, 4294967294).optional(),
      namespace: choice('own', 'any').optional(),
    };
    return section(shape).refine(sensor => found.some(key => sensor[key] !== undefined), {
      error: 'says nothing to find the process by; expected pidfile, name, listen or command',
      when: isMapping,
    });
  },
  shorthand: null,
  fields: ({ pidfile, name, listen, command, user, namespace }, resolve) => ({
    ...(pidfile && { pidfile: resolve('pidfile', pidfile) }),
    ...(name && { name }),
    ...(listen && { listen }),
    ...(command && { command }),
    ...(user && { user }),
    ...(namespace && { namespace }),
  }),
  fieldNames: ['pidfile', 'name', 'listen', 'command', 'user', 'namespace'],
  reasons: { process_exit: 'exited' },
  name: ({ pidfile, name, listen, command }) => {
    const which = name ?? pidfile ?? listen;
    if (which === undefined) return `process ${command ?? ''}`;
    return `process ${which}${command === undefined ? '' : ` (${command})`}`;
  },
  canKill: true,
  isNetwork: () => false,
  words: ({ pidfile, name, listen, command, user, namespace }) => {
    const parts = [
      name && `named ${name}`,
      command && `with "${command}" in its command line`,
      user && `of the user ${user}`,
      pidfile && `with its pid in ${pidfile}`,
      listen && `listening on ${listen}`,
      namespace === 'any' && 'in whatever namespace',
    ];
    return `the process ${parts.filter(Boolean).join(', ')}`;
  },
  cause: ({ cause }) => (cause === undefined ? { kind: 'unknown' } : causeOf(cause)),
  alive: ({ pid, detail }) =>
    [pid === undefined ? '' : `pid ${pid}`, detail ?? ''].filter(part => part !== '').join(', '),
};
