/** The kernel's networking is locked up: from what the sensors say to the guard's door, and what ends it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { kernelLock, natureOf } from '../../src/core/cause.js';
import type { ResourcePolicy } from '../../src/core/policy.js';
import type { Evidence } from '../../src/core/ports.js';
import { causeWords } from '../../src/core/words.js';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const stackAndUplink = {
  sensors: [sensor('stack'), sensor('uplink')],
  steps: [step('restart', { attempts: 2 })],
  fallMs: null,
};

/** A network that lives and, where the test names one, a service that stands on it. */
function living(others: readonly ResourcePolicy[] = [], reboot: Parameters<typeof policy>[1] = {}): World {
  const world = new World(policy([resource('tcpip', stackAndUplink), ...others], reboot));
  for (const { id } of world.policy.resources) world.up(id);
  return world;
}

/** As the monitor tells it: all sensors of the network at once. */
function locks(world: World, id = 'tcpip'): void {
  for (const index of world.state.resources.get(id)?.sensors.keys() ?? [])
    world.sensor(id, 'down', { sensor: index, nature: 'broken', cause: kernelLock });
}

function until(world: World, name: string): void {
  for (let turns = 0; world.phase().name !== name; turns++) {
    assert.ok(turns < 200, `it is ${world.phase().name} and never ${name}`);
    if (world.currentRun() === null) world.wait();
    else hangs(world);
  }
}

/** A script that uses ip(8): it hangs, and not even SIGKILL ends it. */
function hangs(world: World): void {
  const run = world.currentRun();
  while (run !== null && world.currentRun() === run)
    assert.ok(world.wait(), 'it is waited for without an end');
}

const held = ['ip (pid 4711, in rtnl_lock)', 'kworker/0:1 (pid 7, in msleep)'];

function found(world: World, evidence: Partial<Evidence>): void {
  const nothing = { kernel: [], addresses: [], routes: [] };
  const outage = world.outage(1);
  world.input({
    kind: 'evidence',
    resource: 'tcpip',
    outage,
    when: 'before',
    evidence: { ...nothing, ...evidence },
  });
}

