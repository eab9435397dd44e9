/**
 * Links that the kernels of containers often lack, played in a guest with a kernel of its own (docs/GUESTS.md has how): bond, VLAN, macvlan, VRF,
 * wireguard, ppp, bridge. Each is watched by the real addon in a network namespace, as routine goes and as it dies. No other suite runs this file.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, describe, it, type TestContext } from 'node:test';
import type { SensorReport, SensorSpec } from '../../native/index.js';
import { atEnd, type Event, until } from '../native/helpers.js';
import { networkOf } from '../native/networks.js';

/** A software-emulated processor is slow, and so is what waits for a carrier. */
const timeout = 120_000;
const uplink: SensorSpec = { kind: 'uplink' };
const link = (name: string): SensorSpec => ({ kind: 'link', interface: name });
/** Half a minute at most; the script ends with an error then. */
const wait = (condition: string) =>
  `n=0; until ${condition}; do sleep 0.05; n=$((n+1)); [ $n -lt 600 ]; done`;
const carries = (name: string) => wait(`ip link show ${name} | grep -q LOWER_UP`);
/** Not /sys/class/net, which shows the namespace that it was mounted in. */
const isActive = (name: string) => wait(`grep -q 'Currently Active Slave: ${name}' /proc/net/bonding/bond0`);

interface Step {
  readonly what: string;
  readonly script: string;
  /** Patterns of what each sensor says: `0 up no-carrier`, `1 down interface_gone`. In whatever order the sensors come. */
  readonly told: readonly string[];
  /** Of a step that nobody must be told of: how it is known that it is over. */
  readonly until?: string;
}

interface Play {
  readonly name: string;
  readonly setup: string;
  readonly families?: 4 | 6;
  readonly sensors: readonly SensorSpec[];
  readonly alive: readonly string[];
  readonly steps: readonly Step[];
  /** Ends what the setup has left running. */
  readonly end?: string;
}

const nic = (name: string, far = `far-${name}`) =>
  `ip link add ${name} type veth peer name ${far}; ip link set ${far} up; ip link set ${name} up; ${carries(name)}`;
const default0 = 'ip route add default via 10.0.0.1';
const bond = `modprobe bonding max_bonds=0; ip link add bond0 type bond mode active-backup miimon 50
      for nic in nic0 nic1; do ip link add $nic type veth peer name far-$nic; ip link set $nic master bond0; ip link set far-$nic up; ip link set $nic up; done
      ip link set bond0 up; ${carries('bond0')}; ip addr add 10.0.0.2/24 dev bond0; ${default0}`;
const pulled = (name: string) => ({
  what: `the cable of ${name} is pulled`,
  script: `ip link set far-${name} down`,
});

/** The other end is a pppd in a namespace of its own, which the near one starts at the other side of a pty. */
const ppp = (options: string) => `cat >/tmp/far <<'X'
#!/bin/sh
echo $$ >/tmp/far.pid
exec unshare -n pppd notty nodetach noauth local nodefaultroute 10.64.0.1:10.64.0.2
X
chmod +x /tmp/far
sh -c 'echo $$ >/tmp/near.pid; exec pppd nodetach noauth local noipdefault defaultroute ipcp-accept-local ipcp-accept-remote ${options} pty /tmp/far' >/tmp/near.log 2>&1 </dev/null &
${wait('ip route show default | grep -q ppp0')}`;

