/** What makes the machine one that a careful person would arm. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { causeWords } from '../../src/core/words.js';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Lets scripts end with a status and time pass until the phase is one of those named. */
function until(world: World, names: readonly string[], code = 0, id = 'tcpip'): void {
  for (let turn = 0; turn < 200; turn++) {
    const phase = world.phase(id);
    if (names.includes(phase.name)) return;
    if (phase.name === 'restarting') world.runEnded(phase.running.run, code);
    else if (!world.wait()) break;
  }
  throw new Error(`it never came to ${names.join(' or ')}, but to ${world.phase(id).name}`);
}

function dead(world: World): World {
  world.up();
  world.die();
  return world;
}

describe('a ladder of several steps', () => {
  const steps = [step('restart', { attempts: 2 }), step('reload-driver', { attempts: 1 })];

  it('goes up when a step is used up, then asks for the reboot', () => {
    const world = dead(new World(policy([resource('tcpip', { steps })])));
    until(world, ['rebooting']);
    assert.deepEqual(
      world.of('attempt').map(attempt => attempt.step),
      ['restart', 'restart', 'reload-driver'],
    );
    assert.equal(world.did('run')[2]?.run.env.SOCKMON_STEP, 'reload-driver');
  });

  it('goes up at once on status 125', () => {
    const world = dead(new World(policy([resource('tcpip', { steps })])));
    world.runEnded(`${world.outage(1)}#1`, 125);
    world.wait();
    assert.equal(world.of('attempt')[1]?.step, 'reload-driver');
    assert.equal(world.of('attempt')[1]?.atMs, world.of('attempt')[0]?.atMs);
  });

  it('never reboots after status 100, also when sockmon was restarted in between', () => {
    const world = dead(new World(policy([resource('tcpip', { steps })])));
    world.runEnded(`${world.outage(1)}#1`, 100);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    until(world, ['held']);
    assert.equal(world.of('recovery_failed')[0]?.next, 'stay_down');
    assert.equal(world.did('reboot').length, 0);
  });

  it('goes on at the step it stood on after a restart of sockmon', () => {
    const world = dead(new World(policy([resource('tcpip', { steps })])));
    until(world, ['settling']);
    world.wait();
    world.runEnded(`${world.outage(1)}#2`, 0);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    world.wait();
    assert.equal(world.of('attempt')[2]?.step, 'reload-driver');
  });
});

