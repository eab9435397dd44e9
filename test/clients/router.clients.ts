/** IPv6 by the advertisements of a real router (radvd): what is renewed is no outage; a router that ends, or falls silent, is one. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { type Host, needsClients } from './host.js';
import { Line } from './line.js';
import { link, uplink, Watch } from './watch.js';

const skip = needsClients();

/** radvd advertises every 3 to 4 s, the fastest that it lets itself be told without mobile IP. */
const lifetimeS = 6;

async function advertise(provider: Host, prefix: string, more = ''): Promise<void> {
  await provider.sh(`echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
cat >radvd.conf <<'.'
interface isp0 {
  AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; AdvDefaultLifetime ${lifetimeS};
  prefix ${prefix} { AdvValidLifetime 3600; AdvPreferredLifetime 1800; };
  ${more}
};
.`);
  const isNew = !(await provider.is('test -e radvd.group && kill -0 "$(cat radvd.group)" 2>/dev/null'));
  if (isNew) await provider.start('radvd', 'radvd -n -C /run/radvd.conf -p /run/radvd.pid -m stderr -d 1');
  else await provider.sh('kill -HUP "$(cat radvd.group)"');
}

const prefixed = (gateway: Host, prefix: string): Promise<void> =>
  gateway.until(
    `an address of ${prefix}`,
    `ip -6 -o address show wan0 scope global -tentative | grep -q ' ${prefix}' && ip -6 route get 2001:503:ba3e::2:30 2>/dev/null | grep -q ' src ${prefix}'`,
  );

async function heard(gateway: Host, more: number): Promise<void> {
  const count = "awk '/Icmp6InRouterAdvertisements/ {print $2}' /proc/self/net/snmp6";
  const before = Number(await gateway.sh(count));
  await gateway.until(`${more} advertisements`, `test "$(${count})" -ge ${before + more}`);
}

async function alive(
  test: TestContext,
  more: { renewalMs?: number } = {},
): Promise<{ line: Line; watch: Watch }> {
  const line = await Line.open(test, 6);
  // Otherwise the kernel's own look for what has expired, every 30 s, may come in time and tell of it.
  await line.gateway.sh('echo 86400 >/proc/sys/net/ipv6/route/gc_interval');
  await advertise(line.provider, '2001:db8:7:7::/64');
  await prefixed(line.gateway, '2001:db8:7:7:');
  return { line, watch: await Watch.begin(test, line.gateway, [{ ...uplink, ...more }, link('wan0')]) };
}

describe('radvd', { skip, concurrency: 4 }, () => {
  it('advertises again and again, beyond the lifetime of each: no outage', async test => {
    const { line, watch } = await alive(test);
    await heard(line.gateway, 3);
    await watch.noOutage(test);
    assert.deepEqual(watch.reports(), [], 'nobody hears of it');
  });

  it('is started anew, so that its lifetime is 0 for a moment: no outage', async test => {
    const { line, watch } = await alive(test);
    await line.provider.stop('radvd');
    await watch.down('no_default_route');
    await advertise(line.provider, '2001:db8:7:7::/64');
    await prefixed(line.gateway, '2001:db8:7:7:');
    await watch.noOutage(test);
  });

  it('is given another prefix, and takes back the old one: no outage', async test => {
    const { line, watch } = await alive(test);
    await advertise(
      line.provider,
      '2001:db8:8:8::/64',
      'prefix 2001:db8:7:7::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 0; };',
    );
    await prefixed(line.gateway, '2001:db8:8:8:');
    await watch.noOutage(test);
  });

  it('ends, and says so by a lifetime of 0: an outage, until it is back', async test => {
    const { line, watch } = await alive(test, { renewalMs: 1000 });
    await line.provider.stop('radvd');
    const down = await watch.outage('no_default_route');
    await advertise(line.provider, '2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('is killed: an outage when the lifetime is over, of which the kernel tells nothing then', async test => {
    const { line, watch } = await alive(test, { renewalMs: 1000 });
    await line.provider.stop('radvd', 'SIGKILL');
    const down = await watch.outage('no_default_route');
    await advertise(line.provider, '2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('gives an address that somebody else has: no uplink, until there is another one', async test => {
    const line = await Line.open(test, 6);
    // Made of the hardware address, which so says what it will be.
    await line.gateway.sh(
      'ip link set wan0 down; ip link set wan0 address 02:00:00:00:00:07; ip link set wan0 up',
    );
    await line.provider.sh('ip address add 2001:db8:7:7:0:ff:fe00:7/64 dev isp0 nodad');
    await advertise(line.provider, '2001:db8:7:7::/64');
    // An address that was made of an advertisement and is refused is taken away again, and made anew at the next one.
    await heard(line.gateway, 2);
    const watch = await Watch.absent(test, line.gateway, uplink);
    await advertise(line.provider, '2001:db8:8:8::/64');
    await watch.appears();
  });
});
