/** What carries the traffic, on networks that route in different ways: alive when it is, dead when it dies, and named as what it is. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorSpec } from '../../native/index.js';
import { signalIfAlive } from '../lab/proc.js';
import { atEnd, shell } from './helpers.js';
import { needsNetworkNamespaces } from './needs.js';
import { networkOf, route, standby, veth, wan0, wwan0 } from './networks.js';

const skip = needsNetworkNamespaces();
const uplink: SensorSpec = { kind: 'uplink' };

interface Kind {
  readonly what: string;
  readonly setup: string;
  /** wan0, where nothing else is said. */
  readonly carries?: string;
  readonly sensor?: SensorSpec;
  readonly families?: 4 | 6;
  /** Each in a network of its own, and what it is told as. */
  readonly deaths: readonly (readonly [script: string, reason: string])[];
}

const byTable: SensorSpec = { kind: 'uplink', table: '201' };
const taken = ['ip link set wan0 down', 'interface_down'] as const;
const gone = ['ip link del wan0', 'interface_gone'] as const;

const kinds: readonly Kind[] = [
  {
    what: 'a default route in another table, by a rule',
    setup: `${wan0}; ip route add default via 10.0.0.1 table 201; ip rule add priority 32000 lookup 201`,
    deaths: [
      taken,
      gone,
      ['ip rule del priority 32000', 'no_default_route'],
      ['ip route flush table 201', 'no_default_route'],
    ],
  },
  {
    what: 'a route for marked packets alone',
    setup: `${wan0}; ip route add default via 10.0.0.1 table 300; ip rule add fwmark 16 lookup 300`,
    sensor: { kind: 'uplink', mark: 16 },
    deaths: [gone, ['ip rule del fwmark 16', 'no_default_route']],
  },
  {
    what: 'a nexthop object, of which the kernel tells nothing but the number',
    setup: `${wan0}; echo 0 > /proc/sys/net/ipv4/nexthop_compat_mode
      ip nexthop add id 7 via 10.0.0.1 dev wan0; ip route add default nhid 7`,
    deaths: [taken, gone, ['ip nexthop del id 7', 'no_default_route']],
  },
  {
    what: 'a group of nexthop objects',
    setup: `${wan0}; ip nexthop add id 7 via 10.0.0.1 dev wan0; ip nexthop add id 8 group 7; ip route add default nhid 8`,
    deaths: [gone, ['ip nexthop del id 8', 'no_default_route']],
  },
  {
    what: 'two ways of one route, of which the deletion of one takes all',
    setup: `${wan0}; ${wwan0}; ip route add default nexthop via 10.0.0.1 nexthop via 10.0.0.3`,
    deaths: [gone, taken],
  },
  {
    what: 'no address of its own, but one on lo',
    setup: `${veth('wan0')}; ip addr add 10.9.9.9/32 dev lo; ip route add default via 10.0.0.1 dev wan0 onlink src 10.9.9.9`,
    deaths: [taken, gone, ['ip route del default', 'no_default_route']],
  },
  {
    what: 'IPv6 alone, a link-local address, and a delegated prefix on the LAN',
    setup: `${veth('wan0')}; ${veth('lan0')}; ip addr add 2001:db8:7::1/64 dev lan0 nodad; ip addr add fe80::77/64 dev wan0 nodad
      ip -6 route add default via fe80::1 dev wan0`,
    families: 6,
    deaths: [
      taken,
      gone,
      ['ip -6 route del default', 'no_default_route'],
      ['ip addr flush dev lan0', 'no_address'],
    ],
  },
  {
    what: "the two halves of a VPN's redirect-gateway def1",
    setup: `${wan0}; ip route add 0.0.0.0/1 via 10.0.0.1; ip route add 128.0.0.0/1 via 10.0.0.1`,
    deaths: [taken, gone, ['ip route del 128.0.0.0/1', 'no_default_route']],
  },
  {
    what: 'a table of choice, whatever main says',
    setup: `${wan0}; ${wwan0}; ip route add default via 10.1.0.1
      ip route add default via 10.0.0.1 table 201; ip rule add priority 100 from 10.0.0.0/24 lookup 201`,
    sensor: byTable,
    deaths: [
      taken,
      gone,
      ['ip rule del priority 100', 'no_default_route'],
      ['ip route flush table 201', 'no_default_route'],
      ['ip route replace unreachable default table 201', 'no_default_route'],
      ['ip addr flush dev wan0', 'no_address'],
    ],
  },
  {
    what: 'halves in a table of choice',
    setup: `${wan0}; ip rule add fwmark 7 lookup 201
      ip route add 0.0.0.0/1 via 10.0.0.1 table 201; ip route add 128.0.0.0/1 via 10.0.0.1 table 201`,
    sensor: byTable,
    deaths: [gone, ['ip route del 128.0.0.0/1 table 201', 'no_default_route']],
  },
  {
    what: 'a nexthop object in a table of choice',
    setup: `${wan0}; ip nexthop add id 7 via 10.0.0.1 dev wan0; ip route add default nhid 7 table 201; ip rule add fwmark 7 lookup 201`,
    sensor: byTable,
    deaths: [taken, ['ip nexthop del id 7', 'no_default_route']],
  },
  {
    what: 'IPv6 in a table of choice',
    setup: `${veth('wan0')}; ip addr add 2001:db8::2/64 dev wan0 nodad
      ip -6 route add default via fe80::1 dev wan0 table 201; ip -6 rule add fwmark 7 lookup 201`,
    sensor: byTable,
    families: 6,
    deaths: [taken, ['ip -6 route flush table 201', 'no_default_route']],
  },
  {
    what: 'a macvlan, of which its NIC is all that tells',
    setup: `${veth('nic0')}; ip link add link nic0 name wan0 type macvlan mode bridge; ip link set wan0 up
      ip addr add 10.0.0.2/24 dev wan0; ${route}`,
    deaths: [
      ['ip link set nic0 down', 'lower_down'],
      ['ip link del nic0', 'interface_gone'],
    ],
  },
  {
    what: 'several metrics: the least one carries',
    setup: `${wan0}; ${wwan0}; ip route add default via 10.0.0.1 metric 900; ip route add default via 10.1.0.1 metric 50`,
    carries: 'wwan0',
    deaths: [['ip route flush default; ip route flush default', 'no_default_route']],
  },
];