describe('not every death is an outage', () => {
  it('a process that is replaced in time is a note', () => {
    const world = new World(policy([resource('tcpip', { fallMs: 2000 })]));
    dead(world);
    assert.equal(world.did('arm').length, 0, 'no reflex where there is a grace');
    world.advance(1500);
    world.up();
    assert.deepEqual(world.types(), ['seen', 'notice']);
    assert.equal(world.of('notice')[0]?.what, 'replaced');
  });

  it('what its sensor has seen handed over is a note, without a grace; in an outage it is none', () => {
    const world = new World(policy([resource('tcpip', { fallMs: 0 })]));
    const replaced = 'the server closed the connection and accepted a new one at once';
    world.up();
    const armed = world.did('arm').length;
    world.sensor('tcpip', 'up', { replaced });
    assert.deepEqual(world.types(), ['seen', 'notice']);
    assert.deepEqual(
      world.of('notice').map(({ what, detail }) => [what, detail]),
      [['replaced', replaced]],
    );
    assert.equal(world.did('arm').length, armed, 'the reflex stays as it was');
    world.die();
    world.sensor('tcpip', 'up', { replaced });
    assert.equal(world.of('notice').length, 1);
  });

  it('a cause that the sensor has words for explains more than that of the link, not more than a signal', () => {
    const world = new World(policy([resource('tcpip')]));
    const cause = { kind: 'sensor', reason: 'refused', words: 'no connection is accepted any more' } as const;
    world.up();
    world.die();
    world.sensor('tcpip', 'down', { sensor: 1, cause });
    assert.deepEqual(
      world.of('outage_cause').map(entry => entry.cause),
      [cause],
    );
    assert.equal(causeWords(cause), cause.words);
    world.sensor('tcpip', 'down', { cause: { kind: 'signal', signal: 'SIGKILL', coreDumped: false } });
    assert.equal(world.of('outage_cause').length, 1);
  });

  describe('where the owner sets no `fall`, by the nature of its loss', () => {
    const lostAddress = {
      sensor: 1,
      cause: { kind: 'link', what: 'no_address', interface: 'ppp0' },
      nature: 'broken',
    } as const;
    const alive = () => {
      const world = new World(policy([resource('tcpip', { fallMs: null })]));
      world.up();
      return world;
    };

    it('a lease that is renewed with another address is a note', () => {
      const world = alive();
      world.sensor('tcpip', 'down', lostAddress);
      world.advance(40);
      world.sensor('tcpip', 'up', { sensor: 1 });
      assert.deepEqual(world.types(), ['seen', 'notice']);
      assert.match(
        world.of('notice')[0]?.detail ?? '',
        /whole again after 40 ms: interface ppp0 lost its address/,
      );
      assert.equal(world.did('run').length, 0);
    });

    it('an address that stays away is an outage that began when it was lost', () => {
      const world = alive();
      world.sensor('tcpip', 'down', lostAddress);
      const lostMs = world.bootMs;
      world.wait();
      assert.equal(world.bootMs, lostMs + 3000);
      assert.equal(world.of('outage_begin')[0]?.atMs, lostMs);
      assert.equal(world.did('run').length, 1);
    });

    it('an interface that goes while its address is away is dead at once, by the reflex', () => {
      const world = alive();
      assert.deepEqual(world.did('arm').at(-1)?.natures, ['gone', 'exited']);
      world.sensor('tcpip', 'down', lostAddress);
      world.advance(40);
      const reflex = world.did('arm').at(-1)?.run?.id ?? '';
      world.sensor('tcpip', 'down', {
        sensor: 1,
        cause: { kind: 'link', what: 'interface_gone', interface: 'ppp0' },
        nature: 'gone',
        reflex,
      });
      assert.deepEqual(world.types(), ['seen', 'outage_begin', 'attempt']);
      assert.equal(world.of('attempt')[0]?.by, 'reflex');
    });

    it('a process that ends is dead at once, and so is all with `fall: 0s`', () => {
      const world = alive();
      world.die();
      assert.equal(world.of('outage_begin').length, 1);
      const strict = new World(policy([resource('tcpip', { fallMs: 0 })]));
      strict.up();
      strict.sensor('tcpip', 'down', lostAddress);
      assert.equal(strict.of('outage_begin').length, 1);
      assert.deepEqual(strict.did('arm')[0]?.natures, ['gone', 'exited', 'broken', 'unreachable']);
    });
  });

  it('one that is not is an outage that began when it died', () => {
    const world = new World(policy([resource('tcpip', { fallMs: 2000 })]));
    dead(world);
    const diedMs = world.bootMs;
    world.wait();
    assert.equal(world.of('outage_begin')[0]?.atMs, diedMs);
    assert.equal(world.bootMs, diedMs + 2000);
  });

  it('a link that only comes and goes does not close the outage; the end is when it came to stay', () => {
    const world = dead(new World(policy([resource('tcpip', { riseMs: 5000 })])));
    world.up();
    world.advance(1000);
    world.die();
    world.advance(1000);
    world.up();
    const backMs = world.bootMs;
    until(world, ['verifying']);
    assert.equal(world.of('outage_end')[0]?.atMs, backMs);
    assert.equal(world.bootMs, backMs + 5000);
    assert.equal(world.of('outage_begin').length, 1);
  });

  it('what keeps dying is named once, its single deaths are not told, and it is named again when it is steady', () => {
    const world = new World();
    world.up();
    for (let death = 0; death < 6; death++) {
      world.die();
      until(world, ['restarting']);
      world.recovers();
    }
    assert.deepEqual(
      world.of('notice').map(notice => notice.what),
      ['flapping'],
    );
    assert.deepEqual(
      world.of('outage_begin').map(begin => begin.quiet ?? false),
      [false, false, false, false, true, true],
    );
    while (world.wait());
    assert.equal(world.of('notice').at(-1)?.what, 'steady');
  });
});

