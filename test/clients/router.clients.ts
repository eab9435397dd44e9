/** IPv6 by the advertisements of a real router (radvd): what is renewed is no outage; a router that ends, or falls silent, is one. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { needsClients } from './host.js';
import { Line } from './line.js';
import { link, uplink, Watch } from './watch.js';

const skip = needsClients();

async function alive(
  test: TestContext,
  more: { renewalMs?: number } = {},
): Promise<{ line: Line; watch: Watch }> {
  const line = await Line.open(test, 6);
  // Otherwise the kernel's own look for what has expired, every 30 s, may come in time and tell of it.
  await line.gateway.sh('echo 86400 >/proc/sys/net/ipv6/route/gc_interval');
  await line.advertise('2001:db8:7:7::/64');
  await line.prefixed('2001:db8:7:7:');
  return { line, watch: await Watch.begin(test, line.gateway, [{ ...uplink, ...more }, link('wan0')]) };
}

describe('radvd', { skip, concurrency: 4 }, () => {
  it('advertises again and again, beyond the lifetime of each: no outage', async test => {
    const { line, watch } = await alive(test);
    await line.heard(3);
    await watch.noOutage(test);
    assert.deepEqual(watch.reports(), [], 'nobody hears of it');
  });

  it('is started anew, so that its lifetime is 0 for a moment: no outage', async test => {
    const { line, watch } = await alive(test);
    await line.provider.stop('radvd');
    await watch.down(/no_default_route/);
    await line.advertise('2001:db8:7:7::/64');
    await line.prefixed('2001:db8:7:7:');
    await watch.noOutage(test);
  });

  it('is given another prefix, and takes back the old one: no outage', async test => {
    const { line, watch } = await alive(test);
    await line.advertise(
      '2001:db8:8:8::/64',
      'prefix 2001:db8:7:7::/64 { AdvValidLifetime 3600; AdvPreferredLifetime 0; };',
    );
    await line.prefixed('2001:db8:8:8:');
    await watch.noOutage(test);
  });

  it('ends, and says so by a lifetime of 0: an outage, until it is back', async test => {
    const { line, watch } = await alive(test, { renewalMs: 1000 });
    await line.provider.stop('radvd');
    const down = await watch.outage(/no_default_route/);
    await line.advertise('2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('is killed: an outage when the lifetime is over, of which the kernel tells nothing then', async test => {
    const { line, watch } = await alive(test, { renewalMs: 1000 });
    await line.provider.stop('radvd', 'SIGKILL');
    const down = await watch.outage(/no_default_route/);
    await line.advertise('2001:db8:7:7::/64');
    await watch.up(down);
  });

  it('gives an address that somebody else has: no uplink, until there is another one', async test => {
    const line = await Line.open(test, 6);
    // Made of the hardware address, which so says what it will be.
    await line.gateway.sh(
      'ip link set wan0 down; ip link set wan0 address 02:00:00:00:00:07; ip link set wan0 up',
    );
    await line.provider.sh('ip address add 2001:db8:7:7:0:ff:fe00:7/64 dev isp0 nodad');
    await line.advertise('2001:db8:7:7::/64');
    // An address that was made of an advertisement and is refused is taken away again, and made anew at the next one.
    await line.heard(2);
    const watch = await Watch.absent(test, line.gateway, uplink);
    await line.advertise('2001:db8:8:8::/64');
    await watch.appears();
  });
});
