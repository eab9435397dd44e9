/** An uplink by what its owner chooses: one routing table among several, and either family. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorReport, SensorSpec } from '../../native/index.js';
import { needsNetworkNamespaces } from './needs.js';
import type { Netns } from './netns.js';
import { networkOf, route, veth, wan0, wwan0 } from './networks.js';

const skip = needsNetworkNamespaces();
const byTable: SensorSpec = { kind: 'uplink', table: '201' };
const inTable = 'ip route add default via 10.0.0.1 table 201';
const rule = 'ip rule add priority 100 from 10.0.0.0/24 lookup 201';

describe('the uplink of a table', { skip }, () => {
  it('is absent until a rule leads to it and it leads out, and then read', async test => {
    const netns = await networkOf(test, `${wan0}; ${route}; ${inTable}`);
    const [before] = await netns.watch('r', [byTable]);
    assert.deepEqual(
      [before?.state, before?.detail],
      ['absent', 'no rule leads to a default route in routing table 201'],
    );
    // Its routes were there before anybody had a reason to read them.
    await netns.sh(rule);
    assert.equal((await netns.recorder.state('up')).interface, 'wan0');
  });

  it('is said to be unknown by a name that no file has', async test => {
    const netns = await networkOf(test, `${wan0}; ${route}`);
    const [report] = await netns.watch('r', [{ kind: 'uplink', table: 'no-such-table' }]);
    assert.match(report?.detail ?? '', /^there is no routing table no-such-table /);
    const [main] = await netns.watch('main', [{ kind: 'uplink', table: 'main' }]);
    assert.deepEqual([main?.state, main?.interface], ['up', 'wan0']);
  });

  it('hears nothing of other tables, of another rule to it, and of routes within it to single networks', async test => {
    const netns = await networkOf(
      test,
      `${wan0}; ${wwan0}; ${rule}; ${inTable}; ip route add default via 10.1.0.1`,
    );
    await netns.watch('r', [byTable]);
    await netns.sh(`ip route del default; ip route add unreachable default; ip link del wwan0
      ip rule add priority 99 fwmark 7 lookup 201; ip rule del priority 100
      ip route add 172.16.0.0/12 via 10.0.0.9 table 201; ip route replace default via 10.0.0.1 table 201`);
    assert.equal((await netns.snapshot('r'))[0]?.state, 'up');
    await netns.sh('ip link del wan0');
    await netns.recorder.state('down');
    assert.deepEqual(
      netns.recorder.all('sensor').map(({ state }) => state),
      ['down'],
    );
  });

  it('moves to the next route of the table when the first is gone', async test => {
    const netns = await networkOf(
      test,
      `${wan0}; ${wwan0}; ${rule}; ${inTable}; ip route add default via 10.1.0.1 table 201 metric 700`,
    );
    const [alive] = await netns.watch('r', [byTable]);
    assert.deepEqual([alive?.interface, alive?.standby], ['wan0', ['wwan0']]);
    await netns.sh('ip link del wan0');
    assert.equal((await netns.recorder.state('up')).interface, 'wwan0');
  });
});

const v6 = 'ip addr add 2001:db8::2/64 dev wan0 nodad; ip -6 route add default via fe80::1 dev wan0';
const dual = `${wan0}; ${route}; ${v6}`;
const either: SensorSpec = { kind: 'uplink', families: 'any', renewalMs: 200 };

/** What was told, without what has said nothing new. */
const told = ({ recorder }: Netns): unknown[] =>
  recorder.all('sensor').map(({ state, families }: SensorReport) => [state, families]);

describe('an uplink by either family', { skip }, () => {
  for (const [lost, kept, loss, back] of [
    ['IPv6', 'IPv4', 'ip -6 route del default', 'ip -6 route add default via fe80::1 dev wan0'],
    ['IPv4', 'IPv6', 'ip route del default', route],
  ])
    it(`tells the loss of ${lost} and its return, and is up all the time`, async test => {
      const netns = await networkOf(test, dual, 6);
      const [alive] = await netns.watch('r', [either]);
      assert.deepEqual([alive?.state, alive?.families], ['up', ['IPv4', 'IPv6']]);
      await netns.sh(loss ?? '');
      await netns.recorder.next('sensor', ({ families }) => families?.length === 1);
      await netns.sh(back ?? '');
      await netns.recorder.next('sensor', ({ families }) => families?.length === 2);
      const all = told(netns);
      assert.deepEqual(all, [
        ['up', [kept]],
        ['up', ['IPv4', 'IPv6']],
      ]);
    });

  it('dies with the second one, and tells after that which is still missing', async test => {
    const netns = await networkOf(test, dual, 6);
    await netns.watch('r', [either]);
    await netns.sh('ip route del default; ip -6 route del default');
    assert.equal((await netns.recorder.state('down')).reason, 'no_default_route');
    await netns.sh(route);
    await netns.recorder.next(
      'sensor',
      ({ state, families }) => state === 'up' && families?.join() === 'IPv4',
    );
  });

  it('tells nothing of a family that is away for a moment, and of what a pulled cable takes away', async test => {
    const netns = await networkOf(test, `${dual}; ${veth('lan0')}; ip addr add 10.2.0.2/24 dev lan0`, 6);
    await netns.watch('r', [{ ...either, renewalMs: 2000 }]);
    await netns.sh(`printf 'route del default\\nroute add default via fe80::1 dev wan0\\n' | ip -6 -batch -`);
    await netns.sh('ip link set far-wan0 down');
    await netns.recorder.next('sensor', ({ carrier }) => carrier === false);
    await netns.sh('ip -6 route del default; ip route add default via 10.2.0.1 metric 700');
    // Told at the same look that would tell of a family.
    await netns.recorder.next('sensor', ({ standby = [] }) => standby.length === 1);
    for (const report of netns.recorder.all('sensor'))
      assert.deepEqual(report.families, ['IPv4', 'IPv6'], JSON.stringify(report));
  });

  it('asks for none where both have to live, or one alone', async test => {
    const netns = await networkOf(test, dual, 6);
    for (const families of ['auto', 'all', '4', '6']) {
      const [alive] = await netns.watch(families, [{ kind: 'uplink', families }]);
      assert.deepEqual([alive?.state, alive?.families], ['up', undefined]);
    }
  });
});
