/** The link and stack sensors of the real addon, each test in a network namespace of its own. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { SensorReport, SensorSpec } from '../../native/index.js';
import { until } from '../lab/wait.js';
import { shell } from './helpers.js';
import { needs, needsNetworkNamespaces } from './needs.js';
import { Netns } from './netns.js';

const skip = needsNetworkNamespaces();
const skipFilter = skip || needs('nft', ['--version']);
const named: SensorSpec = { kind: 'link', interface: 'up0', defaultRoute: true };
const any: SensorSpec = { kind: 'uplink' };

/** up0 with an address; its carrier can be taken away at peer0. */
const link =
  'ip link add up0 type veth peer name peer0; ip addr add 10.0.0.2/24 dev up0; ip link set peer0 up; ip link set up0 up';
const route = 'ip route add default via 10.0.0.1 dev up0';

/** At rest: no late word of a carrier, or of an IPv6 address, comes between a loss and its reason. */
async function networkOf(test: TestContext): Promise<Netns> {
  const netns = new Netns(test);
  await netns.sh(`off=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $off ] || echo 1 > $off
    ip link set lo up; ${link}; ${route}
    for name in up0 peer0; do until ip link show $name | grep -q 'state UP'; do sleep 0.01; done; done`);
  return netns;
}

const facts = ({ state, interface: name, carrier, addresses }: SensorReport) => ({
  state,
  name,
  carrier,
  addresses,
});

