/** What our own script stops is no death: from being back until that is verified. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History } from '../../src/core/history.js';
import type { ResourcePolicy } from '../../src/core/policy.js';
import type { Cause } from '../../src/core/records.js';
import type { MachineState } from '../../src/core/state.js';
import { describe as sentenceOf } from '../../src/core/words.js';
import { storyOf } from '../../src/report/story.js';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const sensors = [sensor('process dnsmasq')];
const term: Cause = { kind: 'signal', signal: 'SIGTERM', coreDumped: false };
const crash: Cause = { kind: 'signal', signal: 'SIGSEGV', coreDumped: true };

function dns(more: Partial<ResourcePolicy> = {}): ResourcePolicy {
  return resource('dns', { sensors, rebootWhenFailed: false, ...more });
}

function alive(...resources: ResourcePolicy[]): World {
  const all = resources.length === 0 ? [dns()] : resources;
  const world = new World(policy(all));
  for (const { id } of all) world.up(id);
  return world;
}

const down = (world: World, cause: Cause = term) => world.sensor('dns', 'down', { cause });

/** It has died, its script runs, and it is back by another hand a second later. */
function healed(...resources: ResourcePolicy[]): World {
  const world = alive(...resources);
  down(world, crash);
  world.advance(1000);
  world.up('dns');
  return world;
}

const later = (world: World, ms: number) => {
  world.advance(ms);
  world.input({ kind: 'tick' });
};

const armed = (state: MachineState) => state.resources.get('dns')?.armed ?? null;

