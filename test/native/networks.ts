/** Networks with a way out, for the tests of what carries the traffic: wan0, and wwan0 beside it. */
import type { TestContext } from 'node:test';
import { Netns } from './netns.js';

export const veth = (name: string) =>
  `ip link add ${name} type veth peer name far-${name}; ip link set far-${name} up; ip link set ${name} up
  until ip link show ${name} | grep -q 'state UP'; do sleep 0.01; done`;
export const wan0 = `${veth('wan0')}; ip addr add 10.0.0.2/24 dev wan0`;
export const wwan0 = `${veth('wwan0')}; ip addr add 10.1.0.2/24 dev wwan0`;
export const route = 'ip route add default via 10.0.0.1';
export const standby = 'ip route add default via 10.1.0.1 metric 700';

/** Without IPv6, of which the kernel would tell late, where nobody asks for it. */
export async function networkOf(test: TestContext, setup: string, families: 4 | 6 = 4): Promise<Netns> {
  const netns = new Netns(test);
  const off = families === 6 ? '' : 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6;';
  await netns.sh(`${off} ip link set lo up; ${setup}`);
  return netns;
}
