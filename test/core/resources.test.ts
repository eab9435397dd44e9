import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policy, resource, sensor, World } from './world.js';

/** `wan`, and so many services; the first of them needs `wan`. */
function world(services: number): World {
  const names = Array.from({ length: services }, (_, i) => `service${i}`);
  const world = new World(
    policy([
      resource('wan'),
      ...names.map((id, i) =>
        resource(id, { sensors: [sensor(`process ${id}`)], ...(i === 0 && { needs: ['wan'] }) }),
      ),
    ]),
  );
  for (const id of ['wan', ...names]) world.up(id);
  // What a look has changed is looked at once more.
  world.input();
  return world;
}

/** What a review would look at now. */
function touched(world: World): string[] {
  const found = world.state.resources.takeTouched(world.bootMs);
  for (const id of found) world.state.resources.touch(id);
  return found;
}

describe('the resources', () => {
  it('are looked at again only where something has happened to them', () => {
    const quiet = world(100);
    assert.deepEqual(touched(quiet), []);
    quiet.step({ ...quiet.report('service7', 'down') });
    assert.deepEqual(touched(quiet), ['service7']);
    quiet.input();
    quiet.input();
    assert.deepEqual(touched(quiet), []);
  });

  it('are looked at where what they need has died, and where a pause has begun', () => {
    const quiet = world(3);
    quiet.step({ ...quiet.report('wan', 'down', { sensor: 0 }) });
    assert.deepEqual(touched(quiet), ['wan', 'service0']);
    const paused = world(3);
    paused.command({ id: 'p', action: 'pause', forMs: 60_000, press: false, origin: 'control' });
    assert.equal(paused.did('arm').filter(({ run }) => run === null).length >= 4, true, 'none stays armed');
  });

  it('know whose run a run is, until it is over', () => {
    const one = world(2);
    one.sensor('service1', 'down');
    const run = one.currentRun('service1');
    assert.ok(run !== null);
    assert.equal(one.state.resources.ownerOf(run), 'service1');
    one.up('service1');
    one.runEnded(run, 0);
    assert.equal(one.state.resources.ownerOf(run), undefined);
  });
});
