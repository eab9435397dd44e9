/** The picture that is kept, beside the whole one that is made anew: whatever happens, they say the same. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Policy } from '../../src/core/policy.js';
import { lastBootOf } from '../../src/report/last-boot.js';
import { Picture } from '../../src/report/picture.js';
import type { Seen } from '../../src/report/snapshot.js';
import { longestList, type ResourceView, type Snapshot } from '../../src/report/views.js';
import { policy, resource, sensor, World } from '../core/world.js';

const process = [sensor('process x')];
const services = (count: number) =>
  Array.from({ length: count }, (_, i) => resource(`s${i}`, { sensors: process }));
const policies: readonly Policy[] = [
  policy([resource('tcpip'), ...services(4)]),
  policy([...services(3), resource('wan'), resource('tcpip')]),
  policy([resource('s1', { sensors: process, needs: ['tcpip'] }), resource('tcpip')]),
];

/** What a broker has: told of what has changed, and of nothing else. */
class Broker {
  readonly picture: Picture;
  readonly resources = new Map<string, ResourceView>();

  constructor(readonly world: World) {
    const started = world.now();
    const lastBoot = lastBootOf([], world.now());
    const seen = (): Seen => ({
      state: world.state,
      history: world.history,
      now: world.now(),
      info: { node: 'gw', version: '1', started, policy: world.policy, journalFault: null, lastBoot },
    });
    this.picture = new Picture(seen);
  }

  /** @returns how many were told. */
  hear(): number {
    const ids = this.picture.takeChanged();
    for (const id of ids) {
      const view = this.picture.resource(id);
      if (view === null) this.resources.delete(id);
      else this.resources.set(id, view);
    }
    return ids.length;
  }
}

/** How long it may still take is said as of when it was told. */
function lasting(resources: Iterable<readonly [string, ResourceView]>) {
  const all = [...resources].map(([id, { reason: _, ...view }]) => [id, view] as const);
  return Object.fromEntries(all);
}

function agree({ picture, resources, world }: Broker): void {
  const whole: Snapshot = world.look();
  assert.deepEqual(lasting(resources), lasting(Object.entries(whole.resources)));
  const {
    resources: together,
    last_outage,
    uptime_24h_pct: _,
    uptime_30d_pct: __,
    ...overview
  } = picture.overview();
  for (const [key, value] of Object.entries(overview))
    assert.deepEqual(value, whole[key as keyof Snapshot], key);
  const { status, last_stack_outage } = whole;
  assert.deepEqual(picture.presence(), { status, last_stack_outage });
  assert.deepEqual(picture.together(), together);
  assert.equal(last_outage, whole.last_outage?.id ?? null);
  assert.deepEqual(picture.lastOutage(), whole.last_outage);
  const all = Object.entries(whole.resources);
  const down = all.filter(([, { state }]) => state !== 'up');
  assert.deepEqual([together.watched, together.up], [all.length, all.length - down.length]);
  assert.deepEqual(
    Object.entries(together.not_up),
    down.map(([id, { state }]) => [id, state]),
  );
  const network = all.filter(([, { role }]) => role === 'stack').map(([id]) => id);
  assert.deepEqual(Object.keys(together.network), network);
  assert.deepEqual(
    picture.watched().map(({ id }) => id),
    all.map(([id]) => id),
  );
}

const anId = fc.constantFrom('tcpip', 'wan', 's0', 's1', 's2', 's3');
const move = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('up' as const), id: anId }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('die' as const), id: anId }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('runEnds' as const), id: anId, code: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.constant({ do: 'wait' as const }) },
  fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 900, 400_000, 90_000_000) }),
  fc.record({
    do: fc.constant('pause' as const),
    id: fc.option(anId, { nil: undefined }),
    ms: fc.constantFrom(500, 300_000),
  }),
  fc.record({ do: fc.constant('resume' as const) }),
  fc.record({ do: fc.constant('reload' as const), to: fc.nat(policies.length - 1) }),
  fc.record({ do: fc.constant('set the clock' as const), ms: fc.constantFrom(-7_200_000, 5000) }),
);

