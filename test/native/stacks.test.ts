/** What the kernel tells late, by halves or not at all when a network dies (docs/STACKS.md): seen all the same, and no more than that. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorSpec } from '../../native/index.js';
import { needsNetworkNamespaces } from './needs.js';
import { networkOf, route, veth, wan0, wwan0 } from './networks.js';

const skip = needsNetworkNamespaces();
const uplink: SensorSpec = { kind: 'uplink' };
const object = 'ip nexthop add id 7 via 10.0.0.1 dev wan0; ip route add default nhid 7';
const twoLegs = 'ip route add default nexthop via 10.0.0.1 dev wan0 nexthop via 10.1.0.1 dev wwan0';

describe('an uplink', { skip }, () => {
  for (const mode of [0, 1])
    it(`by a nexthop object that goes with the cable is missed when the cable is back (nexthop_compat_mode=${mode})`, async test => {
      const compat = `echo ${mode} > /proc/sys/net/ipv4/nexthop_compat_mode`;
      const netns = await networkOf(test, `${wan0}; ${compat}; ${object}`);
      await netns.watch('r', [uplink]);
      const told: unknown[] = [];
      for (const script of ['ip link set far-wan0 down', 'ip link set far-wan0 up', object]) {
        await netns.sh(script);
        const { state, carrier, reason } = await netns.recorder.next('sensor', () => true, told.length + 1);
        told.push([state, carrier, reason]);
      }
      assert.deepEqual(told, [
        ['up', false, undefined],
        ['up', true, 'no_default_route'],
        ['up', true, undefined],
      ]);
    });

  for (const deleted of ['wan0', 'wwan0'])
    it(`by two legs dies as a whole when the leg ${deleted} is deleted, although the other one is healthy`, async test => {
      const netns = await networkOf(test, `${wan0}; ${wwan0}; ${twoLegs}`);
      await netns.watch('r', [uplink]);
      await netns.sh(`ip link del ${deleted}`);
      await netns.recorder.state('down');
      assert.equal(await netns.sh('ip route show default'), '');
    });

  for (const lost of ['wan0', 'wwan0'])
    it(`by two legs goes on by the other one when the leg ${lost} is taken down, and dies with both`, async test => {
      const netns = await networkOf(test, `${wan0}; ${wwan0}; ${twoLegs}`);
      await netns.watch('r', [uplink]);
      const other = lost === 'wan0' ? 'wwan0' : 'wan0';
      await netns.sh(`ip link set ${lost} down`);
      const [after] = await netns.snapshot('r');
      assert.deepEqual([after?.state, after?.interface], ['up', other]);
      await netns.sh(`ip link set ${other} down`);
      const down = await netns.recorder.state('down');
      assert.deepEqual([down.reason, down.interface], ['interface_down', other]);
    });

  it('by two legs of IPv6 goes on by the other one also when one is deleted', async test => {
    const both = ['wan0', 'wwan0'].map(
      (name, index) => `${veth(name)}; ip addr add 2001:db8:${index}::2/64 dev ${name} nodad`,
    );
    const legs = 'nexthop via fe80::1 dev wan0 nexthop via fe80::2 dev wwan0';
    const netns = await networkOf(test, `${both.join('; ')}; ip -6 route add default ${legs}`, 6);
    await netns.watch('r', [uplink]);
    await netns.sh('ip link del wan0');
    const [after] = await netns.snapshot('r');
    assert.deepEqual([after?.state, after?.interface], ['up', 'wwan0']);
    await netns.sh('ip link del wwan0');
    await netns.recorder.state('down');
  });

  it('that a tunnel has taken over without a word is dead with it, although its NIC is healthy', async test => {
    const netns = await networkOf(
      test,
      `${wan0}; ${route}; ${veth('tun0')}; ip addr add 10.8.0.2/32 dev tun0`,
    );
    await netns.watch('r', [uplink]);
    await netns.sh('ip route replace default dev tun0');
    const moved = await netns.recorder.next('sensor');
    assert.deepEqual([moved.state, moved.interface], ['up', 'tun0']);
    await netns.sh('ip link del tun0');
    const down = await netns.recorder.state('down');
    assert.deepEqual([down.reason, down.interface], ['interface_gone', 'tun0']);
    await netns.sh(route);
    assert.equal((await netns.recorder.next('sensor', ({ state }) => state === 'up', 2)).interface, 'wan0');
  });

  for (const source of ['', ' src 10.0.0.2'])
    it(`by a route${source} is lost with its address, whether the kernel tells of the route or not`, async test => {
      const netns = await networkOf(test, `${wan0}; ${route}${source}`);
      await netns.watch('r', [uplink]);
      await netns.sh('ip addr del 10.0.0.2/24 dev wan0');
      assert.equal((await netns.recorder.state('down')).reason, 'no_address');
      await netns.sh(`ip addr add 10.0.0.2/24 dev wan0; ${route}${source}`);
      await netns.recorder.state('up');
    });

  it('that was taken down and up by hand is dead until its routes are back, which the kernel does not give', async test => {
    const netns = await networkOf(test, `${wan0}; ${route}`);
    await netns.watch('r', [uplink]);
    await netns.sh('ip link set wan0 down; ip link set wan0 up');
    await netns.recorder.state('down');
    assert.equal((await netns.snapshot('r'))[0]?.state, 'down');
    await netns.sh(route);
    await netns.recorder.state('up');
  });
});