describe('a link', { skip }, () => {
  const losses: [string, string, string, string][] = [
    [
      'its address is removed',
      'ip addr del 10.0.0.2/24 dev up0',
      'no_address',
      `ip addr add 10.0.0.2/24 dev up0; ${route}`,
    ],
    ['its default route is removed', 'ip route del default', 'no_default_route', route],
    ['it is set down', 'ip link set up0 down', 'interface_down', `ip link set up0 up; ${route}`],
    ['it is deleted', 'ip link del up0', 'interface_gone', `${link}; ${route}`],
  ];
  for (const [what, loss, reason, repair] of losses) {
    for (const spec of [named, any]) {
      it(`is down when ${what}, and up when whole again (${spec.interface ?? 'any'})`, async test => {
        const netns = await networkOf(test);
        const [initial] = await netns.watch('r', [spec]);
        assert.deepEqual(facts(initial as SensorReport), {
          state: 'up',
          name: 'up0',
          carrier: true,
          addresses: ['10.0.0.2/24'],
        });
        await netns.sh(loss);
        const down = await netns.recorder.state('down');
        assert.deepEqual([down.reason, down.interface], [reason, 'up0']);
        await netns.sh(repair);
        const up = await netns.recorder.state('up');
        assert.deepEqual(facts(up), { state: 'up', name: 'up0', carrier: true, addresses: ['10.0.0.2/24'] });
        assert.equal(netns.recorder.all('sensor').length, 2);
      });
    }
  }

  it('that is absent at start comes up without having died', async test => {
    const netns = new Netns(test);
    const reports = await netns.watch('r', [named, any]);
    assert.deepEqual(
      reports.map(({ state }) => state),
      ['absent', 'absent'],
    );
    assert.ok(reports.every(({ detail }) => detail !== undefined));
    await netns.sh(link);
    await netns.sh(route);
    for (const sensor of [0, 1])
      await netns.recorder.next('sensor', event => event.sensor === sensor && event.state === 'up');
    assert.equal(netns.recorder.all('sensor').length, 2);
  });

  it('that loses its carrier is told, is no death, nor is what follows from it, until it is whole again', async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [named]);
    await netns.sh('ip link set peer0 down');
    assert.equal((await netns.recorder.state('up', 1)).carrier, false);
    await netns.sh('ip addr del 10.0.0.2/24 dev up0');
    await netns.sh('ip link set peer0 up');
    const waiting = await netns.recorder.state('up', 2);
    assert.deepEqual([waiting.carrier, waiting.detail], [true, 'waiting for address']);
    await netns.sh('ip addr add 10.0.0.2/24 dev up0');
    assert.equal((await netns.recorder.state('up', 3)).detail, 'waiting for default route');
    await netns.sh(route);
    assert.equal((await netns.recorder.state('up', 4)).detail, undefined);
    await netns.sh('ip addr del 10.0.0.2/24 dev up0');
    assert.equal((await netns.recorder.state('down')).reason, 'no_address');
  });

  it('without carrier still dies when the interface goes', async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [named]);
    await netns.sh('ip link set peer0 down');
    await netns.recorder.state('up');
    await netns.sh('ip link del up0');
    assert.equal((await netns.recorder.state('down')).reason, 'interface_gone');
  });

  it('dies of its carrier where that is asked for', async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [{ ...named, carrier: true }]);
    await netns.sh('ip link set peer0 down');
    assert.equal((await netns.recorder.state('down')).reason, 'no_carrier');
    await netns.sh('ip link set peer0 up');
    await netns.recorder.state('up');
  });

  it('of a LAN needs no default route where none is asked for', async test => {
    const netns = new Netns(test);
    await netns.sh(link);
    const [report] = await netns.watch('r', [{ ...named, defaultRoute: false }]);
    assert.equal(report?.state, 'up');
  });

  it('with a second default route lives on over the other interface', async test => {
    const netns = await networkOf(test);
    await netns.sh(
      'ip link add lte0 type veth peer name lte1; ip addr add 10.1.0.2/24 dev lte0; ip link set lte1 up; ip link set lte0 up',
    );
    await netns.sh('ip route add default via 10.1.0.1 dev lte0 metric 700');
    await netns.watch('r', [any, named]);
    await netns.sh('ip link del up0');
    const moved = await netns.recorder.next('sensor', event => event.sensor === 0);
    assert.deepEqual(facts(moved), { state: 'up', name: 'lte0', carrier: true, addresses: ['10.1.0.2/24'] });
    const down = await netns.recorder.next('sensor', event => event.sensor === 1);
    assert.equal(down.reason, 'interface_gone');
    await netns.sh('ip link del lte0');
    assert.equal(
      (await netns.recorder.next('sensor', event => event.sensor === 0, 2)).reason,
      'interface_gone',
    );
  });

  it('is judged by IPv4 where it has both, and by IPv6 alone where it has no other', async test => {
    const netns = await networkOf(test);
    await netns.sh('echo 0 > /proc/sys/net/ipv6/conf/up0/disable_ipv6');
    await netns.sh('ip -6 addr add fd00::2/64 dev up0 nodad; ip -6 route add default via fd00::1 dev up0');
    const [report] = await netns.watch('r', [any]);
    assert.deepEqual(report?.addresses, ['10.0.0.2/24', 'fd00::2/64']);
    await netns.sh('ip addr del 10.0.0.2/24 dev up0');
    assert.equal((await netns.recorder.state('down')).reason, 'no_address');
    assert.equal((await netns.watch('six', [any]))[0]?.state, 'up');
  });

  it('is not woken by a flood of routes to single networks, and sees what comes after it', async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [named]);
    const before = await netns.network();
    const batch = (verb: string) =>
      `i=0; while [ $i -lt 30000 ]; do echo "route ${verb} 10.$((i/65025%255)).$((i/255%255)).$((i%255))/32 dev up0"; i=$((i+1)); done | ip -batch -`;
    await netns.sh(batch('add'));
    const { messages, overflows } = await netns.network();
    // What the kernel says of IPv6 addresses may come meanwhile.
    assert.ok(messages - before.messages < 100, `${messages - before.messages} messages`);
    assert.equal(overflows, 0);
    await netns.sh('ip addr flush dev up0');
    // The routes go after the address: it can be read with the one and without the other.
    const { reason } = await netns.recorder.state('down');
    assert.ok(reason === 'no_address' || reason === 'no_default_route', reason);
    assert.equal((await netns.snapshot('r'))[0]?.state, 'down');
    assert.equal(netns.recorder.all('fault').length, 0);
  });

  it('sets off the reflex', async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [any, { kind: 'stack' }]);
    await netns.armReflex('r', shell('repair', `${link}; ${route}`));
    await netns.sh('ip link del up0');
    const down = await netns.recorder.state('down');
    assert.equal(down.reflex, 'repair');
    await netns.recorder.state('up');
    assert.deepEqual((await netns.recorder.ended('repair')).exit, { kind: 'exit', code: 0 });
  });
});

