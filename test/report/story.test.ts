/** Stories, reboots and rehearsals: what can be told from a journal, whoever reads it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from '../../src/core/history.js';
import { type LastBoot, lastBootOf } from '../../src/report/last-boot.js';
import { findOutages, type Story, storyOf } from '../../src/report/story.js';
import { policy, resource, sensor, step, World } from '../core/world.js';

const minuteMs = 60_000;

function story(world: World, wanted: string): Story {
  const { outages } = new History(world.entries);
  const outage = findOutages(outages, wanted).at(-1);
  assert.ok(outage, wanted);
  return storyOf(world.entries, outage, 'network', world.history.seenFrom(world.now()));
}

/** Its script fails until the reboot is ordered. */
function toReboot(world: World): void {
  for (let turn = 0; turn < 100 && world.phase().name !== 'rebooting'; turn++) {
    const phase = world.phase();
    if (phase.name === 'restarting') world.runEnded(phase.running.run, 2, 'no such device');
    else world.wait();
  }
  assert.equal(world.phase().name, 'rebooting');
}

const ladder = [step('restart', { attempts: 2 }), step('driver', { attempts: 1 })];

describe('the story of an outage', () => {
  it('has its attempts with steps and output, its reboot, and true times over the boot', () => {
    const world = new World(policy([resource('tcpip', { steps: ladder })]));
    world.up();
    const began = new Date(world.wallMs).toISOString();
    world.die();
    toReboot(world);
    world.advance(70_000);
    world.restart('b0000002-boot');
    world.sensor('tcpip', 'absent', { sensor: 1 });
    world.advance(5000);
    world.up();
    const told = story(world, '1');
    assert.equal(told.outage.began_at, began);
    assert.equal(told.outage.outcome, 'recovered');
    assert.deepEqual(
      told.attempts.map(({ attempt, step, ended, output }) => [attempt, step, ended, output]),
      [
        [1, 'restart', 'failed with status 2', 'no such device'],
        [2, 'restart', 'failed with status 2', 'no such device'],
        [3, 'driver', 'failed with status 2', 'no such device'],
      ],
    );
    const [reboot] = told.reboots;
    assert.equal(told.reboots.length, 1);
    assert.equal(reboot?.took_s, 70);
    assert.deepEqual([reboot?.forced, reboot?.errors], [[], []]);
    assert.deepEqual(
      told.moments.map(({ after_s }) => after_s),
      told.moments.map(({ after_s }) => after_s).toSorted((a, b) => a - b),
    );
    assert.match(told.moments.at(0)?.text ?? '', /died: interface tap0 disappeared/);
    assert.match(told.moments.at(-1)?.text ?? '', /is back after/);
    assert.ok(told.moments.some(({ text }) => /the machine has rebooted in 1 min 10 s/.test(text)));
  });

  it('knows its root and what it took along, and leaves other stories out', () => {
    const dns = resource('dns', { needs: ['tcpip'], sensors: [sensor('process dnsmasq')] });
    const world = new World(policy([resource('tcpip'), dns]));
    world.up('tcpip');
    world.up('dns');
    world.die('tcpip');
    world.die('dns');
    world.up('tcpip');
    world.up('dns');
    const root = story(world, 'tcpip-1');
    const part = story(world, 'dns-1');
    assert.deepEqual(root.dependants, [part.outage.id]);
    assert.equal(part.outage.root, root.outage.id);
    assert.ok(root.moments.every(({ text }) => text.startsWith('tcpip')));
    assert.ok(part.moments.every(({ text }) => text.startsWith('dns')));
  });

  it('keeps the evidence of before and after, whole', () => {
    const world = new World();
    world.up();
    world.die();
    const common = { outage: world.outage(1), resource: 'tcpip', routes: [] };
    world.append({
      type: 'evidence',
      ...common,
      when: 'before',
      kernel: ['oom'],
      addresses: ['tap0 10.0.2.15/24'],
    });
    world.up();
    world.append({ type: 'evidence', ...common, when: 'after', kernel: [], addresses: [] });
    assert.deepEqual(
      story(world, '1').evidence.map(({ when, kernel }) => [when, kernel]),
      [
        ['before', ['oom']],
        ['after', []],
      ],
    );
  });

  it('is found by its id, by the end of it, and of several by the latest', () => {
    const world = new World(policy([resource('tcpip'), resource('wan')]));
    for (const id of ['tcpip', 'wan']) {
      world.up(id);
      world.die(id);
    }
    const { outages } = new History(world.entries);
    const found = (wanted: string): string[] => findOutages(outages, wanted).map(({ id }) => id);
    assert.deepEqual(found(world.outage(1, 'wan')), [world.outage(1, 'wan')]);
    assert.deepEqual(found('wan-1'), [world.outage(1, 'wan')]);
    assert.deepEqual(found('1'), [world.outage(1), world.outage(1, 'wan')]);
    assert.deepEqual(found('2'), []);
    assert.deepEqual(found('an-1'), []);
  });
});

describe('why the machine last rebooted', () => {
  const why = (world: World): LastBoot => lastBootOf(world.entries, world.now());
  const rebooted = (): World => {
    const world = new World(policy([resource('tcpip', { steps: ladder })]));
    world.up();
    world.die();
    toReboot(world);
    return world;
  };

  it('is unknown before there is a journal', () => {
    const { by, before } = lastBootOf([], new World().now());
    assert.deepEqual([by, before], ['unknown', null]);
  });

  it('sockmon: with its outage, its reason, and how long it took', () => {
    const world = rebooted();
    world.advance(70_000);
    world.restart('b0000002-boot');
    const { by, outage, command, reboot, pending } = why(world);
    assert.deepEqual([by, command, pending], ['sockmon', null, null]);
    assert.equal(outage, world.entries.find(entry => entry.type === 'outage_begin')?.outage);
    assert.match(reboot?.reason ?? '', /tcpip did not come back/);
    assert.equal(reboot?.took_s, 70);
  });

  it('sockmon, also before it has been started again', () => {
    const world = rebooted();
    const now = { ...world.now(), bootId: 'b0000002-boot', bootMs: 1000, wallMs: world.wallMs + minuteMs };
    const { by, reboot } = lastBootOf(world.entries, now);
    assert.equal(by, 'sockmon');
    assert.equal(reboot?.back_at, null);
  });

  it('a command: which one', () => {
    const world = new World();
    world.command({ id: 'press-1', action: 'reboot' });
    world.restart('b0000002-boot');
    assert.deepEqual([why(world).by, why(world).command], ['sockmon', 'press-1']);
  });

  it('somebody else, in order or not', () => {
    const world = rebooted();
    world.restart('b0000002-boot');
    world.append({ type: 'stop', reason: 'SIGTERM' });
    world.restart('b0000003-boot');
    assert.equal(why(world).by, 'other');
    assert.deepEqual([why(world).before?.orderly, why(world).before?.reason], [true, 'SIGTERM']);
    world.append({ type: 'start', version: '1', pid: 1, resources: [] });
    world.restart('b0000004-boot');
    assert.deepEqual([why(world).by, why(world).before?.orderly], ['other', false]);
  });

  it('an order that has not come yet is pending; one that failed for good is neither pending nor a reason', () => {
    const world = rebooted();
    assert.match(why(world).pending?.reason ?? '', /tcpip did not come back/);
    while (world.phase().name === 'rebooting') world.wait();
    assert.equal(why(world).pending, null);
    world.restart('b0000002-boot');
    assert.equal(why(world).by, 'other');
  });
});