describe('an uplink', { skip }, () => {
  for (const { what, setup, carries = 'wan0', sensor = uplink, families = 4, deaths } of kinds)
    for (const [death, reason] of deaths)
      it(`by ${what}: ${death}`, async test => {
        const netns = await networkOf(test, setup, families);
        const [alive] = await netns.watch('r', [sensor]);
        assert.deepEqual([alive?.state, alive?.interface, alive?.detail], ['up', carries, undefined]);
        await netns.sh(death);
        const down = await netns.recorder.state('down');
        assert.deepEqual([down.reason, down.interface], [reason, carries]);
        assert.equal(
          down.graceMs,
          reason.startsWith('no_') ? 10_000 : undefined,
          'what may be renewed is borne',
        );
        assert.equal((await netns.snapshot('r'))[0]?.state, 'down');
      });

  for (const type of ['unreachable', 'blackhole', 'prohibit', 'throw'])
    it(`is none by a default route of the type ${type}`, async test => {
      const netns = await networkOf(test, `${wan0}; ip route add ${type} default`);
      assert.equal((await netns.watch('r', [uplink]))[0]?.state, 'absent');
      await netns.sh(`ip route flush default; ${route}`);
      await netns.recorder.state('up');
      await netns.sh(`ip route replace ${type} default`);
      assert.equal((await netns.recorder.state('down')).reason, 'no_default_route');
    });

  it('is none with an address that the client has given itself', async test => {
    const netns = await networkOf(test, `${wan0}; ${route}`);
    await netns.watch('r', [uplink]);
    await netns.sh(
      'ip addr flush dev wan0; ip addr add 169.254.7.7/16 dev wan0; ip route add default dev wan0',
    );
    assert.equal((await netns.recorder.state('down')).reason, 'no_address');
    const [later] = await netns.watch('later', [uplink]);
    assert.deepEqual(
      [later?.state, later?.detail],
      ['absent', 'it has no address, or only one that it has given itself'],
    );
    await netns.sh(`ip addr flush dev wan0; ip addr add 10.0.0.9/24 dev wan0; ${route}`);
    await netns.recorder.state('up');
  });

  it('moves to the other one, which is told, and back; the loss of the one that stands by is told later', async test => {
    const netns = await networkOf(test, `${wan0}; ${wwan0}; ${route}; ${standby}`);
    const [alive] = await netns.watch('r', [{ kind: 'uplink', renewalMs: 200 }]);
    assert.deepEqual([alive?.interface, alive?.standby], ['wan0', ['wwan0']]);
    const seen: unknown[] = [];
    const next = async () => {
      const {
        state,
        interface: name,
        standby: others,
      } = await netns.recorder.next('sensor', () => true, seen.length + 1);
      seen.push([state, name, others]);
    };
    await netns.sh('ip link set wan0 down');
    await next();
    await netns.sh(`ip link set wan0 up; ${route}`);
    await next();
    await netns.sh('ip route del default metric 700');
    await next();
    // Away for a moment, as in a renewal, which nobody hears of.
    await netns.sh(standby);
    await next();
    await netns.sh(`ip route del default metric 700; ${standby}`);
    await netns.sh('ip link del wwan0');
    await next();
    assert.deepEqual(seen, [
      ['up', 'wwan0', []],
      ['up', 'wan0', ['wwan0']],
      ['up', 'wan0', []],
      ['up', 'wan0', ['wwan0']],
      ['up', 'wan0', []],
    ]);
  });

  it('sets off the reflex for what is gone, not for what may be renewed, and for that as well when it is gone meanwhile', async test => {
    const netns = await networkOf(test, `${wan0}; ${route}`);
    await netns.watch('r', [uplink]);
    await netns.armReflex('r', shell('reflex', ':'), ['gone', 'exited']);
    await netns.sh('ip route del default');
    const lost = await netns.recorder.state('down');
    assert.deepEqual([lost.reason, lost.reflex, lost.graceMs], ['no_default_route', undefined, 10_000]);
    await netns.sh('ip link del wan0');
    const dead = await netns.recorder.state('down', 2);
    assert.deepEqual([dead.reason, dead.reflex, dead.graceMs], ['interface_gone', 'reflex', undefined]);
  });

  const routine: readonly (readonly [what: string, script: string])[] = [
    ['a new name', 'ip link set wan0 name wan9'],
    ['an alternative name', 'ip link property add dev wan0 altname internet'],
    ['a lease that is prolonged', 'ip addr change 10.0.0.2/24 dev wan0 valid_lft 600 preferred_lft 300'],
    ['a second address', 'ip addr add 10.0.0.3/24 dev wan0'],
    ['a route that is announced again', 'ip route replace default via 10.0.0.1'],
    ['a container that comes and goes', `${veth('c0')}; ip link del c0`],
    [
      'a bridge with a port that comes and goes',
      `${veth('p0')}; ip link add br0 type bridge; ip link set br0 up
      ip link set p0 master br0; ip link set p0 nomaster; ip link del p0; ip link del br0`,
    ],
    [
      '200 routes of a routing daemon',
      'for i in $(seq 200); do ip route add 172.16.$i.0/24 via 10.0.0.1; done',
    ],
    [
      'an address of IPv6 that waits for its uniqueness',
      `echo 0 > /proc/sys/net/ipv6/conf/wan0/disable_ipv6
      ip addr add 2001:db8::2/64 dev wan0; until ip -6 addr show dev wan0 scope global -tentative | grep -q 2001; do sleep 0.01; done`,
    ],
  ];
  for (const [what, script] of routine)
    it(`hears nothing of ${what}`, async test => {
      const netns = await networkOf(test, `${wan0}; ${route}`);
      await netns.watch('r', [uplink, { kind: 'link', interface: 'wan0' }]);
      await netns.sh(script);
      const after = await netns.snapshot('r');
      assert.deepEqual(
        after.map(({ state }) => state),
        ['up', 'up'],
      );
      assert.equal(after[0]?.interface, what === 'a new name' ? 'wan9' : 'wan0');
      // The end of it is told, so what came before would have been.
      await netns.sh(`ip link del ${after[0]?.interface}`);
      await netns.recorder.next('sensor', event => event.sensor === 0 && event.state === 'down');
      await netns.recorder.next('sensor', event => event.sensor === 1 && event.state === 'down');
      const told = netns.recorder.all('sensor').map(({ state, interface: name }) => [state, name]);
      const last = ['down', after[0]?.interface];
      assert.deepEqual(told.slice(-2), [last, last]);
      assert.ok(told.slice(0, -2).every(([state]) => state === 'up'));
    });

  for (const [what, script] of [
    ['the same address', 'ip addr del 10.0.0.2/24 dev wan0; ip addr add 10.0.0.2/24 dev wan0'],
    ['another address', 'ip addr del 10.0.0.2/24 dev wan0; ip addr add 10.0.0.77/24 dev wan0'],
  ] as const)
    it(`is borne, and up again, when a lease is renewed with ${what}`, async test => {
      const netns = await networkOf(test, `${wan0}; ${route}`);
      await netns.watch('r', [uplink, { kind: 'link', interface: 'wan0' }]);
      await netns.sh(`${script}; ${route}`);
      assert.deepEqual(
        (await netns.snapshot('r')).map(({ state }) => state),
        ['up', 'up'],
      );
      for (const { state, graceMs } of netns.recorder.all('sensor'))
        if (state === 'down') assert.equal(graceMs, 10_000);
    });
});

