/** What carries this machine's traffic, as the kernel would route it: native/sensors/uplink_judge.cc. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { formatDuration } from '../base/duration.js';
import { linkNatures } from '../core/cause.js';
import { lockReasons } from './kernel-lock.js';
import { interfacePattern, interfaceWords, linkCause, linkWords } from './link-losses.js';
import type { SensorKind } from './sensor.js';

const families = ['auto', 'any', 'all', '4', '6'] as const;

interface Settings {
  readonly towards?: readonly string[] | undefined;
  readonly families: (typeof families)[number];
  readonly mark?: number | undefined;
  readonly vrf?: string | undefined;
  readonly table?: string | undefined;
  readonly carrier: 'dead' | 'tell';
  readonly renewal: number;
}

type Fields = {
  /** Absent: a public address of each family. */
  readonly towards4?: string;
  readonly towards6?: string;
  readonly families: Settings['families'];
  /** Of the packets that are meant, as `ip rule … fwmark` has it. */
  readonly mark?: number;
  readonly vrf?: string;
  /** Of a routing table that is judged by itself: its number, or its name in rt_tables. */
  readonly table?: string;
  /** Whether loss of carrier alone is a death. It is told in any case. */
  readonly carrier: boolean;
  readonly renewalMs: number;
};

const towardsWords =
  'an address, or a list of one of each family, such as 9.9.9.9 or [9.9.9.9, "2620:fe::fe"]';

const tableWords = 'the number of a routing table, from 1 to 4294967295, or its name';

/** What can never be reached through an uplink: this machine, nobody, a group. Such an uplink would be absent for ever. */
const nowhere = new BlockList();
nowhere.addSubnet('0.0.0.0', 8);
nowhere.addSubnet('127.0.0.0', 8);
nowhere.addSubnet('224.0.0.0', 3);
nowhere.addSubnet('::', 127, 'ipv6');
nowhere.addSubnet('ff00::', 8, 'ipv6');

const isElsewhere = (address: string) =>
  (isIPv4(address) && !nowhere.check(address)) || (isIPv6(address) && !nowhere.check(address, 'ipv6'));

/** Of a family without an address nothing is asked, once there is one of the other. */
function lacksItsFamily({ towards, families: wanted }: Pick<Settings, 'towards' | 'families'>): boolean {
  if (towards === undefined) return false;
  const needs4 = wanted === '4' || wanted === 'all';
  const needs6 = wanted === '6' || wanted === 'all';
  return (needs4 && !towards.some(isIPv4)) || (needs6 && !towards.some(isIPv6));
}

const isOneOfEach = (addresses: readonly string[]) =>
  addresses.filter(isIPv4).length <= 1 && addresses.filter(isIPv6).length <= 1;

function whole({ families: wanted, towards4, towards6 }: Fields): string {
  if (towards4 !== undefined && towards6 === undefined) return 'IPv4';
  if (towards6 !== undefined && towards4 === undefined) return 'IPv6';
  switch (wanted) {
    case 'auto':
      return 'IPv4, or IPv6 where it has never had IPv4';
    case 'any':
      return 'IPv4 or IPv6';
    case 'all':
      return 'IPv4 and IPv6';
    default:
      return `IPv${wanted}`;
  }
}

export const uplinkSensor: SensorKind<Settings, Fields> = {
  kind: 'uplink',
  schema: ({ section, texts, text, numberOrText, choice, whole: number, duration, isMapping }) =>
    section({
      towards: texts(towardsWords, isElsewhere, isOneOfEach).optional(),
      families: choice(...families).prefault('auto'),
      mark: number(1, 2 ** 31 - 1).optional(),
      vrf: text(interfaceWords, interfacePattern).optional(),
      table: numberOrText(tableWords, /^[^\s#\0]{1,64}$/, 1, 2 ** 32 - 1).optional(),
      carrier: choice('dead', 'tell').prefault('tell'),
      renewal: duration('0s', '5m').prefault('10s'),
    })
      .refine(({ table, mark, vrf }) => table === undefined || (mark === undefined && vrf === undefined), {
        path: ['table'],
        error: 'stands beside mark or vrf, which lead to tables of their own; expected one of them',
        when: isMapping,
      })
      .refine(uplink => !lacksItsFamily(uplink), {
        path: ['towards'],
        error:
          'has no address of a family that families asks for; add one, as in [9.9.9.9, "2620:fe::fe"], or change families',
      }),
  shorthand: null,
  fields: ({ towards = [], families: wanted, mark, vrf, table, carrier, renewal }) => {
    const towards4 = towards.find(isIPv4);
    const towards6 = towards.find(isIPv6);
    return {
      ...(towards4 !== undefined && { towards4 }),
      ...(towards6 !== undefined && { towards6 }),
      families: wanted,
      ...(mark !== undefined && { mark }),
      ...(vrf !== undefined && { vrf }),
      ...(table !== undefined && { table }),
      carrier: carrier === 'dead',
      renewalMs: renewal,
    };
  },
  fieldNames: ['towards4', 'towards6', 'families', 'mark', 'vrf', 'table', 'carrier', 'renewalMs'],
  reasons: { ...linkNatures, ...lockReasons },
  name: () => 'uplink',
  canKill: false,
  proves: 'traffic',
  isNetwork: () => true,
  words: fields => {
    const { towards4, towards6, vrf, mark, table, carrier, renewalMs } = fields;
    const towards = [towards4, towards6].filter(Boolean).join(' and ') || 'the internet';
    const packets = [
      vrf !== undefined && `in VRF ${vrf}`,
      mark !== undefined && `marked ${mark}`,
      table !== undefined && `by routing table ${table}`,
    ];
    const which = ['the interface that leads to', towards, ...packets].filter(Boolean).join(' ');
    const losses = ['gone', 'down', carrier && 'without a carrier'].filter(Boolean).join(', ');
    return `${which}: dead when ${losses}, or without address or route for ${formatDuration(renewalMs)}; whole with ${whole(fields)}`;
  },
  cause: linkCause,
  alive: linkWords,
};