describe('what is back while its script runs', () => {
  it('is told at once, and is up for everybody; its reflex waits', () => {
    const world = healed();
    assert.deepEqual(
      world.of('outage_end').map(({ durationMs }) => durationMs),
      [1000],
    );
    const { resources, recovery, status } = world.look();
    assert.equal(resources.dns?.state, 'up');
    assert.match(resources.dns?.reason ?? '', /attempt 1 is still running and may stop it once more/);
    assert.deepEqual([recovery, status], ['verifying', 'online']);
    assert.equal(armed(world.state), null);
  });

  it('and is stopped by it: the same outage, no further run, the whole story', () => {
    const world = healed();
    later(world, 5000);
    down(world);
    assert.equal(world.phase('dns').name, 'restarting');
    world.advance(300);
    world.up('dns');
    world.runEnds(0, 'dns');
    later(world, 9999);
    assert.equal(world.phase('dns').name, 'verifying');
    later(world, 1);
    assert.equal(world.phase('dns').name, 'up');
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('attempt').length, 1);
    assert.deepEqual(
      world.of('outage_end').map(({ durationMs, aliveMs, againMs }) => [durationMs, aliveMs, againMs]),
      [
        [1000, undefined, undefined],
        [6300, 5000, 300],
      ],
    );
    const [reopened] = world.of('outage_reopened');
    assert.equal(reopened?.run, `${world.outage(1, 'dns')}#1`);
    assert.ok(reopened);
    assert.equal(
      sentenceOf(reopened).text,
      'dns was stopped by our own restart 5.0 s after it was back: killed by SIGTERM',
    );
    const [, end] = world.of('outage_end');
    assert.ok(end);
    assert.equal(
      sentenceOf(end).text,
      'dns is alive again after 300 ms, 6.3 s after it died, at the first attempt',
    );
    const view = world.look();
    assert.deepEqual([view.outages_total, view.outages_24h], [1, 1]);
    assert.deepEqual([view.last_outage?.duration_s, view.last_outage?.downtime_s], [6.3, 1.3]);
    const [outage] = world.history.outages;
    assert.ok(outage);
    const story = storyOf(world.entries, outage, 'service', world.history.seenFrom(world.now()));
    assert.equal(story.moments.length, 6);
    assert.notEqual(armed(world.state), null);
  });

  it('is verified `settle` after the end of its script, whose last work may be done in the background', () => {
    const world = healed();
    later(world, 30_000);
    world.runEnds(0, 'dns');
    later(world, 9000);
    down(world);
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('outage_reopened')[0]?.run, `${world.outage(1, 'dns')}#1`);
    // `every` is over; whoever else supervises it gets two seconds.
    assert.equal(world.of('attempt').length, 1);
    later(world, 1999);
    assert.equal(world.of('attempt').length, 1);
    later(world, 1);
    assert.equal(world.of('attempt').length, 2);
  });

  it('is not run for again before `every` has passed, however its script has ended', () => {
    const world = healed();
    world.runEnds(1, 'dns');
    later(world, 3000);
    down(world);
    world.wait();
    const [first, second] = world.of('attempt');
    assert.equal((second?.atMs ?? 0) - (first?.atMs ?? 0), 30_000);
  });

  it('a script that runs longer than `every` is followed only when what it has started would have been seen', () => {
    const world = alive(dns({ steps: [step('restart', { everyMs: 3000 })] }));
    down(world, crash);
    world.advance(6000);
    world.runEnds(0, 'dns');
    const endedMs = world.bootMs;
    assert.equal(world.deadline(), endedMs + 1000);
    world.advance(900);
    world.up('dns');
    later(world, 200);
    assert.equal(world.of('attempt').length, 1);
  });

  it('is not verified on account of time alone while the script runs, and is after its time-out: then it is the service', () => {
    const world = healed();
    later(world, 58_999);
    assert.equal(world.phase('dns').name, 'verifying');
    later(world, 1);
    assert.equal(world.phase('dns').name, 'up');
    assert.deepEqual(world.did('end_run'), []);
    down(world, crash);
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('by the script itself, or what it has started, is verified after `settle`', () => {
    const world = alive();
    down(world, crash);
    world.advance(1000);
    world.sensor('dns', 'up', { ownRun: true });
    assert.equal(world.of('outage_end')[0]?.ownRun, true);
    later(world, 10_000);
    assert.equal(world.phase('dns').name, 'up');
    down(world, crash);
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('without any script is verified at once', () => {
    const world = alive(dns({ steps: [] }));
    down(world, crash);
    world.up('dns');
    assert.equal(world.phase('dns').name, 'up');
  });

  it('a second later than it was verified dies of itself: a new outage, with its reflex at once', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    later(world, 11_000);
    const reflex = armed(world.state);
    assert.equal(reflex, world.outage(2, 'dns'));
    world.sensor('dns', 'down', { cause: crash, reflex: `${reflex}#1` });
    assert.equal(world.of('outage_begin').length, 2);
    assert.equal(world.of('attempt')[1]?.by, 'reflex');
  });

  it('also when no tick has come in between', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    world.advance(10_000);
    down(world, crash);
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('and replaced within `fall`: a note, and the time to verify it begins anew', () => {
    const world = alive(dns({ fallMs: 2000 }));
    down(world, crash);
    world.wait();
    world.up('dns');
    world.runEnds(0, 'dns');
    later(world, 9000);
    down(world);
    later(world, 1500);
    world.up('dns');
    assert.equal(world.of('notice')[0]?.what, 'replaced');
    assert.equal(world.of('outage_reopened').length, 0);
    later(world, 9000);
    down(world);
    world.wait();
    const [reopened] = world.of('outage_reopened');
    assert.equal((reopened?.atMs ?? 0) - (reopened?.backMs ?? 0), 9000);
    assert.equal(world.bootMs, (reopened?.atMs ?? 0) + 2000);
  });

  it('and restarted by an order to another supervisor: the note says so', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    world.sensor('dns', 'down', { cause: term, grace: { ms: 1000, by: 'systemd' } });
    later(world, 300);
    world.sensor('dns', 'up', { byOrder: true });
    assert.deepEqual(
      world.of('notice').map(({ detail }) => detail),
      ['it was restarted by an order to systemd within 300 ms: killed by SIGTERM'],
    );
    assert.equal(world.of('outage_reopened').length, 0);
  });

  it('and is borne as long as its sensor says', () => {
    const world = healed(dns({ fallMs: null }));
    world.runEnds(0, 'dns');
    world.sensor('dns', 'down', {
      cause: term,
      nature: 'unreachable',
      grace: { ms: 5000, by: null },
    });
    later(world, 4999);
    assert.equal(world.of('outage_reopened').length, 0);
    later(world, 1);
    assert.equal(world.of('outage_reopened').length, 1);
  });

  it('what an earlier run has started is not the work of this one, which may still stop it', () => {
    const both = [sensor('process slirp4netns'), sensor('link tap0')];
    const world = alive(dns({ sensors: both }));
    down(world, crash);
    world.advance(1000);
    world.sensor('dns', 'up', { ownRun: true });
    world.runEnds(0, 'dns');
    later(world, 60_000);
    const taken = { kind: 'link', what: 'interface_down', interface: 'tap0' } as const;
    world.sensor('dns', 'down', { sensor: 1, cause: taken });
    // Set up again at once, while the script that this has set off is at work.
    world.sensor('dns', 'up', { sensor: 1 });
    assert.equal(world.phase('dns').name, 'verifying');
    later(world, 20);
    down(world);
    assert.equal(world.of('outage_begin').length, 2);
    assert.equal(world.of('outage_reopened')[0]?.run, world.of('attempt')[1]?.run);
  });

  it('is down again while it rises: one end, when it came to stay', () => {
    const world = alive(dns({ riseMs: 5000 }));
    down(world, crash);
    world.up('dns');
    world.wait();
    down(world);
    world.advance(300);
    world.up('dns');
    world.advance(1000);
    down(world);
    world.advance(300);
    world.up('dns');
    world.wait();
    assert.deepEqual([world.of('outage_reopened').length, world.of('outage_end').length], [1, 2]);
  });

  it('does not take for its cause what its own script kills within the first second', () => {
    const world = alive(dns({ sensors: [...sensors, sensor('link default')] }));
    world.die('dns');
    world.advance(100);
    world.up('dns');
    world.advance(100);
    world.die('dns');
    down(world);
    assert.equal(world.of('outage_cause').length, 0);
  });
});

describe('what is killed soon after its recovery, nobody knows by whom', () => {
  const kill: Cause = { kind: 'signal', signal: 'SIGKILL', coreDumped: false };
  /** Its script is over, and it has been back for 8 s. */
  const recovered = (more: Partial<ResourcePolicy> = {}) => {
    const world = healed(dns(more));
    world.runEnds(0, 'dns');
    later(world, 8000);
    return world;
  };
  /** From the death to the next attempt. */
  const waitedMs = (world: World): number => {
    const [atMs, count] = [world.bootMs, world.of('attempt').length];
    while (world.of('attempt').length === count) assert.ok(world.wait());
    return world.bootMs - atMs;
  };

  it('is the same outage, and is not told as the doing of a script that is over', () => {
    const world = recovered();
    down(world, kill);
    const [reopened] = world.of('outage_reopened');
    assert.ok(reopened);
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(reopened.inDoubt, true);
    const { level, text } = sentenceOf(reopened);
    assert.deepEqual(
      [level, text],
      [
        'warn',
        'dns died again 8.0 s after it was back, soon after our own restart: killed by SIGKILL; the same outage goes on',
      ],
    );
  });

  it('is told as its doing while it is at work, as its own death when it crashes', () => {
    const atWork = healed();
    down(atWork, kill);
    assert.equal(atWork.of('outage_reopened')[0]?.inDoubt, undefined);
    assert.notEqual(atWork.of('outage_reopened')[0]?.run, undefined);
    const crashed = recovered();
    down(crashed, crash);
    assert.equal(crashed.of('outage_reopened')[0]?.run, undefined);
  });

  it('has its attempt within `every`, also where the waits grow, or the only attempt has been made', () => {
    const patient = step('restart', { everyMs: 5000, backoff: 10 });
    const steep = recovered({ steps: [patient] });
    down(steep, kill);
    assert.equal(waitedMs(steep), 2000);
    const often = step('restart', { everyMs: 12_000, attempts: 1 });
    for (const cause of [kill, crash]) {
      const once = recovered({ steps: [often] });
      down(once, cause);
      assert.equal(waitedMs(once), 3000);
      assert.equal(once.of('attempt').at(-1)?.step, 'restart');
    }
    const quick = recovered({ steps: [step('restart', { everyMs: 1000 })] });
    down(quick, kill);
    assert.equal(waitedMs(quick), 1000);
  });

  it('once: what dies again and again is given up as the ladder says, also over a restart of sockmon', () => {
    for (const isRestarted of [false, true]) {
      const world = recovered({ steps: [step('restart', { everyMs: 5000, attempts: 1 })] });
      down(world, kill);
      waitedMs(world);
      world.up('dns');
      world.runEnds(0, 'dns');
      later(world, 8000);
      if (isRestarted) {
        world.restart();
        world.up('dns');
      }
      down(world, kill);
      while (world.of('recovery_failed').length === 0) assert.ok(world.wait());
      assert.equal(world.of('attempt').length, 2);
    }
  });
});

describe('what dies again before it is verified, of itself', () => {
  it('goes up the ladder of one outage, an attempt each `every`, to its end', () => {
    const world = alive(resource('dns', { sensors }));
    down(world, crash);
    const began = world.bootMs;
    while (world.phase('dns').name !== 'rebooting') {
      if (world.phase('dns').name === 'restarting') {
        world.advance(500);
        world.up('dns');
        world.runEnds(0, 'dns');
        world.advance(5000);
        down(world, crash);
      } else assert.ok(world.wait());
    }
    assert.deepEqual(
      world.of('attempt').map(({ atMs }) => atMs - began),
      [0, 30_000, 60_000, 90_000, 120_000, 150_000],
    );
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.bootMs - began, 180_000);
  });

  it('and is started by others each time: no run but the first, told as one that keeps dying', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    for (let death = 0; death < 40; death++) {
      later(world, 5000);
      down(world, death === 0 ? term : crash);
      later(world, 100);
      world.up('dns');
    }
    assert.equal(world.of('attempt').length, 1);
    assert.equal(world.of('outage_begin').length, 1);
    assert.deepEqual(
      world.of('notice').map(({ what }) => what),
      ['flapping'],
    );
    const told = world.of('outage_reopened').filter(({ quiet }) => !quiet);
    assert.deepEqual([told.length, told.filter(({ run }) => run !== undefined).length], [3, 1]);
    assert.equal(world.history.outages[0]?.lives.length, 20);
    assert.equal(world.history.outages[0]?.aliveMs, 40 * 5000);
    later(world, 10_000);
    assert.equal(world.phase('dns').name, 'up');
  });
});

