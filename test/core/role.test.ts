/** The network and a service die in the same way: what is told of it, and what is asked for, differs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ResourcePolicy, Role } from '../../src/core/policy.js';
import { policy, resource, sensor, step, World } from './world.js';

/** A VPN's interface beside the network itself. */
function house(role: Role, more: Partial<ResourcePolicy> = {}): World {
  const vpn = resource('vpn', {
    role,
    sensors: [sensor('link wg0')],
    steps: [step('restart', { attempts: 1 })],
    rebootWhenFailed: role === 'network',
    ...more,
  });
  const world = new World(policy([resource('tcpip'), vpn]));
  world.up('tcpip');
  world.sensor('vpn', 'up', { carrier: true, interface: 'wg0' });
  return world;
}

const network = (world: World): string[] => world.did('network').map(({ state }) => state);

describe('a VPN that is a service', () => {
  it('leaves the network alive, the connection alone and the time without network uncounted', () => {
    const world = house('service');
    world.die('vpn');
    world.advance(10_000);
    const during = world.look();
    assert.deepEqual([during.status, during.resources.vpn?.role], ['online', 'service']);
    world.up('vpn');
    world.advance(3_600_000);
    const after = world.look();
    assert.deepEqual([after.outages_total, after.last_outage?.role], [1, 'service']);
    assert.equal(after.last_stack_outage, null);
    assert.equal(after.uptime_24h_pct, 100);
    assert.deepEqual(network(world), []);
  });

  it('asks for no reboot when its attempts are used up', () => {
    const world = house('service');
    world.die('vpn');
    world.fails(world.bootMs + 3_600_000, 'vpn');
    assert.equal(world.of('recovery_failed').length, 1);
    assert.deepEqual([world.of('reboot_intent'), world.of('reboot_refused')], [[], []]);
  });

  it('asks for one where the owner wants it', () => {
    const world = house('service', { rebootWhenFailed: true });
    world.die('vpn');
    world.fails(world.bootMs + 3_600_000, 'vpn');
    assert.equal(world.of('reboot_intent').length, 1);
  });

  it('does not shake the connection by its carrier or by a commanded restart', () => {
    const world = house('service');
    world.sensor('vpn', 'up', { carrier: false, interface: 'wg0' });
    world.sensor('vpn', 'up', { carrier: true, interface: 'wg0' });
    world.sensor('vpn', 'up', { carrier: true, interface: 'wg1' });
    world.command({ action: 'restart', target: 'vpn', press: false });
    world.runEnds(0, 'vpn');
    world.up('vpn');
    assert.deepEqual(
      world.of('notice').map(({ what }) => what),
      ['carrier_lost', 'carrier_back', 'route_moved'],
    );
    assert.deepEqual(network(world), []);
  });

  it('has its role in the journal', () => {
    const world = house('service');
    world.die('vpn');
    world.die('tcpip');
    assert.deepEqual(
      world.of('outage_begin').map(({ resource, role }) => `${resource} ${role}`),
      ['vpn service', 'tcpip network'],
    );
  });
});

describe('two resources that are the network', () => {
  it('have to live both', () => {
    const world = house('network');
    world.die('vpn');
    assert.equal(world.look().status, 'recovering');
    world.die('tcpip');
    world.up('vpn');
    assert.equal(world.look().status, 'recovering');
    world.up('tcpip');
    assert.equal(world.look().status, 'online');
    assert.equal(world.look().last_stack_outage, world.outage(1));
  });

  it('each let the connection be looked at when they go and come, and ask for a reboot', () => {
    const world = house('network');
    world.sensor('vpn', 'up', { carrier: false, interface: 'wg0' });
    world.sensor('vpn', 'up', { carrier: true, interface: 'wg0' });
    world.die('vpn');
    assert.deepEqual(network(world), ['back', 'lost']);
    world.fails(world.bootMs + 3_600_000, 'vpn');
    assert.equal(world.of('reboot_intent').length, 1);
  });
});

it('a role is taken up by a reload that keeps watching', () => {
  const world = house('network');
  world.die('vpn');
  assert.equal(world.look().status, 'recovering');
  const { resources } = world.policy;
  world.policy = policy(resources.map(one => (one.id === 'vpn' ? { ...one, role: 'service' } : one)));
  const effects = world.input({ kind: 'configure' });
  assert.ok(!effects.some(effect => effect.do === 'watch' || effect.do === 'unwatch'));
  assert.equal(world.look().status, 'online');
});
