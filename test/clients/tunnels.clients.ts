/** Tunnels that a process keeps: what they do to themselves and stay is nothing; their end is a death at once, and answered by the reflex. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Host, needsClients } from './host.js';
import { link, uplink, Watch } from './watch.js';

const skip = needsClients();

interface Tunnel {
  readonly name: string;
  readonly interface: string;
  readonly command: string;
  /** What it does not do itself. */
  readonly configure?: string;
}

// Without a peer and without keys: an interface of its own is all that it is watched by.
const openvpn: Tunnel = {
  name: 'openvpn',
  interface: 'tun0',
  command:
    'openvpn --dev tun0 --dev-type tun --ifconfig 10.8.0.1 10.8.0.2 --remote 127.0.0.1 --lport 1195 --auth none --cipher none --persist-tun --persist-key --verb 3',
};
const wireguard: Tunnel = {
  name: 'wireguard-go',
  interface: 'wg0',
  command: 'env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go -f wg0',
  configure: 'ip address add 10.7.0.1/24 dev wg0; ip link set wg0 up',
};

async function start(host: Host, { name, interface: device, command, configure }: Tunnel): Promise<void> {
  await host.start(name, command);
  await host.until('the interface', `ip link show ${device} >/dev/null 2>&1`);
  if (configure !== undefined) await host.sh(configure);
  await host.until(
    'its address',
    `ip -4 -o address show ${device} | grep -q inet && ip link show ${device} | grep -q LOWER_UP`,
  );
}

async function alive(test: TestContext, tunnel: Tunnel): Promise<{ host: Host; watch: Watch }> {
  const host = await Host.open(test);
  await host.sh('echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6');
  await start(host, tunnel);
  return { host, watch: await Watch.begin(test, host, [link(tunnel.interface)]) };
}

const deaths: readonly (readonly [what: string, tunnel: Tunnel, kill: (host: Host) => Promise<void>])[] = [
  ['is killed', openvpn, host => host.stop('openvpn', 'SIGKILL')],
  ['ends in order', openvpn, host => host.stop('openvpn')],
  ['is killed', wireguard, host => host.stop('wireguard-go', 'SIGKILL')],
  ['loses its interface to somebody else', wireguard, async host => void (await host.sh('ip link del wg0'))],
];

describe('a tunnel', { skip, concurrency: 4 }, () => {
  for (const [what, tunnel, kill] of deaths)
    it(`of ${tunnel.name} that ${what} is dead at once, and back with its next interface`, async test => {
      const { host, watch } = await alive(test, tunnel);
      await kill(host);
      const down = await watch.down(/interface_gone/);
      assert.deepEqual([down.graceMs, down.reflex], [undefined, 'reflex']);
      await start(host, tunnel);
      const up = await watch.up(down);
      assert.notEqual(up.interfaceIndex, down.interfaceIndex);
    });

  it('of openvpn that connects anew (SIGUSR1, as after ping-restart) with persist-tun: nothing', async test => {
    const { host, watch } = await alive(test, openvpn);
    for (const times of [2, 3]) {
      await host.signal('openvpn', 'SIGUSR1');
      await host.until(
        'the next connection',
        `test "$(grep -c 'UDPv4 link remote' openvpn.log)" -ge ${times}`,
      );
    }
    await watch.noOutage(test);
    assert.deepEqual(watch.reports(), [], 'nobody hears of it');
  });

  it('of openvpn that reads its configuration anew (SIGHUP) is away for a second: dead at once, and back by itself', async test => {
    const { host, watch } = await alive(test, openvpn);
    await host.signal('openvpn', 'SIGHUP');
    const down = await watch.down(/interface_gone/);
    assert.deepEqual([down.graceMs, down.reflex], [undefined, 'reflex']);
    await watch.up(down);
  });

  it('that carries all traffic (redirect-gateway def1) hands it over when it is killed: a move, and an outage where nothing else leads out', async test => {
    const host = await Host.open(test);
    await host.sh(`echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6
ip link add wan0 type veth peer name far; ip link set far up; ip link set wan0 up; ip address add 10.77.0.2/24 dev wan0
ip route add default via 10.77.0.1`);
    const halves = '--route 0.0.0.0 128.0.0.0 --route 128.0.0.0 128.0.0.0';
    await start(host, { ...openvpn, command: `${openvpn.command} ${halves}` });
    await host.until('the halves', 'ip route get 198.41.0.4 | grep -q tun0');
    const watch = await Watch.begin(test, host, [uplink]);
    await host.stop('openvpn', 'SIGKILL');
    await host.until('the end of the interface', '! ip link show tun0 2>/dev/null');
    await watch.noOutage(test);
    assert.deepEqual(
      watch.reports().map(({ state, interface: name }) => [state, name]),
      [['up', 'wan0']],
    );
    await host.sh('ip link del wan0');
    assert.equal((await watch.down(/interface_gone/)).reflex, 'reflex');
  });
});