describe('what is asked for while it is not yet verified', () => {
  const ask = (world: World, action: 'restart' | 'drill', id: string) => {
    world.command({ id, action, target: 'dns', press: false, origin: 'control' });
    return world.of('command').findLast(command => command.id === id);
  };

  it('a restart is refused while its script runs, and makes a story of its own afterwards', () => {
    const world = healed();
    assert.equal(ask(world, 'restart', 'a')?.code, 'busy');
    world.runEnds(0, 'dns');
    assert.equal(ask(world, 'restart', 'b')?.status, 'accepted');
    assert.deepEqual(
      world.of('outage_begin').map(({ cause }) => cause.kind),
      ['signal', 'commanded'],
    );
    assert.equal(world.look().outages_total, 1);
  });

  it('a drill is refused in words', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    assert.match(ask(world, 'drill', 'a')?.detail ?? '', /being verified for 10.0 s; try again then/);
    world.advance(10_000);
    assert.equal(ask(world, 'drill', 'b')?.status, 'accepted');
  });

  it('a restart whose work goes on in the background is one story, told once as done', () => {
    const world = alive();
    ask(world, 'restart', 'a');
    world.advance(100);
    world.runEnds(0, 'dns');
    later(world, 2000);
    down(world);
    world.advance(300);
    world.up('dns');
    later(world, 10_000);
    assert.equal(world.phase('dns').name, 'up');
    assert.deepEqual(
      world.did('answer').map(({ answer }) => answer.status),
      ['accepted', 'done'],
    );
    assert.deepEqual([world.of('outage_begin').length, world.of('attempt').length], [1, 1]);
    assert.equal(world.look().outages_total, 0);
  });
});

