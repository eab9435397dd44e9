/** A recorded outage under another policy. The recordings are made by the machine itself. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Cause } from '../../src/core/records.js';
import { factsOf } from '../../src/rehearsal/recording.js';
import { type Rehearsal, rehearse } from '../../src/rehearsal/rehearse.js';
import { policy, resource, step, World } from '../core/world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** One outage of so many minutes, in which every script fails after 2 s. */
function recorded(minutes: number, resources = [resource('tcpip', { rebootWhenFailed: false })]): World {
  const world = new World(policy(resources));
  for (const { id } of resources) world.up(id);
  world.die('tcpip');
  const endMs = world.bootMs + minutes * minuteMs;
  for (let turn = 0; turn < 1000; turn++) {
    const phase = world.phase();
    if (phase.name === 'restarting') {
      world.advance(2000);
      world.runEnded(phase.running.run, 1);
    } else if (!world.wait() || world.bootMs > endMs) break;
  }
  world.bootMs = Math.max(world.bootMs, endMs);
  world.up('tcpip');
  return world;
}

const types = ({ moments }: Rehearsal): string[] => moments.map(({ type }) => type);
const times = ({ moments }: Rehearsal, type: string): number[] =>
  moments.filter(moment => moment.type === type).map(({ after_s }) => after_s);

