/** What a link sensor must not lose: the truth when the kernel has dropped messages, and what it waits for. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SensorSpec } from '../../native/index.js';
import { needsNetworkNamespaces } from './needs.js';
import { Netns } from './netns.js';

const skip = needsNetworkNamespaces();
const timeout = 60_000;
const link: SensorSpec = { kind: 'link', interface: 'wan0', defaultRoute: true };
const address = '10.0.0.2/24';
const route = 'ip route add default via 10.0.0.1 dev wan0';

/**
 * A whole link; its carrier can be taken away at far0. Without IPv6, and waited for until the kernel has no more to say
 * about it: a late message would be a hint that makes good for a lost one.
 */
async function networkOf(test: TestContext): Promise<Netns> {
  const netns = new Netns(test);
  await netns.sh(`off=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $off ] || echo 1 > $off
    ip link add wan0 type veth peer name far0; ip link set far0 up; ip link set wan0 up
    ip addr add ${address} dev wan0; ${route}
    for name in wan0 far0; do until ip link show $name | grep -q 'state UP'; do sleep 0.01; done; done`);
  return netns;
}

/**
 * Does something while the monitor's process, the shell's parent, is stopped, after more messages than its socket holds: of routes that the
 * kernel does not keep from it, as it does with those to single networks.
 */
const whileDeaf = (script: string): string => `
  trap 'kill -CONT $PPID' EXIT
  kill -STOP $PPID
  half='0.0.0.0/1 dev wan0 table 77'
  i=0; while [ $i -lt 15000 ]; do echo "route add $half"; echo "route del $half"; i=$((i + 1)); done | ip -batch -
  ${script}
  cat /proc/self/net/netlink`;

/** Of NETLINK_ROUTE: the column Drops of what /proc/net/netlink says. */
function drops(table: string): number {
  const rows = table.split('\n').map(line => line.trim().split(/\s+/));
  return rows.filter(row => row[1] === '0').reduce((sum, row) => sum + Number(row[8]), 0);
}

describe('a link whose messages were dropped because nobody read them', { skip }, () => {
  it('is down when the message of its loss is among them, and is watched as before', {
    timeout,
  }, async test => {
    const netns = await networkOf(test);
    assert.equal((await netns.watch('r', [link]))[0]?.state, 'up');
    const table = await netns.sh(whileDeaf('ip addr flush dev wan0'));
    assert.ok(drops(table) > 0, `nothing was dropped, so nothing is proved:\n${table}`);
    assert.equal((await netns.recorder.state('down')).reason, 'no_address');
    const { overflows, reads } = await netns.network();
    assert.ok(overflows > 0 && reads > 1, `${overflows} overflows, ${reads} reads`);
    await netns.sh(`ip addr add ${address} dev wan0; ${route}`);
    assert.deepEqual((await netns.recorder.state('up')).addresses, [address]);
    await netns.sh('ip route del default');
    assert.equal((await netns.recorder.state('down', 2)).reason, 'no_default_route');
    assert.equal(netns.recorder.all('fault').length, 0);
  });

  it('has not died when it is whole by the time that it is looked at', { timeout }, async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [link]);
    const table = await netns.sh(
      whileDeaf(`ip link set wan0 down; ip link set wan0 up; ip addr replace ${address} dev wan0; ${route}`),
    );
    assert.ok(drops(table) > 0, `nothing was dropped, so nothing is proved:\n${table}`);
    assert.equal((await netns.snapshot('r'))[0]?.state, 'up');
    await netns.sh('ip link del wan0');
    const down = await netns.recorder.state('down');
    assert.equal(down.reason, 'interface_gone');
    // The carrier may have come and gone meanwhile, and be told.
    const deaths = netns.recorder.all('sensor').filter(({ state }) => state === 'down');
    assert.deepEqual(deaths, [down]);
  });
});

it('a link whose carrier is back says as its reason what it waits for', { skip, timeout }, async test => {
  const netns = await networkOf(test);
  await netns.watch('r', [link]);
  const told: unknown[] = [];
  const step = async (script: string): Promise<void> => {
    await netns.sh(script);
    const { state, carrier, reason } = await netns.recorder.next('sensor', () => true, told.length + 1);
    told.push([state, carrier, reason]);
  };
  await step('ip link set far0 down');
  await netns.sh(`ip addr del ${address} dev wan0`);
  await step('ip link set far0 up');
  await step('ip link set far0 down');
  await step('ip link set far0 up');
  await step(`ip addr add ${address} dev wan0`);
  await step(route);
  await step('ip route del default');
  assert.deepEqual(told, [
    ['up', false, undefined],
    ['up', true, 'no_address'],
    ['up', false, undefined],
    ['up', true, 'no_address'],
    ['up', true, 'no_default_route'],
    ['up', true, undefined],
    ['down', true, 'no_default_route'],
  ]);
});