describe('what needs something that is not yet verified', () => {
  const web = resource('web', { sensors: [sensor('process nginx')], needs: ['dns'] });

  it('is restarted, and told as a part of that story', () => {
    const world = healed(dns(), web);
    world.die('web');
    assert.equal(world.of('attempt').at(-1)?.resource, 'web');
    assert.equal(world.of('outage_begin').at(-1)?.root, world.outage(1, 'dns'));
  });

  it('and waits for it when both are down again', () => {
    const world = healed(dns(), web);
    world.die('web');
    world.up('web');
    world.advance(1000);
    down(world);
    world.die('web');
    world.runEnds(0, 'web');
    while (world.phase('web').name === 'settling') assert.ok(world.wait());
    assert.equal(world.phase('web').name, 'blocked');
    assert.equal(world.history.outages.length, 2);
  });

  it('is of nobody else once that is verified', () => {
    const world = healed(dns(), web);
    world.runEnds(0, 'dns');
    later(world, 10_000);
    world.die('web');
    assert.equal(world.of('outage_begin').at(-1)?.root, undefined);
  });
});

describe('a restart of sockmon before it is verified', () => {
  it('goes on: what its script of before stops is the same outage', () => {
    for (const isClean of [false, true]) {
      const world = healed();
      if (isClean) world.append({ type: 'stop', reason: 'SIGTERM' });
      world.advance(2000);
      world.restart();
      world.sensor('dns', 'absent');
      assert.equal(world.of('outage_begin').length, 1);
      const [reopened] = world.of('outage_reopened');
      assert.deepEqual([reopened?.cause.kind, reopened?.run], ['unseen', `${world.outage(1, 'dns')}#1`]);
      world.wait();
      assert.equal((world.of('attempt')[1]?.atMs ?? 0) - (world.of('attempt')[0]?.atMs ?? 0), 30_000);
    }
  });

  it('waits for a run that nobody will tell the end of until its time-out', () => {
    const world = healed();
    world.restart();
    world.up('dns');
    later(world, 63_999);
    assert.equal(world.phase('dns').name, 'verifying');
    later(world, 1);
    assert.equal(world.phase('dns').name, 'up');
  });

  it('takes over a run that lives', () => {
    const world = healed();
    const run = `${world.outage(1, 'dns')}#1`;
    world.restart(world.bootId, [run]);
    world.up('dns');
    world.advance(2000);
    down(world);
    assert.equal(world.phase('dns').name, 'restarting');
    world.up('dns');
    world.runEnds(0, 'dns');
    assert.equal(world.of('attempt_end')[0]?.run, run);
    later(world, 10_000);
    assert.equal(world.phase('dns').name, 'up');
    assert.equal(world.of('outage_begin').length, 1);
  });

  it('takes over the run of an outage that is open, and ends it at its time', () => {
    const world = alive();
    down(world, crash);
    world.advance(2000);
    world.restart(world.bootId, [`${world.outage(1, 'dns')}#1`]);
    world.sensor('dns', 'absent');
    assert.equal(world.phase('dns').name, 'restarting');
    world.wait();
    assert.equal(world.did('end_run').length, 1);
    assert.equal(world.bootMs - (world.of('attempt')[0]?.atMs ?? 0), minuteMs);
  });

  it('verifies what was the service itself as it would have', () => {
    const world = alive();
    down(world, crash);
    world.sensor('dns', 'up', { ownRun: true });
    world.restart();
    world.up('dns');
    later(world, 10_000);
    assert.equal(world.phase('dns').name, 'up');
  });

  it('after a stop in order is known to be alive once it has been seen: what dies while sockmon is away then has died', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    world.append({ type: 'stop', reason: 'SIGTERM' });
    world.restart();
    world.up('dns');
    assert.equal(world.phase('dns').name, 'verifying');
    world.advance(minuteMs);
    world.restart();
    world.sensor('dns', 'absent');
    assert.deepEqual(
      world.of('outage_begin').map(({ cause }) => cause.kind),
      ['signal', 'unseen'],
    );
  });

  it('is verified by time alone, and was alive: who is not there then has died', () => {
    const world = healed();
    world.runEnds(0, 'dns');
    world.advance(9000);
    world.restart();
    world.advance(2000);
    world.sensor('dns', 'absent');
    assert.equal(world.of('outage_begin').length, 2);
  });

  it('waits `settle` for what a script has left in the background that has ended meanwhile, and not again and again', () => {
    const steps = [step('restart', { timeoutMs: 22_000, graceMs: 1000 })];
    const world = healed(dns({ steps }));
    world.advance(20_000);
    world.restart();
    world.up('dns');
    later(world, 9999);
    down(world);
    assert.equal(world.of('outage_begin').length, 1);
    world.up('dns');
    world.advance(10 * minuteMs);
    world.restart();
    assert.equal(world.phase('dns').name, 'absent');
  });

  it('begins nothing anew when the time has passed, in another boot, or by other sensors', () => {
    const late = healed();
    late.runEnds(0, 'dns');
    late.advance(minuteMs);
    late.restart();
    assert.equal(late.phase('dns').name, 'absent');
    const rebooted = healed();
    rebooted.restart('b0000002-boot');
    assert.equal(rebooted.phase('dns').name, 'absent');
    const edited = healed();
    edited.policy = policy([dns({ sensors: [sensor('process unbound')] })]);
    edited.restart();
    edited.sensor('dns', 'absent');
    assert.equal(edited.phase('dns').name, 'absent');
    assert.equal(edited.of('outage_reopened').length, 0);
  });
});