describe('a rehearsal', () => {
  it('with the policy of the recording does what was recorded', () => {
    const world = recorded(2);
    const told = rehearse(factsOf(world.entries), world.policy);
    const [begin] = world.of('outage_begin');
    assert.deepEqual(
      times(told, 'attempt'),
      world.of('attempt').map(({ atMs }) => (atMs - (begin?.atMs ?? 0)) / 1000),
    );
    assert.deepEqual(
      types(told),
      world.types().filter(type => type !== 'seen'),
    );
    assert.deepEqual(told.ended, { tcpip: 'up' });
  });

  it('goes up the steps of another policy, at its pace, and asks for its reboot', () => {
    const steps = [step('restart', { attempts: 2, everyMs: 10_000 }), step('driver', { attempts: 1 })];
    const facts = factsOf(recorded(30).entries);
    const told = rehearse(facts, policy([resource('tcpip', { steps })]));
    assert.deepEqual(told.attempts_by_step, { restart: 2, driver: 1 });
    assert.deepEqual([told.reboots, told.reboots_refused], [1, 0]);
    assert.deepEqual(times(told, 'attempt'), [0, 3, 20]);
    assert.deepEqual(times(told, 'reboot_intent'), [50]);
    const refused = rehearse(facts, policy([resource('tcpip', { steps })], { allowed: false }));
    assert.deepEqual([refused.reboots, refused.reboots_refused], [0, 1]);
  });

  it('knows the uptime of the recording', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('x', { attempts: 1 })] })]));
    world.bootMs = minuteMs;
    world.up();
    world.die();
    world.runEnded(`${world.outage(1)}#1`, 1);
    world.advance(20 * minuteMs);
    world.up();
    const told = rehearse(factsOf(world.entries), world.policy);
    assert.equal(told.moments.find(({ type }) => type === 'reboot_refused')?.after_s, 30);
  });

  it('with a grace makes a note of what was short, and with a rise a longer outage', () => {
    const world = recorded(1 / 60);
    const graceful = rehearse(factsOf(world.entries), policy([resource('tcpip', { fallMs: 5000 })]));
    assert.deepEqual(types(graceful), ['notice']);
    const careful = rehearse(factsOf(world.entries), policy([resource('tcpip', { riseMs: minuteMs })]));
    assert.equal(careful.ended.tcpip, 'up');
    assert.match(careful.moments.at(-1)?.text ?? '', /^tcpip is back after 3\.0 s/);
  });

  it('as if nothing had come back ends when everything has been tried', () => {
    const facts = factsOf(recorded(1).entries, true);
    const told = rehearse(facts, policy([resource('tcpip', { rebootWhenFailed: false })]));
    assert.equal(told.attempts, 6);
    assert.equal(told.ended.tcpip, 'held');
    assert.equal(types(told).at(-1), 'recovery_failed');
  });

  it('reboots no oftener than the budget says, over a recording of many outages', () => {
    const world = new World(policy([resource('tcpip', { rebootWhenFailed: false })]));
    world.up();
    for (let day = 0; day < 48; day++) {
      world.die();
      world.advance(20 * minuteMs);
      world.up();
      world.advance(10 * minuteMs);
    }
    const eager = resource('tcpip', { steps: [step('x', { attempts: 1 })] });
    const holdOffMs = [10 * minuteMs, hourMs, 6 * hourMs];
    const told = rehearse(factsOf(world.entries), policy([eager], { holdOffMs }));
    assert.equal(told.reboots, 3);
    assert.ok(told.reboots_refused > 3);
  });

  it('leaves out what the policy does not know, and what was commanded', () => {
    const world = recorded(1);
    world.command({ id: 'r', action: 'restart', target: 'tcpip', press: false });
    world.runEnded(`${world.outage(2)}#1`, 0);
    world.up();
    assert.deepEqual(
      factsOf(world.entries).map(({ what }) => what),
      ['down', 'up'],
    );
    assert.deepEqual(rehearse(factsOf(world.entries), policy([resource('wan')])).moments, []);
  });

  it('takes for a death what was down again of itself, and not what the script of then has stopped', () => {
    const world = new World();
    const downAgain = (cause: Cause) => {
      world.advance(2000);
      world.sensor('tcpip', 'down', { cause });
      world.advance(300);
      world.up();
    };
    world.up();
    world.die();
    const began = world.bootMs;
    world.advance(1000);
    world.up();
    downAgain({ kind: 'signal', signal: 'SIGTERM', coreDumped: false });
    downAgain({ kind: 'signal', signal: 'SIGSEGV', coreDumped: true });
    assert.deepEqual(
      factsOf(world.entries).map(({ what, bootMs, cause }) => [what, bootMs - began, cause.kind]),
      [
        ['down', 0, 'link'],
        ['up', 1000, 'link'],
        ['down', 5300, 'signal'],
        ['up', 5600, 'link'],
      ],
    );
    const told = rehearse(factsOf(world.entries), world.policy);
    assert.deepEqual([told.attempts, told.ended.tcpip], [1, 'up']);
  });

  it('takes a boot by others as it comes, one of sockmon as undone', () => {
    const world = recorded(1);
    world.restart('b0000002-boot');
    world.bootMs = hourMs;
    world.up();
    world.die();
    world.advance(1000);
    world.up();
    assert.deepEqual(
      factsOf(world.entries).map(({ newBoot }) => newBoot),
      [false, false, true, false],
    );
    const own = new World(policy([resource('tcpip', { steps: [step('x', { attempts: 1 })] })]));
    own.up();
    own.die();
    while (own.phase().name !== 'rebooting') {
      const phase = own.phase();
      if (phase.name === 'restarting') own.runEnded(phase.running.run, 1);
      else own.wait();
    }
    own.advance(minuteMs);
    own.restart('b0000002-boot');
    own.up();
    assert.deepEqual(
      factsOf(own.entries).map(({ newBoot }) => newBoot),
      [false, false],
    );
  });

  it('ends, and never acts without a reason, whatever the outages and the policy', () => {
    const outage = fc.record({
      lastS: fc.integer({ min: 0, max: 4000 }),
      thenS: fc.integer({ min: 0, max: 4000 }),
    });
    const shape = fc.record({
      attempts: fc.integer({ min: 1, max: 5 }),
      everyS: fc.integer({ min: 1, max: 100 }),
      backoff: fc.constantFrom(1, 1.5, 3),
      fallMs: fc.constantFrom(0, 1000, minuteMs),
      riseMs: fc.constantFrom(0, 1000, minuteMs),
      budget: fc.integer({ min: 1, max: 20 }),
      allowed: fc.boolean(),
      neverBack: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(outage, { minLength: 1, maxLength: 6 }), shape, (outages, given) => {
        const world = new World(policy([resource('tcpip', { rebootWhenFailed: false })]));
        world.up();
        for (const { lastS, thenS } of outages) {
          world.die();
          world.advance(lastS * 1000);
          world.up();
          world.advance(thenS * 1000);
        }
        const { attempts, everyS, backoff, fallMs, riseMs, budget, allowed, neverBack } = given;
        const steps = [step('a', { attempts, everyMs: everyS * 1000, backoff })];
        const restartBudget = { max: budget, perMs: hourMs };
        const other = policy([resource('tcpip', { steps, fallMs, riseMs, restartBudget })], { allowed });
        const told = rehearse(factsOf(world.entries, neverBack), other);
        assert.ok(allowed || told.reboots === 0);
        const began = told.moments.findIndex(({ type }) => type === 'outage_begin');
        const acted = told.moments.findIndex(({ type }) => type === 'attempt' || type === 'reboot_intent');
        assert.ok(acted === -1 || (began !== -1 && began < acted));
        assert.notEqual(told.ended.tcpip, 'restarting');
      }),
      { numRuns: 200 },
    );
  });
});
