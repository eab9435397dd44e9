/** What is down, and still served by a worker that it has left behind. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policy, resource, sensor, step, World } from './world.js';

const worker = 'pid 12 (nginx: worker process) at 0.0.0.0:80';
const web = resource('web', {
  sensors: [sensor('process nginx')],
  steps: [step('restart', { attempts: 2 })],
});

/** It has died, and its attempts are used up. */
function usedUp(servedBy?: string): World {
  const world = new World(policy([web]));
  world.up('web');
  world.sensor('web', 'down', servedBy === undefined ? {} : { servedBy });
  const failed = () => world.of('recovery_failed').length > 0;
  while (!failed()) {
    if (world.currentRun('web') === null) world.wait();
    else world.runEnds(1, 'web');
  }
  return world;
}

describe('what is down and still served by a worker', () => {
  it('is restarted as usual, and asks for no reboot when its attempts are used up', () => {
    const world = usedUp(worker);
    assert.equal(world.of('attempt').length, 2);
    assert.equal(world.of('recovery_failed')[0]?.next, 'stay_down');
    const phase = world.phase('web');
    assert.deepEqual([phase.name, phase.name === 'held' && phase.held.why], ['held', 'degraded']);
    assert.match(
      world.look().problems[0] ?? '',
      /^web is down and left alone: .*; degraded: its attempts are used up, and pid 12 .* still serves$/,
    );
    assert.deepEqual([world.did('reboot'), world.of('reboot_intent')], [[], []]);
    assert.ok((world.deadline() ?? 0) > world.bootMs, 'it is tried again later');
  });

  it('asks for it as soon as nobody serves any more', () => {
    const world = usedUp(worker);
    world.sensor('web', 'down');
    assert.equal(world.phase('web').name, 'rebooting');
    assert.equal(world.of('recovery_failed').length, 1, 'that is told once');
    assert.equal(world.did('reboot').length, 1);
  });

  it('is no reason to wait where that has ended before', () => {
    const world = usedUp();
    assert.equal(world.of('recovery_failed')[0]?.next, 'reboot');
    assert.equal(world.did('reboot').length, 1);
  });

  it('is over when it is back', () => {
    const world = usedUp(worker);
    world.up('web');
    assert.equal(world.of('outage_end')[0]?.outcome, 'recovered');
    assert.deepEqual(world.look().problems, []);
  });
});
