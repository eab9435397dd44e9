/** An interface with its address and default route, by rtnetlink(7): native/sensors/link.cc. */
import { type Cause, linkLosses } from '../core/model.js';
import type { SensorKind } from './sensor.js';

interface Settings {
  readonly interface: string;
  readonly address: 'dead' | 'ignore';
  readonly default_route: 'dead' | 'ignore';
  readonly carrier: 'dead' | 'tell';
}

type Fields = {
  /** null = whichever interface carries the default route. */
  readonly interface: string | null;
  readonly address: boolean;
  readonly defaultRoute: boolean;
  /** Whether loss of carrier alone is a death. It is told in any case. */
  readonly carrier: boolean;
};

const interfaceWords = 'the name of an interface (at most 15 characters), or default';

export const linkSensor: SensorKind<Settings, Fields> = {
  kind: 'link',
  schema: ({ section, text, choice }) =>
    section({
      /** IFNAMSIZ of netdevice(7) is 16 with the final NUL. */
      interface: text(interfaceWords, /^[^\s/:]{1,15}$/).prefault('default'),
      address: choice('dead', 'ignore').prefault('dead'),
      default_route: choice('dead', 'ignore').prefault('dead'),
      carrier: choice('dead', 'tell').prefault('tell'),
    }),
  shorthand: 'interface',
  fields: link => ({
    interface: link.interface === 'default' ? null : link.interface,
    address: link.address === 'dead',
    defaultRoute: link.default_route === 'dead',
    carrier: link.carrier === 'dead',
  }),
  fieldNames: ['interface', 'address', 'defaultRoute', 'carrier'],
  reasons: {
    interface_gone: 'gone',
    interface_down: 'gone',
    no_address: 'broken',
    no_default_route: 'broken',
    no_carrier: 'broken',
  },
  name: link => `link ${link.interface ?? 'default'}`,
  canKill: false,
  isNetwork: link => link.interface === null,
  words: link => {
    const which =
      link.interface === null ? 'the interface of the default route' : `the interface ${link.interface}`;
    const losses = [
      'gone',
      'down',
      link.address && 'without an address',
      link.defaultRoute && 'without a default route',
      link.carrier && 'without a carrier',
    ];
    return `${which}: dead when ${losses.filter(Boolean).join(', ')}`;
  },
  cause: ({ reason, interface: name }): Cause => {
    const what = linkLosses.find(loss => loss === reason);
    return what === undefined ? { kind: 'unknown' } : { kind: 'link', what, interface: name ?? '?' };
  },
  alive: report => {
    const { detail = '', addresses = [] } = report;
    if (report.interface === undefined) return detail;
    const carrier = report.carrier === false ? 'no carrier' : '';
    return [report.interface, ...addresses, carrier, detail].filter(word => word !== '').join(' ');
  },
};