describe('what dies again and again, but slowly', () => {
  /** So many deaths, each so long after the recovery from the one before. */
  function dying(world: World, deaths: number, livesMs: number): void {
    for (let death = 0; death < deaths; death++) {
      world.advance(livesMs);
      world.input({ kind: 'tick' });
      world.die();
      world.advance(5000);
      world.up();
      world.runEnds(0);
    }
  }
  const watchOnly = { steps: [], rebootWhenFailed: false };
  const whats = (world: World) => world.of('notice').map(({ what }) => what);

  it('is told once as such, 35 s after each recovery as well as within 30 s', () => {
    const world = new World();
    world.up();
    dying(world, 31, 35_000);
    assert.deepEqual(whats(world), ['flapping']);
    assert.match(world.of('notice')[0]?.detail ?? '', /4 times within 10 min/);
    assert.deepEqual(
      world.of('outage_begin').map(({ quiet }) => quiet ?? false),
      [...Array(4).fill(false), ...Array(27).fill(true)],
    );
    assert.deepEqual(world.look().problems, ['tcpip keeps dying']);
    assert.ok(world.of('attempt').every((attempt, n) => attempt.atMs === world.of('outage_begin')[n]?.atMs));
  });

  it('also when it is only watched', () => {
    const world = new World(policy([resource('tcpip', watchOnly)]));
    world.up();
    dying(world, 10, minuteMs);
    assert.deepEqual(whats(world), ['flapping']);
  });

  for (const [how, more] of [
    ['with a restart', {}],
    ['only watched', watchOnly],
    ['paused', {}],
  ] as const) {
    it(`is steady again when it has lived for the whole time, by itself: ${how}`, () => {
      const world = new World(policy([resource('tcpip', more)]));
      world.up();
      dying(world, 6, 35_000);
      const backMs = world.bootMs;
      if (how === 'paused')
        world.command({ id: 'p', action: 'pause', press: false, forMs: 12 * 60 * minuteMs });
      while (world.of('notice').length < 2 && world.wait());
      assert.deepEqual(whats(world), ['flapping', 'steady']);
      assert.equal(world.bootMs, backMs + 10 * minuteMs);
      dying(world, 1, minuteMs);
      assert.equal(world.of('outage_begin').at(-1)?.quiet ?? false, false);
    });
  }

  it('is not what dies four times in an hour, nor what is drilled', () => {
    const world = new World();
    world.up();
    dying(world, 8, 4 * minuteMs);
    assert.deepEqual(whats(world), []);
  });

  it('and not what is killed on purpose', () => {
    const dns = resource('dns', { sensors: [sensor('process dnsmasq')] });
    const world = new World(policy([dns]));
    world.up('dns');
    for (let drill = 0; drill < 6; drill++) {
      world.command({ id: `d${drill}`, action: 'drill', target: 'dns', press: false });
      world.die('dns');
      world.up('dns');
      world.advance(70_000);
    }
    assert.equal(world.of('outage_begin').filter(({ drill }) => drill).length, 6);
    assert.deepEqual(whats(world), []);
  });
});