describe('the stack', { skip }, () => {
  it('is down when loopback is, and up again with it, told at once by the link', async test => {
    const netns = await networkOf(test);
    const [initial] = await netns.watch('r', [{ kind: 'stack', everyMs: 3_600_000 }]);
    assert.equal(initial?.state, 'up');
    await netns.sh('ip link set lo down');
    const down = await netns.recorder.state('down');
    assert.deepEqual([down.reason, down.detail], ['probe_failed', 'ENETUNREACH']);
    await netns.sh('ip link set lo up');
    await netns.recorder.state('up');
  });

  it('is alive while datagrams of either family pass, and down when neither do', {
    skip: skipFilter,
  }, async test => {
    const netns = await networkOf(test);
    await netns.watch('r', [{ kind: 'stack', everyMs: 20 }]);
    const drop = (family: string) =>
      netns.sh(
        `nft add table ${family} t; nft add chain ${family} t i '{ type filter hook input priority 0; }'; nft add rule ${family} t i iif lo counter drop`,
      );
    const droppedOver = async (family: string) =>
      Number(/packets (\d+)/.exec(await netns.sh(`nft list table ${family} t`))?.[1]);
    // Ten probes, of which two in a row would have been a death.
    await drop('ip');
    await until('probes over IPv4 to be dropped', async () => (await droppedOver('ip')) >= 10);
    assert.equal((await netns.snapshot('r'))[0]?.state, 'up');
    await drop('ip6');
    const down = await netns.recorder.state('down');
    assert.deepEqual([down.reason, down.detail], ['probe_failed', 'ETIMEDOUT']);
    await netns.sh('nft delete table ip t');
    await netns.recorder.state('up');
    // IPv6 is not even asked.
    const before = await droppedOver('ip6');
    await netns.snapshot('r');
    assert.equal(await droppedOver('ip6'), before);
    assert.equal(netns.recorder.all('sensor').filter(({ state }) => state === 'down').length, 1);
  });

  it('is alive where lo has IPv6 only', { skip: skipFilter }, async test => {
    const netns = await networkOf(test);
    await netns.sh('ip addr del 127.0.0.1/8 dev lo');
    const [report] = await netns.watch('r', [{ kind: 'stack', everyMs: 20 }]);
    assert.equal(report?.state, 'up');
    await netns.sh(
      "nft add table ip6 t; nft add chain ip6 t o '{ type filter hook output priority 0; policy drop; }'",
    );
    assert.equal((await netns.recorder.state('down')).detail, 'EPERM');
    await netns.sh('nft delete table ip6 t');
    await netns.recorder.state('up');
  });

  it('is down where lo has IPv4 only, when that does not pass', { skip: skipFilter }, async test => {
    const netns = await networkOf(test);
    await netns.sh('ip addr del ::1/128 dev lo');
    const [report] = await netns.watch('r', [{ kind: 'stack', everyMs: 20 }]);
    assert.equal(report?.state, 'up');
    await netns.sh(
      "nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; policy drop; }'",
    );
    assert.equal((await netns.recorder.state('down')).detail, 'ETIMEDOUT');
  });

  it('that does not answer at start is absent', async test => {
    const netns = new Netns(test);
    const [report] = await netns.watch('r', [{ kind: 'stack' }]);
    assert.deepEqual([report?.state, report?.detail], ['absent', 'ENETUNREACH']);
    await netns.sh('ip link set lo up');
    await netns.recorder.state('up');
  });
});