describe('a reload before it is verified', () => {
  it('goes on by the new policy, and lets go of it where the sensors are others', () => {
    const world = healed();
    world.policy = policy([dns({ settleMs: 30_000 })]);
    world.input({ kind: 'configure' });
    world.runEnds(0, 'dns');
    later(world, 29_999);
    assert.equal(world.phase('dns').name, 'verifying');
    const other = healed();
    other.policy = policy([dns({ sensors: [sensor('process unbound')] })]);
    other.input({ kind: 'configure' });
    assert.equal(other.phase('dns').name, 'absent');
    other.runEnded(`${other.outage(1, 'dns')}#1`, 0);
    assert.equal(other.of('attempt_end').length, 1);
  });

  it('that takes it out of the configuration ends no outage twice', () => {
    const world = healed(dns(), resource('web', { sensors: [sensor('process nginx')] }));
    world.policy = policy([resource('web', { sensors: [sensor('process nginx')] })]);
    world.input({ kind: 'configure' });
    assert.deepEqual(
      world.of('outage_end').map(({ outcome }) => outcome),
      ['recovered'],
    );
  });
});

describe('the figures of an outage that was open again', () => {
  it('count what it was down, and neither its lives nor its id twice', () => {
    const world = new World();
    const openedMs = world.wallMs;
    world.append({ type: 'start', version: '1', pid: 1, resources: ['tcpip'] });
    world.up();
    world.advance(60 * minuteMs);
    world.die();
    world.advance(10_000);
    world.up();
    world.advance(20_000);
    world.die();
    world.advance(5000);
    assert.equal(world.look().last_outage?.outcome, 'open');
    assert.equal(world.look().last_stack_outage, world.outage(1));
    world.recovers();
    const { uptime_24h_pct, outages_total } = world.look();
    const spanMs = world.wallMs - openedMs;
    assert.equal(uptime_24h_pct, Math.round((1 - 15_000 / spanMs) * 100_000) / 1000);
    assert.equal(outages_total, 1);
    const small = new History(world.entries, 0);
    for (let n = 0; n < 3; n++) small.apply({ ...entryOf(world), seq: 1000 + n, outage: `x-tcpip-${n + 2}` });
    assert.equal(small.past.all().find(({ resource: id }) => id === 'tcpip')?.downMs, 15_000);
  });

  function entryOf(world: World) {
    const [begin] = world.of('outage_begin');
    assert.ok(begin);
    return begin;
  }
});