const plays: readonly Play[] = [
  {
    name: 'bond, active-backup with miimon',
    setup: bond,
    sensors: [uplink, link('bond0')],
    alive: ['bond0', 'bond0'],
    steps: [
      {
        what: 'a failover: the cable of the active port is pulled',
        script: 'ip link set far-nic0 down',
        until: isActive('nic1'),
        told: [],
      },
      {
        what: 'it is back, and the other port is taken out and put in again',
        script: `ip link set far-nic0 up; ${carries('nic0')}; ip link set nic1 nomaster; ${isActive('nic0')}
          ip link set nic1 down; ip link set nic1 master bond0; ip link set nic1 up`,
        until: `${carries('nic1')}; ${carries('bond0')}`,
        told: [],
      },
      {
        what: 'both cables are pulled',
        script: 'ip link set far-nic0 down; ip link set far-nic1 down',
        told: ['0 up no-carrier', '1 up no-carrier'],
      },
      {
        what: 'one of them is back',
        script: 'ip link set far-nic1 up',
        told: ['0 up', '1 up'],
      },
      {
        what: 'the bond is deleted',
        script: 'ip link del bond0',
        told: ['0 down interface_gone', '1 down interface_gone'],
      },
    ],
  },
  {
    name: 'bond, both of its ports deleted, where a carrier is asked for',
    setup: bond,
    sensors: [{ ...uplink, carrier: true }],
    alive: ['bond0'],
    steps: [
      {
        what: 'the active port is deleted',
        script: 'ip link del nic0',
        until: isActive('nic1'),
        told: [],
      },
      { what: 'and the other one', script: 'ip link del nic1', told: ['0 down no_carrier'] },
    ],
  },
  ...(['vlan', 'macvlan'] as const).flatMap((kind): Play[] => {
    const setup = `${nic('nic0')}; ip link add link nic0 name up0 type ${kind === 'vlan' ? 'vlan id 7' : 'macvlan mode bridge'}
      ip link set up0 up; ip addr add 10.0.0.2/24 dev up0; ${default0}`;
    const both = (word: string) => [`0 ${word}`, `1 ${word}`];
    const watched = { setup, sensors: [uplink, link('up0')], alive: ['up0', 'up0'] };
    return [
      {
        name: `${kind}, and its NIC deleted`,
        ...watched,
        steps: [{ what: 'deleted', script: 'ip link del nic0', told: both('down interface_gone') }],
      },
      {
        name: `${kind}, and the cable of its NIC`,
        ...watched,
        steps: [
          { ...pulled('nic0'), told: both('up no-carrier') },
          { what: 'back', script: 'ip link set far-nic0 up', told: both('up') },
          { what: 'it is deleted itself', script: 'ip link del up0', told: both('down interface_gone') },
        ],
      },
      {
        name: `${kind}, and its NIC taken down`,
        ...watched,
        steps: [
          {
            what: 'down',
            script: 'ip link set nic0 down',
            // A VLAN goes down with it; a macvlan stays up, without a carrier.
            told: both(kind === 'vlan' ? 'down interface_down' : 'down lower_down'),
          },
        ],
      },
    ];
  }),
  {
    name: 'VRF: `vrf:`, its default route in its own table',
    setup: `modprobe vrf; ip link add red type vrf table 10; ip link set red up; ${nic('nic0')}; ip link set nic0 master red; ${carries('nic0')}
      ip addr add 10.0.0.2/24 dev nic0; ip route add default via 10.0.0.1 vrf red`,
    sensors: [{ ...uplink, vrf: 'red' }, { ...uplink, table: '10' }, link('nic0')],
    alive: ['nic0', 'nic0', 'nic0'],
    steps: [
      {
        what: 'a default route in main comes and goes',
        script: `${nic('nic1')}; ip addr add 10.1.0.2/24 dev nic1; ip route add default via 10.1.0.1; ip link del nic1`,
        told: [],
      },
      {
        what: 'the default route is deleted',
        script: 'ip route del default vrf red',
        told: ['0 down no_default_route', '1 down no_default_route'],
      },
      { what: 'and is back', script: 'ip route add default via 10.0.0.1 vrf red', told: ['0 up', '1 up'] },
      { ...pulled('nic0'), told: ['0 up no-carrier', '1 up no-carrier', '2 up no-carrier'] },
      { what: 'back', script: 'ip link set far-nic0 up', told: ['0 up', '1 up', '2 up'] },
      {
        what: 'the NIC is deleted',
        script: 'ip link del nic0',
        told: ['0 down interface_gone', '1 down interface_gone', '2 down interface_gone'],
      },
    ],
  },
  {
    name: 'VRF that is deleted, and one that is taken down',
    setup: `modprobe vrf; ip link add red type vrf table 10; ip link set red up; ${nic('nic0')}; ip link set nic0 master red; ${carries('nic0')}
      ip addr add 10.0.0.2/24 dev nic0; ip route add default via 10.0.0.1 vrf red`,
    sensors: [{ ...uplink, vrf: 'red' }],
    alive: ['nic0'],
    steps: [{ what: 'deleted', script: 'ip link del red', told: ['0 down no_default_route'] }],
  },
  ...[
    ['halves', 'ip route add 0.0.0.0/1 dev wg0; ip route add 128.0.0.0/1 dev wg0'],
    [
      'a table by a mark, as wg-quick routes AllowedIPs 0.0.0.0/0',
      'wg set wg0 fwmark 51820; ip route add default dev wg0 table 51820; ip rule add not fwmark 51820 table 51820; ip rule add table main suppress_prefixlength 0',
    ],
  ].map(
    ([how = '', routes = '']): Play => ({
      name: `kernel wireguard as the uplink, by ${how}`,
      setup: `modprobe wireguard; ${nic('nic0')}; ip addr add 10.0.0.2/24 dev nic0; ${default0}
      ip link add wg0 type wireguard; wg genkey >/tmp/key; wg set wg0 private-key /tmp/key listen-port 51820 peer "$(wg genkey | wg pubkey)" allowed-ips 0.0.0.0/0 endpoint 10.0.0.1:51820
      ip addr add 10.8.0.2/24 dev wg0; ip link set wg0 up; ${routes}`,
      sensors: [uplink, link('wg0')],
      alive: ['wg0', 'wg0'],
      steps: [
        {
          what: 'a key is exchanged anew, and a second peer comes and goes',
          script:
            'wg genkey >/tmp/key; wg set wg0 private-key /tmp/key; p=$(wg genkey | wg pubkey); wg set wg0 peer $p allowed-ips 10.9.0.0/24; wg set wg0 peer $p remove',
          told: [],
        },
        {
          what: 'the interface is deleted: the NIC carries then, without the tunnel',
          script: 'ip link del wg0',
          told: ['0 up nic0', '1 down interface_gone'],
        },
      ],
    }),
  ),
  {
    name: 'bridge with ports, of which one carries',
    setup: `ip link add br0 type bridge; ip link set br0 up; ${nic('nic0')}; ip link set nic0 master br0; ${carries('br0')}
      ip addr add 10.0.0.2/24 dev br0; ${default0}`,
    sensors: [uplink, link('br0')],
    alive: ['br0', 'br0'],
    steps: [
      {
        what: "a container's port comes and goes",
        script: `${nic('c0')}; ip link set c0 master br0; ip link del c0`,
        told: [],
      },
      {
        what: 'its last port goes',
        script: 'ip link set nic0 nomaster',
        told: ['0 up no-carrier', '1 up no-carrier'],
      },
      { what: 'and is back', script: 'ip link set nic0 master br0', told: ['0 up', '1 up'] },
      {
        what: 'it is taken down',
        script: 'ip link set br0 down',
        told: ['0 down interface_down', '1 down interface_down'],
      },
    ],
  },
  {
    name: 'ppp over a pty, persist holdoff 3',
    setup: `modprobe ppp_async; modprobe ppp_generic; ${ppp('persist holdoff 3 maxfail 0 lcp-echo-interval 2 lcp-echo-failure 2')}`,
    end: 'kill -9 $(cat /tmp/near.pid /tmp/far.pid)',
    sensors: [uplink, link('ppp0')],
    alive: ['ppp0', 'ppp0'],
    steps: [
      {
        what: 'the peer is killed, and the line hangs up',
        // pppd takes the interface down, and then away.
        script: 'kill -9 $(cat /tmp/far.pid)',
        told: ['0 down interface_(down|gone)', '1 down interface_(down|gone)'],
      },
      { what: 'pppd dials again after its holdoff', script: ':', told: ['0 up', '1 up'] },
      {
        what: 'the peer says nothing any more: two unanswered echoes',
        script: 'kill -STOP $(cat /tmp/far.pid)',
        told: ['0 down interface_(down|gone)', '1 down interface_(down|gone)'],
      },
    ],
  },
  {
    name: 'ppp over a pty, pppd itself',
    setup: `modprobe ppp_async; modprobe ppp_generic; ${ppp('')}`,
    end: 'kill -9 $(cat /tmp/near.pid /tmp/far.pid)',
    sensors: [uplink, link('ppp0')],
    alive: ['ppp0', 'ppp0'],
    steps: [
      {
        what: 'pppd is killed',
        script: 'kill -9 $(cat /tmp/near.pid)',
        told: ['0 down interface_gone', '1 down interface_gone'],
      },
    ],
  },
];