/** The pid of a process that holds /dev/net/tun for tap0, which stays when it ends. */
const stack = `
  ip tuntap add tap0 mode tap; ip addr add 10.0.0.2/24 dev tap0; ip link set tap0 up
  cd "$(mktemp -d)"
  perl -e '$| = 1; open(F, "+<", "/dev/net/tun") or die; my $request = pack("Z16 S x22", "tap0", 0x1002); ioctl(F, 0x400454ca, $request) or die; print $$; sleep 1000' >pid 2>&1 </dev/null &
  until ip link show tap0 | grep -q LOWER_UP && test -s pid; do sleep 0.01; done
  ${route}; cat pid; rm -r "$PWD"`;

describe('a stack in a process behind a tap that stays', { skip }, () => {
  for (const sensor of [uplink, { kind: 'link', interface: 'tap0' }])
    it(`is dead at once when that ends, and the reflex is set off (${sensor.kind})`, async test => {
      const netns = await networkOf(test, ':');
      const pid = Number(await netns.sh(stack));
      assert.ok(pid > 1, 'to 0 a signal would end the tests themselves');
      atEnd(test, () => signalIfAlive(pid, 'SIGKILL'));
      const [alive] = await netns.watch('r', [sensor]);
      assert.deepEqual([alive?.state, alive?.interface], ['up', 'tap0']);
      await netns.armReflex('r', shell('reflex', ':'), ['gone']);
      process.kill(pid, 'SIGKILL');
      const down = await netns.recorder.state('down');
      assert.deepEqual([down.reason, down.reflex], ['stack_gone', 'reflex']);
    });
});
