/** An interface by its name, by rtnetlink(7): native/sensors/link.cc. */

import { formatDuration } from '../base/duration.js';
import { linkNatures } from '../core/cause.js';
import { lockReasons } from './kernel-lock.js';
import { interfacePattern, interfaceWords, linkCause, linkWords } from './link-losses.js';
import type { SensorKind } from './sensor.js';

const address = ['keep', 'dead', 'ignore'] as const;

interface Settings {
  readonly interface: string;
  readonly address: (typeof address)[number];
  readonly default_route: 'dead' | 'ignore';
  readonly carrier: 'dead' | 'tell';
  readonly renewal: number;
}

type Fields = {
  readonly interface: string;
  /** keep: what it had when it was seen alive. dead: it must have one. */
  readonly address: Settings['address'];
  readonly defaultRoute: boolean;
  /** Whether loss of carrier alone is a death. It is told in any case. */
  readonly carrier: boolean;
  readonly renewalMs: number;
};

export const linkSensor: SensorKind<Settings, Fields> = {
  kind: 'link',
  schema: ({ section, text, choice, duration }) =>
    section({
      interface: text(interfaceWords, interfacePattern),
      address: choice(...address).prefault('keep'),
      default_route: choice('dead', 'ignore').prefault('ignore'),
      carrier: choice('dead', 'tell').prefault('tell'),
      renewal: duration('0s', '5m').prefault('10s'),
    }),
  shorthand: 'interface',
  fields: link => ({
    interface: link.interface,
    address: link.address,
    defaultRoute: link.default_route === 'dead',
    carrier: link.carrier === 'dead',
    renewalMs: link.renewal,
  }),
  fieldNames: ['interface', 'address', 'defaultRoute', 'carrier', 'renewalMs'],
  reasons: { ...linkNatures, ...lockReasons },
  name: link => `link ${link.interface}`,
  canKill: false,
  proves: 'traffic',
  isNetwork: () => false,
  words: ({ interface: name, address: wanted, defaultRoute, carrier, renewalMs }) => {
    const now = ['gone', 'down', carrier && 'without a carrier'].filter(Boolean).join(', ');
    const late = [
      wanted === 'keep' && 'without the addresses that it had',
      wanted === 'dead' && 'without an address',
      defaultRoute && 'without a default route',
    ].filter(Boolean);
    const renewal = late.length === 0 ? '' : `, or ${late.join(' or ')} for ${formatDuration(renewalMs)}`;
    return `the interface ${name}: dead when ${now}${renewal}`;
  },
  cause: linkCause,
  alive: linkWords,
};
