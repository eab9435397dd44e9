/** A datagram over loopback fails: beside a network that carries traffic, and beside one that is dead as well. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SensorInput } from '../../src/core/input.js';
import type { ResourcePolicy } from '../../src/core/policy.js';
import { causeWords } from '../../src/core/words.js';
import { factsOf } from '../../src/rehearsal/recording.js';
import { rehearse } from '../../src/rehearsal/rehearse.js';
import { policy, resource, sensor, step, World } from './world.js';

const inet = 'nftables table inet f, chain i: policy drop';
const beside = 'while eth0 carries traffic';
const probably = 'probably a packet filter that drops loopback';

const stackAndUplink = {
  sensors: [sensor('stack'), sensor('uplink')],
  steps: [step('restart', { attempts: 2 })],
};

/** The network as it lives, traffic by eth0. */
function living(overrides: Partial<ResourcePolicy> = {}, others: readonly ResourcePolicy[] = []): World {
  const world = new World(policy([resource('tcpip', { ...stackAndUplink, ...overrides }), ...others]));
  for (const { id, sensors } of world.policy.resources)
    for (const [index, { proves }] of sensors.entries())
      world.sensor(id, 'up', proves === 'traffic' ? { sensor: index, ...traffic } : { sensor: index });
  return world;
}

const traffic = { interface: 'eth0', carrier: true, standby: [] };
const gone = { kind: 'link', what: 'interface_gone', interface: 'eth0' } as const;

function drops(world: World, error = 'ETIMEDOUT'): void {
  world.sensor('tcpip', 'down', { nature: 'broken', cause: { kind: 'probe', error } });
}

function uplink(world: World, state: SensorInput['state'], more: Partial<SensorInput> = {}): void {
  const cause = state === 'down' ? gone : null;
  world.sensor('tcpip', state, {
    sensor: 1,
    ...traffic,
    nature: state === 'down' ? 'gone' : null,
    cause,
    ...more,
  });
}

/** Its attempts are used up. */
function givenUp(world: World): void {
  const before = world.of('recovery_failed').length;
  for (let turns = 0; world.of('recovery_failed').length === before; turns++) {
    assert.ok(turns < 100, 'it is never given up');
    if (world.currentRun() === null) world.wait();
    else world.runEnds(1);
  }
}

/** Of the outage, as it is told last. */
const told = (world: World): string => world.look().last_outage?.cause ?? causeOf(world);
function causeOf(world: World): string {
  const phase = world.phase();
  return 'outage' in phase ? causeWords(phase.outage.cause) : '';
}