describe('a kernel whose networking is locked up', () => {
  it('is borne for three seconds, then dead in plain words', () => {
    const world = living();
    locks(world);
    assert.equal(world.phase().name, 'suspect');
    assert.equal(world.deadline(), world.bootMs + 3000);
    world.wait();
    const [outage] = world.of('outage_begin');
    assert.deepEqual(outage?.cause, kernelLock);
    assert.match(
      causeWords(kernelLock),
      /^the kernel's networking is locked up: .* hangs, as ip\(8\) does, while traffic may flow on$/,
    );
    assert.equal(natureOf(kernelLock), 'broken');
  });

  it('that lets go within them is a note, and nothing is restarted', () => {
    const world = living();
    locks(world);
    world.advance(2000);
    world.up();
    assert.equal(world.of('outage_begin').length, 0);
    assert.match(world.of('notice').at(-1)?.detail ?? '', /whole again after 2.0 s: the kernel's networking/);
    assert.equal(world.did('run').length, 0);
  });

  it('gets the attempts of its ladder, each ended at its time, then the ways of rebooting, the forced ones last', () => {
    const world = living();
    locks(world);
    const diedMs = world.bootMs;
    until(world, 'rebooting');
    assert.equal(world.of('attempt').length, 2);
    assert.deepEqual(
      world.of('attempt_end').map(({ result }) => result.kind),
      ['timeout', 'timeout'],
    );
    assert.ok(world.bootMs - diedMs >= 2 * minuteMs);
    assert.match(
      world.of('reboot_intent')[0]?.reason ?? '',
      /^tcpip did not come back: the kernel's networking is locked up: .* 2 attempts failed$/,
    );
    until(world, 'held');
    assert.deepEqual(
      world.did('reboot').map(({ level }) => level),
      ['command', 'force', 'kernel'],
    );
  });

  it('is rebooted for only within the budget, and only where the owner allows it', () => {
    for (const [reboot, code] of [
      [{ allowed: false }, 'not_allowed'],
      [{ budget: { max: 0, perMs: minuteMs } }, 'budget_exhausted'],
      [{ minUptimeMs: 24 * 60 * minuteMs }, 'uptime_floor'],
    ] as const) {
      const world = living([], reboot);
      locks(world);
      until(world, 'held');
      assert.equal(world.of('reboot_refused')[0]?.code, code);
      assert.equal(world.did('reboot').length, 0);
    }
  });

  it('that lets go ends the outage, and a reboot that has not come is not forced', () => {
    const world = living();
    locks(world);
    until(world, 'rebooting');
    world.up();
    assert.equal(world.of('outage_end')[0]?.outcome, 'recovered');
    while (world.wait());
    assert.deepEqual(
      world.did('reboot').map(({ level }) => level),
      ['command'],
    );
  });

  it('is no death of a service: what it has of the network it still has', () => {
    const world = living([resource('vpn', { role: 'service', sensors: [sensor('link wg0')], fallMs: null })]);
    locks(world, 'vpn');
    assert.equal(world.phase('vpn').name, 'up');
    locks(world);
    world.wait();
    assert.equal(world.phase('vpn').name, 'up');
    assert.deepEqual(
      world.of('outage_begin').map(({ resource: id }) => id),
      ['tcpip'],
    );
  });

  it('that has not been seen alive is one as well: a driver that hangs at boot', () => {
    const world = new World(policy([resource('tcpip', stackAndUplink)]));
    world.sensor('tcpip', 'up');
    locks(world);
    world.wait();
    assert.deepEqual(world.of('outage_begin')[0]?.cause, kernelLock);
  });

  it('explains an outage that has begun otherwise, whenever it is seen', () => {
    const world = living();
    const gone = { kind: 'link', what: 'interface_down', interface: 'eth0' } as const;
    world.sensor('tcpip', 'down', { sensor: 1, nature: 'gone', cause: gone });
    until(world, 'restarting');
    world.advance(minuteMs / 2);
    world.sensor('tcpip', 'down', { nature: 'broken', cause: kernelLock });
    const [learned] = world.of('outage_cause');
    assert.ok(learned);
    assert.match(
      causeWords(learned.cause),
      /locked up: .* \(it began with: interface eth0 was taken down\)$/,
    );
    // Who is behind it is looked for then.
    assert.equal(world.did('collect').filter(({ when }) => when === 'before').length, 2);
    world.sensor('tcpip', 'down', { nature: 'broken', cause: kernelLock });
    assert.equal(world.of('outage_cause').length, 1);
  });

  it('names the tasks that the kernel holds, once they are found', () => {
    const world = living();
    locks(world);
    world.wait();
    const [wanted] = world.did('collect').filter(({ when }) => when === 'before');
    assert.ok(wanted !== undefined && wanted.when !== 'alive' && wanted.held);
    found(world, { held: ['(they cannot be listed)'] });
    assert.equal(world.of('outage_cause').length, 0);
    found(world, { held });
    found(world, { held, kernel: ['INFO: task ip:4711 blocked for more than 120 seconds.'] });
    const causes = world.of('outage_cause');
    assert.equal(causes.length, 1);
    assert.ok(causes[0]);
    assert.match(
      causeWords(causes[0].cause),
      /flow on\. The kernel holds ip \(pid 4711, in rtnl_lock\), kworker\/0:1 \(pid 7, in msleep\)$/,
    );
    assert.deepEqual(world.of('evidence').at(-1)?.held, held);
    const more = Array.from({ length: 6 }, (_, n) => `ip (pid ${n})`);
    found(world, { held: more });
    assert.match(
      causeWords(world.of('outage_cause').at(-1)?.cause ?? kernelLock),
      /holds ip \(pid 0\), ip \(pid 1\), ip \(pid 2\), ip \(pid 3\) and 2 more$/,
    );
  });

  it('looks for no such tasks at another death', () => {
    const world = living();
    world.sensor('tcpip', 'down', { nature: 'broken', cause: { kind: 'probe', error: 'ETIMEDOUT' } });
    world.wait();
    for (const effect of world.did('collect')) assert.ok(effect.when === 'alive' || !effect.held);
  });
});