describe('what needs something else', () => {
  const two = () =>
    policy([resource('tcpip'), resource('dns', { needs: ['tcpip'], sensors: [sensor('process dnsmasq')] })]);

  it('is not restarted while that is down, and is when that is back: one story with one root', () => {
    const world = new World(two());
    world.up('tcpip');
    world.up('dns');
    world.die('tcpip');
    assert.equal(world.did('arm').findLast(effect => effect.resource === 'dns')?.run, null);
    world.die('dns');
    assert.equal(world.phase('dns').name, 'blocked');
    assert.equal(world.of('outage_begin')[1]?.root, world.outage(1));
    assert.equal(world.of('attempt').length, 1);
    world.up('tcpip');
    world.wait();
    assert.equal(world.of('attempt').at(-1)?.resource, 'dns');
    world.up('dns');
    assert.equal(world.of('outage_end').length, 2);
  });

  it('and died first is taken for a part of the story as soon as the root is known', () => {
    const world = new World(two());
    world.up('tcpip');
    world.up('dns');
    world.die('dns');
    world.runEnded(`${world.outage(1, 'dns')}#1`, 1);
    world.die('tcpip');
    world.wait();
    assert.equal(world.phase('dns').name, 'blocked');
    assert.equal(world.of('outage_root')[0]?.root, world.outage(1, 'tcpip'));
  });

  it('keeps its root over a restart of sockmon, and tells it once', () => {
    const world = new World(two());
    world.up('tcpip');
    world.up('dns');
    world.die('dns');
    world.runEnded(`${world.outage(1, 'dns')}#1`, 1);
    world.die('tcpip');
    world.wait();
    world.restart();
    for (const id of ['tcpip', 'dns']) world.sensor(id, 'absent', { sensor: 0 });
    world.wait();
    assert.equal(world.phase('dns').name, 'blocked');
    assert.equal(world.of('outage_root').length, 1);
  });

  it('in a circle does not wait for itself', () => {
    const world = new World(policy([resource('a', { needs: ['b'] }), resource('b', { needs: ['a'] })]));
    world.up('a');
    world.up('b');
    world.die('a');
    assert.equal(world.phase('a').name, 'restarting');
  });
});

describe('a pause', () => {
  const pause = (world: World, forMs: number, target?: string) =>
    world.command({
      id: `p${world.bootMs}`,
      action: 'pause',
      press: false,
      forMs,
      ...(target && { target }),
    });

  it('disarms the reflex, leaves the dead alone, and ends by itself', () => {
    const world = new World();
    world.up();
    pause(world, 10 * minuteMs);
    assert.equal(world.did('arm').at(-1)?.run, null);
    world.advance(minuteMs);
    world.die();
    assert.equal(world.phase().name, 'held');
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('attempt').length, 0);
    world.wait();
    assert.equal(world.of('attempt')[0]?.atMs, world.of('pause')[0]?.untilMs ?? 0);
  });

  it('arms the reflex again when it is over, and at once on resume', () => {
    const world = new World();
    world.up();
    pause(world, 10 * minuteMs);
    world.wait();
    assert.notEqual(world.did('arm').at(-1)?.run, null);
    pause(world, 10 * minuteMs);
    world.command({ id: 'r', action: 'resume', press: false });
    assert.notEqual(world.did('arm').at(-1)?.run, null);
  });

  it('of one resource is no pause of another, survives a restart of sockmon, not of the machine', () => {
    const world = new World(policy([resource('tcpip'), resource('wan')]));
    world.up('tcpip');
    world.up('wan');
    pause(world, 10 * minuteMs, 'wan');
    world.die('tcpip');
    assert.equal(world.phase('tcpip').name, 'restarting');
    world.restart();
    assert.notEqual(world.history.pausedUntilMs('wan', world.now()), null);
    world.restart('another');
    assert.equal(world.history.pausedUntilMs('wan', world.now()), null);
  });

  it('has bounds', () => {
    const world = new World();
    for (const forMs of [0, -1, 25 * hourMs]) pause(world, forMs);
    assert.deepEqual(new Set(world.of('command').map(entry => entry.code)), new Set(['invalid']));
  });

  it('lasts as long as was set last, also after a restart of sockmon and of the machine', () => {
    const world = new World();
    const left = (): number => (world.history.pausedUntilMs('', world.now()) ?? 0) - world.bootMs;
    const lasts = (): number => {
      world.advance(1);
      world.command({ id: `p${world.bootMs}`, action: 'pause', press: false });
      return left();
    };
    assert.equal(lasts(), 10 * minuteMs);
    assert.equal(world.look().pause_time_s, 600);
    world.command({ id: 't1', action: 'pause_time', press: false, forMs: 3 * minuteMs });
    assert.equal(left(), 10 * minuteMs, 'what is paused stays so');
    assert.deepEqual([lasts(), world.look().pause_time_s], [3 * minuteMs, 180]);
    world.restart();
    assert.equal(lasts(), 3 * minuteMs);
    world.restart('another');
    assert.equal(lasts(), 3 * minuteMs);
  });

  it('has a time to be set within bounds, for everything only', () => {
    const world = new World();
    const set = (forMs: number, target?: string) => {
      world.command({
        id: `t${forMs}`,
        action: 'pause_time',
        press: false,
        forMs,
        ...(target && { target }),
      });
      return world.of('command').at(-1)?.code ?? 'accepted';
    };
    const cases = [minuteMs - 1, minuteMs, 24 * hourMs, 24 * hourMs + 1, Number.NaN].map(ms => set(ms));
    assert.deepEqual(cases, ['invalid', 'accepted', 'accepted', 'invalid', 'invalid']);
    assert.equal(set(5 * minuteMs, 'tcpip'), 'invalid');
    assert.equal(world.look().pause_time_s, 24 * 3600);
  });

  it('also keeps the reboot away', () => {
    const world = dead(new World());
    pause(world, hourMs);
    until(world, ['held']);
    assert.equal(world.did('reboot').length, 0);
  });
});