const isReport = (event: Event): event is SensorReport => event.type === 'sensor';

/** What is new to whoever is told: `0 up no-carrier`, `1 down interface_gone`, `0 up nic0` where another interface carries. */
function newsOf(first: readonly SensorReport[], events: readonly Event[]): { line: string; atMs: number }[] {
  const last = new Map(first.map(report => [report.sensor, report]));
  return events.filter(isReport).flatMap(report => {
    const { sensor, state, reason, carrier, interface: name, atMs } = report;
    const before = last.get(sensor);
    last.set(sensor, report);
    const hasMoved = name !== before?.interface;
    if (state === before?.state && carrier === before.carrier && reason === before.reason && !hasMoved)
      return [];
    const rest = state === 'down' ? reason : carrier === false ? 'no-carrier' : hasMoved ? name : undefined;
    return [{ line: [sensor, state, rest].filter(word => word !== undefined).join(' '), atMs }];
  });
}

/** What was told of each step, and how long after its command was begun. */
const seen: string[] = [];

async function play(
  { name, setup, families, sensors, alive, steps, end }: Play,
  test: TestContext,
): Promise<void> {
  const netns = await networkOf(test, setup, families);
  if (end !== undefined) atEnd(test, () => spawnSync('sh', ['-c', end], { stdio: 'ignore' }));
  const first = await netns.watch('r', [...sensors]);
  assert.deepEqual(
    first.map(({ state, interface: carrier, detail }) => (state === 'up' ? carrier : `${state}: ${detail}`)),
    alive,
  );
  const news = () => newsOf(first, netns.recorder.events);
  for (const { what, script, told, until: over } of steps) {
    const count = news().length;
    const [begun = 0] = (await netns.sh(`cut -d' ' -f1 /proc/uptime; { ${script}; } >&2`))
      .split('\n')
      .map(Number);
    if (over !== undefined) await netns.sh(over);
    await until(() => news().length >= count + told.length, `${what}; so far ${JSON.stringify(news())}`);
    // What is waiting to be told is told before this is answered.
    await netns.snapshot('r');
    const lines = news().slice(count);
    const times = lines.map(({ line, atMs }) => `${line} (${Math.round(atMs - begun * 1000)} ms)`);
    seen.push(`${name} | ${what} | ${times.join(', ') || 'nothing'}`);
    const said = lines.map(({ line }) => line).sort();
    const expected = [...told].sort();
    const isAsExpected =
      said.length === expected.length &&
      said.every((line, index) => new RegExp(`^${expected[index]}$`).test(line));
    assert.ok(isAsExpected, `${what}: ${JSON.stringify(said)}, not ${JSON.stringify(expected)}`);
  }
}

describe('links in a guest', () => {
  for (const each of plays) it(each.name, { timeout }, test => play(each, test));
  after(() => {
    for (const line of seen) console.log(line);
  });
});
