import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Input } from '../../src/core/input.js';
import type { JournalEntry } from '../../src/core/records.js';
import { compact } from '../../src/journal/compaction.js';
import { policy, resource, World } from './world.js';

const dayMs = 86_400_000;

function found(
  world: World,
  when: 'before' | 'after',
  kernel: string[],
  address = 'tap0 10.0.2.100/24',
): void {
  const input: Input = {
    kind: 'evidence',
    resource: 'tcpip',
    outage: world.outage(1),
    when,
    evidence: { kernel, addresses: [address], routes: ['default via 10.0.2.2 dev tap0'] },
  };
  world.input(input);
}

const collected = (world: World): string[] =>
  world.did('collect').map(({ when, outage }) => `${when} ${outage}`);

const view = (world: World) => world.look().last_outage?.evidence;

describe('evidence', () => {
  it('is collected when a resource is seen alive, when it dies, and when it is back', () => {
    const world = new World();
    world.up();
    world.die();
    world.up();
    const outage = world.outage(1);
    assert.deepEqual(collected(world), ['alive null', `before ${outage}`, `after ${outage}`]);
  });

  it('is collected anew when the living have another address', () => {
    const world = new World();
    world.up();
    world.sensor('tcpip', 'up', { sensor: 1, detail: 'eth0 192.168.1.11' });
    world.sensor('tcpip', 'up', { sensor: 1, detail: 'eth0 192.168.1.11' });
    assert.deepEqual(collected(world), ['alive null', 'alive null']);
  });

  it('is collected once more before a reboot is asked for, which empties the log of the kernel', () => {
    const world = new World();
    world.up();
    world.die();
    while (world.phase().name !== 'rebooting') {
      const phase = world.phase();
      if (phase.name === 'restarting') world.runEnded(phase.running.run, 1);
      else world.wait();
    }
    assert.equal(collected(world).filter(words => words.startsWith('before')).length, 2);
  });

  it('is made up for when sockmon has ended before it was recorded, but not in another boot', () => {
    const world = new World();
    world.up();
    world.die();
    world.restart();
    assert.equal(collected(world).length, 3);
    found(world, 'before', []);
    world.restart();
    assert.equal(collected(world).length, 3);
    const other = new World();
    other.up();
    other.die();
    other.restart('another');
    assert.equal(collected(other).length, 2);
  });

  it('is recorded once, again when there is more, and not when there is none', () => {
    const world = new World();
    world.up();
    world.die();
    for (const kernel of [['a'], ['a'], ['a', 'b']]) found(world, 'before', kernel);
    assert.deepEqual(
      world.of('evidence').map(({ kernel }) => kernel),
      [['a'], ['a', 'b']],
    );
    const nothing = { kernel: [], addresses: [], routes: [] };
    const about = { kind: 'evidence', resource: 'tcpip', when: 'after', evidence: nothing } as const;
    world.input({ ...about, outage: world.outage(1) });
    world.input({ ...about, outage: 'nobody', evidence: { ...nothing, kernel: ['x'] } });
    assert.equal(world.of('evidence').length, 2);
  });

  it('is not collected for restarts that were asked for, nor for single deaths of a flapping resource', () => {
    const world = new World();
    world.up();
    world.command({ id: 'r', action: 'restart', target: 'tcpip', press: false });
    world.runEnds(0);
    assert.deepEqual(collected(world), ['alive null', 'alive null']);
    const flapping = new World(policy([resource('tcpip')]));
    flapping.up();
    for (let death = 0; death < 6; death++) {
      flapping.die();
      while (flapping.phase().name !== 'restarting') flapping.wait();
      flapping.recovers();
    }
    assert.equal(flapping.did('collect').filter(({ when }) => when === 'before').length, 4);
  });

  it('is told with the last outage, short', () => {
    const world = new World();
    world.up();
    world.die();
    found(world, 'before', ['1', '2', '3', '4', '5', '6']);
    world.up();
    found(world, 'after', ['7'], 'tap0 10.0.2.101/24');
    assert.deepEqual(view(world), {
      kernel: ['2', '3', '4', '5', '6'],
      addresses_before: ['tap0 10.0.2.100/24'],
      addresses_after: ['tap0 10.0.2.101/24'],
      routes_before: ['default via 10.0.2.2 dev tap0'],
      routes_after: null,
    });
  });

  it('is told in less than 4 KiB, whatever the kernel says', () => {
    const world = new World();
    world.up();
    world.die();
    const address = `${'\\'.repeat(15)} ${'2001:'.repeat(8)}/128`;
    const route = `${'2001:'.repeat(8)}/128 via ${'2001:'.repeat(8)} dev ${'\\'.repeat(15)} metric 4294967295`;
    const evidence = {
      kernel: Array(20).fill('"'.repeat(200)),
      addresses: Array(20).fill(address),
      routes: Array(20).fill(route),
    };
    for (const when of ['before', 'after'] as const)
      world.input({ kind: 'evidence', resource: 'tcpip', outage: world.outage(1), when, evidence });
    world.up();
    const bytes = Buffer.byteLength(JSON.stringify(view(world)));
    assert.ok(bytes < 4096, `${bytes} bytes`);
  });
});

describe('a journal that is compacted', () => {
  const at = (day: number) => ({ bootId: 'b-later', bootMs: 0, wallMs: day * dayMs, synced: true });

  function journal(days: readonly number[], outputChars = 100): JournalEntry[] {
    const world = new World();
    for (const age of days) {
      world.wallMs = age * dayMs;
      world.up();
      world.die();
      const { outage } = world.of('outage_begin').at(-1) ?? { outage: '' };
      const evidence = { kernel: ['eth0: Link is Down'], addresses: [], routes: [] };
      world.input({ kind: 'evidence', resource: 'tcpip', outage, when: 'before', evidence });
      world.runEnded(`${outage}#1`, 1, 'x'.repeat(outputChars));
      world.up();
      world.advance(dayMs);
      world.wallMs = (age + 1) * dayMs;
    }
    return world.entries;
  }

  it('loses evidence and output of outages older than 30 days, not their stories', () => {
    const entries = journal([0, 50]);
    const kept = compact(entries, at(51));
    assert.equal(kept.filter(({ type }) => type === 'evidence').length, 1);
    assert.deepEqual(
      kept.flatMap(entry => (entry.type === 'attempt_end' ? [entry.output?.length ?? 0] : [])),
      [0, 100],
    );
    for (const type of ['outage_begin', 'attempt', 'attempt_end', 'outage_end'])
      assert.equal(kept.filter(entry => entry.type === type).length, 2);
  });

  it('has room again, however much the scripts have said', () => {
    const entries = journal(
      Array.from({ length: 25 }, (_, day) => day),
      50_000,
    );
    const kept = compact(entries, at(25));
    assert.ok(JSON.stringify(entries).length > 1024 * 1024);
    assert.ok(JSON.stringify(kept).length < 320 * 1024);
    const last = kept.findLast(entry => entry.type === 'attempt_end');
    assert.equal(last?.type === 'attempt_end' && last.output?.length, 50_000);
  });
});