describe('no datagram passes over loopback', () => {
  it('is told as a packet filter while the uplink carries traffic', () => {
    const world = living();
    drops(world);
    assert.equal(causeOf(world), `no datagram passes over loopback (ETIMEDOUT), ${beside}: ${probably}`);
  });

  it('is told as before when the uplink is dead, was never there, or has no carrier', () => {
    const bare = 'no datagram passes over loopback (ETIMEDOUT)';
    for (const make of [
      () => {
        const world = living({ fallMs: 1000 });
        uplink(world, 'down');
        return world;
      },
      () => living({ sensors: [sensor('stack')] }),
      () => {
        const world = living();
        uplink(world, 'up', { carrier: false });
        return world;
      },
    ]) {
      const world = make();
      drops(world);
      while (world.phase().name === 'suspect' && world.wait());
      assert.ok(!causeOf(world).includes(beside), causeOf(world));
    }
    const world = living({ sensors: [sensor('stack')] });
    drops(world);
    assert.equal(causeOf(world), bare);
  });

  it('is not put down to a filter when the kernel says that loopback itself is down', () => {
    const world = living();
    drops(world, 'ENETUNREACH');
    assert.match(causeOf(world), /while eth0 carries traffic: so it is the loopback interface alone$/);
  });

  it('is judged by the uplink of another resource where its own has none', () => {
    const wan = resource('wan', { sensors: [sensor('uplink')] });
    const world = living({ sensors: [sensor('stack')] }, [wan]);
    drops(world);
    assert.match(causeOf(world), new RegExp(`${beside}: ${probably}$`));
  });

  it('is not judged by the interface of a service', () => {
    const vpn = resource('vpn', { role: 'service', sensors: [sensor('link wg0')] });
    const world = living({ sensors: [sensor('stack')] }, [vpn]);
    drops(world);
    assert.ok(!causeOf(world).includes('carries'), causeOf(world));
  });

  it('needs all interfaces: a LAN that lives beside a dead uplink proves nothing', () => {
    const sensors = [sensor('stack'), sensor('uplink'), sensor('link br0')];
    const world = living({ sensors, fallMs: 1000 });
    uplink(world, 'down');
    drops(world);
    while (world.phase().name === 'suspect' && world.wait());
    assert.ok(!causeOf(world).includes('carries'), causeOf(world));
  });

  it('needs all of other resources too', () => {
    const wan = resource('wan', { sensors: [sensor('uplink')] });
    const lan = resource('lan', { sensors: [sensor('link br0')] });
    const world = living({ sensors: [sensor('stack')] }, [lan, wan]);
    world.sensor('wan', 'down', { cause: gone, nature: 'gone' });
    drops(world);
    assert.ok(!causeOf(world).includes('carries'), causeOf(world));
  });

  it('is judged anew when it counts as a death: the network may have died meanwhile', () => {
    const world = living({ fallMs: 3000 });
    drops(world);
    world.advance(2000);
    uplink(world, 'down');
    while (world.phase().name === 'suspect' && world.wait());
    assert.ok(!causeOf(world).includes('carries'), causeOf(world));
  });

  it('gives way to what the link says a moment later', () => {
    const world = living();
    drops(world);
    world.advance(20);
    uplink(world, 'down');
    assert.equal(causeOf(world), 'interface eth0 disappeared');
  });
});

describe('packet filters in the evidence', () => {
  const evidence = (filters?: string[]) => ({
    kernel: [],
    addresses: [],
    routes: [],
    ...(filters && { filters }),
  });
  const found = (world: World, filters?: string[]) =>
    world.input({
      kind: 'evidence',
      resource: 'tcpip',
      outage: world.outage(1),
      when: 'before',
      evidence: evidence(filters),
    });
  const collects = (world: World) => world.did('collect').filter(({ when }) => when !== 'alive');

  it('are looked for when datagrams do not pass, and at no other death', () => {
    const world = living();
    drops(world);
    assert.deepEqual(
      collects(world).map(effect => 'filters' in effect && effect.filters),
      [true],
    );
    const other = living();
    uplink(other, 'down');
    assert.deepEqual(
      collects(other).map(effect => 'filters' in effect),
      [false],
    );
  });

  it('are named by the cause from then on, and recorded', () => {
    const world = living();
    drops(world);
    found(world, [inet]);
    assert.equal(
      causeOf(world),
      `no datagram passes over loopback (ETIMEDOUT), ${beside}: ${probably} (${inet})`,
    );
    assert.equal(causeWords(world.of('outage_cause')[0]?.cause ?? { kind: 'unknown' }), causeOf(world));
    assert.deepEqual(world.of('evidence')[0]?.filters, [inet]);
    found(world, [inet]);
    assert.equal(world.of('outage_cause').length, 1, 'that is told once');
  });

  it('are named two at most', () => {
    const world = living();
    drops(world);
    found(world, ['a', 'b', 'c', 'd']);
    assert.match(causeOf(world), /\(a; b; and 2 more\)$/);
  });

  it('are not named when there are none, cannot be listed, or the network is dead as well', () => {
    for (const filters of [undefined, [], ['(nftables cannot be listed: spawn nft ENOENT)']]) {
      const world = living();
      drops(world);
      found(world, filters);
      assert.equal(world.of('outage_cause').length, 0);
    }
    const world = living({ sensors: [sensor('stack')] });
    drops(world);
    found(world, [inet]);
    assert.equal(world.of('outage_cause').length, 0);
    assert.deepEqual(world.of('evidence')[0]?.filters, [inet], 'they are evidence all the same');
  });
});