describe('budgets', () => {
  it('a resource gets so many attempts in so much time, is held and told once, then gets more', () => {
    const world = new World(
      policy([resource('tcpip', { restartBudget: { max: 3, perMs: hourMs }, rebootWhenFailed: false })]),
    );
    dead(world);
    until(world, ['held']);
    assert.equal(world.of('attempt').length, 3);
    assert.deepEqual(
      world.of('notice').map(notice => notice.what),
      ['held'],
    );
    world.wait();
    assert.equal(world.of('attempt').length, 4);
    assert.ok((world.of('attempt')[3]?.atMs ?? 0) - (world.of('attempt')[0]?.atMs ?? 0) >= hourMs);
  });

  it('the waits between reboots grow', () => {
    const holdOffMs = [10 * minuteMs, hourMs, 6 * hourMs];
    const world = new World(
      policy([resource('tcpip')], { holdOffMs, budget: { max: 9, perMs: 24 * hourMs } }),
    );
    const reboots: number[] = [];
    for (let boot = 1; boot <= 4; boot++) {
      world.restart(`boot${boot}`);
      world.advance(6 * minuteMs);
      world.up();
      world.die();
      for (let turn = 0; turn < 400 && world.phase().name !== 'rebooting'; turn++) {
        const phase = world.phase();
        if (phase.name === 'restarting') world.runEnded(phase.running.run, 1);
        else world.wait();
      }
      reboots.push(world.wallMs);
    }
    const waits = reboots.slice(1).map((at, index) => at - (reboots[index] ?? 0));
    assert.deepEqual(
      waits.map((waitMs, index) => waitMs >= (holdOffMs[index] ?? 0)),
      [true, true, true],
    );
  });
});

describe('a reboot that does not come', () => {
  it('is forced after five minutes, then left to the kernel, for the one intent', () => {
    const world = dead(new World());
    until(world, ['rebooting']);
    const orderedMs = world.bootMs;
    until(world, ['held']);
    assert.deepEqual(
      world.did('reboot').map(effect => effect.level),
      ['command', 'force', 'kernel'],
    );
    assert.equal(new Set(world.did('reboot').map(effect => effect.intent)).size, 1);
    assert.equal((world.of('reboot_forced')[0]?.bootMs ?? 0) - orderedMs, 5 * minuteMs);
    assert.equal(world.of('reboot_failed').at(-1)?.final, true);
    assert.equal(world.phase().name, 'held');
  });

  it('is not forced when what it was for has come back', () => {
    const world = dead(new World());
    until(world, ['rebooting']);
    world.up();
    while (world.wait());
    assert.deepEqual(
      world.did('reboot').map(effect => effect.level),
      ['command'],
    );
    assert.match(world.of('reboot_failed')[0]?.error ?? '', /is back/);
  });

  it('is forced all the same when sockmon was restarted in between, and at no other time', () => {
    const world = dead(new World());
    until(world, ['rebooting']);
    world.advance(2 * minuteMs);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    world.wait();
    assert.deepEqual(
      world.did('reboot').map(effect => effect.level),
      ['command', 'force'],
    );
    assert.equal(world.of('reboot_intent').length, 1);
  });
});