describe('the picture that is kept', () => {
  it('says what the whole one says, from what has changed alone', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 40 }), moves => {
        const world = new World(policies[0]);
        const broker = new Broker(world);
        let commands = 0;
        const command = (action: 'pause' | 'resume', target?: string, forMs?: number) =>
          world.command({
            id: `c${commands++}`,
            action,
            press: false,
            ...(target !== undefined && { target }),
            ...(forMs !== undefined && { forMs }),
          });
        for (const one of moves) {
          const isWatched =
            'id' in one && one.id !== undefined && world.state.resources.get(one.id) !== undefined;
          if (one.do === 'up' && isWatched) world.up(one.id);
          if (one.do === 'die' && isWatched) world.die(one.id);
          if (one.do === 'runEnds' && isWatched) world.runEnds(one.code, one.id);
          if (one.do === 'wait') world.wait();
          if (one.do === 'pass') {
            world.advance(one.ms);
            world.input({ kind: 'tick' });
          }
          if (one.do === 'pause' && (one.id === undefined || isWatched)) command('pause', one.id, one.ms);
          if (one.do === 'resume') command('resume');
          if (one.do === 'reload') {
            world.policy = policies[one.to] as Policy;
            world.input({ kind: 'configure' });
          }
          if (one.do === 'set the clock') world.wallMs += one.ms;
          broker.hear();
          agree(broker);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('has the same list of what is watched after a reload that changes none of it', () => {
    const world = new World(policy([resource('tcpip'), ...services(4)]));
    const { picture } = new Broker(world);
    const before = picture.watched();
    world.policy = policy([resource('tcpip'), ...services(4)]);
    world.input({ kind: 'configure' });
    assert.equal(picture.watched(), before);
    world.policy = policy([resource('tcpip'), ...services(5)]);
    world.input({ kind: 'configure' });
    assert.equal(picture.watched().length, 6);
  });

  it('tells of one death among a thousand only that one, and of time that passes nothing', () => {
    const world = new World(policy(services(1000)));
    const broker = new Broker(world);
    assert.equal(broker.hear(), 1000);
    for (const { id } of world.policy.resources) world.up(id);
    assert.equal(broker.hear(), 1000);
    world.advance(3_600_000);
    world.input({ kind: 'tick' });
    assert.equal(broker.hear(), 0);
    world.die('s500');
    assert.equal(broker.hear(), 1);
    assert.deepEqual(broker.picture.overview().resources, {
      watched: 1000,
      up: 999,
      not_up: { s500: 'restarting' },
      network: {},
    });
  });

  it('has short lists where a thousand are down, and says of how many it does not tell', () => {
    const world = new World(
      policy(services(1000).map(one => ({ ...one, steps: [], rebootWhenFailed: false }))),
    );
    const broker = new Broker(world);
    for (const { id } of world.policy.resources) world.up(id);
    for (const { id } of world.policy.resources) world.die(id);
    const { held, problems, resources } = broker.picture.overview();
    assert.equal(held.length, longestList);
    assert.equal(problems.length, longestList + 1);
    assert.match(problems.at(-1) ?? '', /^and 980 more/);
    assert.equal(Object.keys(resources.not_up).length, longestList);
    assert.equal(resources.up, 0);
    assert.ok(JSON.stringify(broker.picture.overview()).length < 8000);
  });

  it('tells everything anew when the clock is set, and nothing when it is not', () => {
    const world = new World();
    const broker = new Broker(world);
    world.up();
    broker.hear();
    const before = broker.resources.get('tcpip')?.since ?? '';
    world.wallMs += 5000;
    assert.equal(broker.hear(), 1);
    const after = broker.resources.get('tcpip')?.since ?? '';
    assert.equal(Date.parse(after) - Date.parse(before), 5000);
    assert.equal(broker.hear(), 0);
  });

  it('counts the day anew when an outage is older than a day, not an hour later', () => {
    const world = new World();
    const broker = new Broker(world);
    world.up();
    world.die();
    world.recovers();
    world.advance(86_400_000 - 60_000);
    assert.equal(broker.picture.overview().outages_24h, 1);
    world.advance(60_000);
    assert.equal(broker.picture.overview().outages_24h, 0);
  });
});