describe('a reboot for loopback', () => {
  it('is not asked for while the network carries traffic, and the reason is said', () => {
    const world = living();
    drops(world);
    givenUp(world);
    const phase = world.phase();
    assert.deepEqual([phase.name, phase.name === 'held' && phase.held.why], ['held', 'loopback_only']);
    const reason = 'no reboot is asked for, since eth0 carries traffic and loopback alone fails';
    assert.ok(world.look().problems[0]?.endsWith(reason), world.look().problems[0]);
    const [failed] = world.of('recovery_failed');
    assert.equal(failed?.next, 'stay_down');
    assert.ok(failed?.detail.endsWith(reason), failed?.detail);
    assert.deepEqual([world.did('reboot'), world.of('reboot_intent')], [[], []]);
    assert.ok((world.deadline() ?? 0) > world.bootMs, 'it is tried again later');
  });

  it('is not asked for either by a resource without a script, nor after a restart of sockmon', () => {
    const world = living({ steps: [] });
    drops(world);
    givenUp(world);
    assert.equal(world.did('reboot').length, 0);
    world.restart();
    world.sensor('tcpip', 'absent', { detail: 'ETIMEDOUT' });
    uplink(world, 'up');
    for (let turns = 0; turns < 20 && world.wait(); turns++);
    assert.equal(world.did('reboot').length, 0);
  });

  it('is asked for when the uplink is down as well', () => {
    const world = living();
    drops(world);
    uplink(world, 'down');
    givenUp(world);
    assert.equal(world.of('recovery_failed')[0]?.next, 'reboot');
    assert.equal(world.did('reboot').length, 1);
  });

  it('is asked for when the uplink dies later and an attempt of its own does not help', () => {
    const world = living();
    drops(world);
    givenUp(world);
    const tried = world.of('attempt').length;
    uplink(world, 'down');
    assert.deepEqual([world.phase().name, world.did('reboot').length], ['restarting', 0]);
    for (let turns = 0; world.did('reboot').length === 0 && turns < 20; turns++) {
      if (world.currentRun() === null) world.wait();
      else world.runEnds(1);
    }
    assert.equal(world.did('reboot').length, 1);
    assert.ok(world.of('attempt').length > tried);
    assert.ok(!world.of('reboot_intent')[0]?.reason.includes('carries traffic'), 'that is over');
  });

  it('is no nearer for a lease that is being renewed meanwhile', () => {
    const world = living({ fallMs: null });
    drops(world);
    givenUp(world);
    const cause = { kind: 'link', what: 'no_address', interface: 'eth0' } as const;
    uplink(world, 'down', { nature: 'unreachable', cause, grace: { ms: 5000, by: null } });
    assert.equal(world.phase().name, 'held');
    uplink(world, 'up');
    assert.deepEqual([world.phase().name, world.did('reboot').length], ['held', 0]);
  });

  it('is not asked for by a rehearsal of it either, and is by one of a dead network', () => {
    for (const [isAlone, reboots] of [
      [true, 0],
      [false, 1],
    ] as const) {
      const world = living({ rebootWhenFailed: false });
      drops(world);
      if (!isAlone) uplink(world, 'down');
      givenUp(world);
      world.advance(3_600_000);
      if (!isAlone) uplink(world, 'up');
      world.sensor('tcpip', 'up');
      const told = rehearse(factsOf(world.entries), policy([resource('tcpip', stackAndUplink)]));
      assert.equal(told.reboots, reboots);
    }
  });

  it('is over when datagrams pass again', () => {
    const world = living();
    drops(world);
    givenUp(world);
    world.sensor('tcpip', 'up');
    assert.equal(world.of('outage_end')[0]?.outcome, 'recovered');
    assert.equal(told(world), causeWords(world.of('outage_end')[0]?.cause ?? { kind: 'unknown' }));
  });
});