describe('a drill', () => {
  const drilled = () => new World(policy([resource('dns', { sensors: [sensor('process dnsmasq')] })]));

  it('kills, is marked as one, answers with the time it took, and does not count', () => {
    const world = drilled();
    world.up('dns');
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    assert.deepEqual(
      world.did('drill').map(effect => effect.resource),
      ['dns'],
    );
    world.die('dns');
    world.advance(120);
    world.up('dns');
    assert.equal(world.did('answer').at(-1)?.answer.detail, 'dns was killed and is back after 120 ms');
    assert.equal(world.look().outages_total, 0);
  });

  it('that finds nothing to kill is recorded and answered as failed, and the next death is an outage', () => {
    const world = drilled();
    world.up('dns');
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    world.input({ kind: 'drill_failed', resource: 'dns', command: 'd1', error: 'no process' });
    assert.deepEqual(
      world.of('command').map(entry => [entry.id, entry.status, entry.detail]),
      [
        ['d1', 'accepted', 'dns is killed on purpose'],
        ['d1', 'failed', 'no process'],
      ],
    );
    assert.equal(world.did('answer').at(-1)?.answer.status, 'failed');
    world.die('dns');
    assert.equal(world.of('outage_begin')[0]?.drill, undefined);
  });

  it('claims no later death than its own', () => {
    const world = drilled();
    world.up('dns');
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    world.advance(minuteMs);
    world.die('dns');
    assert.equal(world.of('outage_begin')[0]?.drill, undefined);
  });

  it('of what is replaced in time is answered too, although there is no outage', () => {
    const sensors = [sensor('process dnsmasq')];
    const world = new World(policy([resource('dns', { fallMs: 2000, sensors })]));
    world.up('dns');
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    world.die('dns');
    world.advance(300);
    world.up('dns');
    assert.equal(world.of('outage_begin').length, 0);
    assert.match(world.did('answer').at(-1)?.answer.detail ?? '', /killed; it is whole again after 300 ms/);
  });

  it('is refused where nobody would bring it back', () => {
    const world = drilled();
    world.up('dns');
    world.command({ id: 'p1', action: 'pause', forMs: minuteMs, press: false });
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    const watched = new World(policy([resource('dns', { steps: [], sensors: [sensor('process dnsmasq')] })]));
    watched.up('dns');
    watched.command({ id: 'd2', action: 'drill', target: 'dns', press: false });
    assert.deepEqual(
      [...world.of('command'), ...watched.of('command')].map(entry => entry.code),
      [undefined, 'paused', 'not_allowed'],
    );
    assert.equal(world.did('drill').length + watched.did('drill').length, 0);
  });

  it('needs something that lives and can be killed', () => {
    const world = drilled();
    world.command({ id: 'd1', action: 'drill', target: 'dns', press: false });
    assert.equal(world.of('command')[0]?.code, 'busy');
    const link = new World();
    link.up();
    link.command({ id: 'd2', action: 'drill', target: 'tcpip', press: false });
    assert.equal(link.of('command')[0]?.code, 'not_allowed');
  });
});

describe('a reboot that was never ordered, since its intent found no room on the disk', () => {
  it('uses up no budget, holds nobody off, and may be asked for again at once', () => {
    const world = new World(
      policy([resource('tcpip')], { holdOffMs: [600_000], budget: { max: 1, perMs: 86_400_000 } }),
    );
    world.up();
    world.command({ id: 'c1' });
    const intent = world.history.pendingIntent?.intent ?? '';
    world.input({ kind: 'reboot_failed', intent, error: 'no room', cancelled: true });
    world.restart();
    world.up();
    world.command({ id: 'c2' });
    const answers = world.did('answer').map(({ answer }) => [answer.id, answer.status]);
    assert.deepEqual(answers, [
      ['c1', 'accepted'],
      ['c1', 'failed'],
      ['c2', 'accepted'],
    ]);
    assert.notEqual(world.history.pendingIntent?.intent, intent, 'no id is used twice');
  });
});
