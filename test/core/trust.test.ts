/** What a careful person tries before arming it: each of these once ended in a reboot that nobody wanted, or in none that was needed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OutageHistory } from '../../src/core/outage-history.js';
import { viewOutage } from '../../src/report/outage-view.js';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('a script that not even SIGKILL ends', () => {
  it('does not stop the ladder: it is given up after its time, and the reboot comes', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 3 })] })]));
    world.up();
    world.die();
    for (let turn = 0; turn < 40 && world.phase().name !== 'rebooting'; turn++) world.wait();
    assert.equal(world.phase().name, 'rebooting');
    assert.equal(world.did('end_run').length, 3);
    assert.deepEqual(
      world.of('attempt_end').map(({ attempt, result }) => [attempt, result.kind]),
      [
        [1, 'timeout'],
        [2, 'timeout'],
        [3, 'timeout'],
      ],
    );
  });
});

describe('a reload', () => {
  const dns = (name: string) => resource('dns', { sensors: [sensor(`process ${name}`)] });

  it('that watches something else takes its absence for no death', () => {
    const world = new World(policy([dns('dnsmasq')]));
    world.up('dns');
    world.policy = policy([dns('dnsmasqq')]);
    world.input({ kind: 'configure' });
    world.sensor('dns', 'absent');
    assert.equal(world.phase('dns').name, 'absent');
    world.restart();
    world.sensor('dns', 'absent');
    assert.equal(world.phase('dns').name, 'absent', 'nor after the end of sockmon');
    assert.deepEqual(world.of('outage_begin'), []);
  });

  it('that changes the restart alone still takes it for one', () => {
    const world = new World(policy([dns('dnsmasq')]));
    world.up('dns');
    world.policy = policy([{ ...dns('dnsmasq'), steps: [step('another')] }]);
    world.input({ kind: 'configure' });
    assert.equal(world.did('unwatch').length, 0, 'it is watched without a gap');
    world.die('dns');
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('attempt')[0]?.step, 'another');
  });

  it('arms the reflex with the new script', () => {
    const world = new World(policy([dns('dnsmasq')]));
    world.up('dns');
    world.policy = policy([{ ...dns('dnsmasq'), steps: [step('another')] }]);
    world.input({ kind: 'configure' });
    const armed = world.did('arm').map(({ run }) => run?.argv[0] ?? null);
    assert.deepEqual(armed.slice(-2), [null, '/bin/another']);
  });

  it('with a cable pulled and the address gone is no death, nor is the end of sockmon then', () => {
    const world = new World();
    world.up();
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0' });
    world.sensor('tcpip', 'up', { sensor: 1, carrier: false, interface: 'eth0' });
    world.policy = policy([resource('tcpip', { riseMs: 5 })]);
    world.input({ kind: 'configure' });
    assert.equal(world.did('unwatch').length, 0);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    assert.deepEqual(world.of('outage_begin'), []);
  });

  it('whose new ladder lacks the step that runs begins at its foot', () => {
    const world = new World(
      policy([resource('tcpip', { steps: [step('a', { attempts: 1 }), step('b', { attempts: 1 })] })]),
    );
    world.up();
    world.die();
    world.runEnds(1);
    for (let turn = 0; turn < 4 && world.of('attempt').at(-1)?.step !== 'b'; turn++) world.wait();
    world.policy = policy([resource('tcpip', { steps: [step('c')] })]);
    world.input({ kind: 'configure' });
    world.runEnds(1);
    world.wait();
    assert.equal(world.of('attempt').at(-1)?.step, 'c');
    assert.deepEqual(world.of('reboot_intent'), []);
  });

  it('that takes a resource out and another that puts it back make no death of its absence', () => {
    const world = new World(policy([resource('tcpip'), dns('dnsmasq')]));
    world.up('dns');
    for (const resources of [[resource('tcpip')], [resource('tcpip'), dns('dnsmasq')]]) {
      world.policy = policy(resources);
      world.input({ kind: 'configure' });
    }
    world.sensor('dns', 'absent');
    assert.deepEqual(world.of('outage_begin'), []);
  });

  it('lets a running script go on, alone, and reads its end', () => {
    const world = new World();
    world.up();
    world.die();
    const phase = world.phase();
    assert.equal(phase.name, 'restarting');
    world.policy = policy([resource('tcpip', { riseMs: 10 })]);
    world.input({ kind: 'configure' });
    assert.equal(world.did('run').length, 1);
    world.runEnded(phase.name === 'restarting' ? phase.running.run : '', 1, 'no');
    assert.equal(world.of('attempt_end').length, 1);
    assert.equal(world.phase().name, 'settling');
  });
});

describe('two that give up at the same moment', () => {
  it('are one reboot, and one in the budget', () => {
    const world = new World(policy([resource('tcpip'), resource('ppp')]));
    world.up('tcpip');
    world.up('ppp');
    world.die('tcpip');
    world.die('ppp');
    for (let turn = 0; turn < 60; turn++) {
      for (const id of ['tcpip', 'ppp']) {
        const phase = world.phase(id);
        if (phase.name === 'restarting') world.runEnded(phase.running.run, 1, 'no');
      }
      if (world.did('reboot').length > 0) break;
      world.wait();
    }
    assert.deepEqual(
      ['tcpip', 'ppp'].map(id => world.phase(id).name),
      ['rebooting', 'rebooting'],
    );
    assert.equal(world.did('reboot').length, 1);
    assert.equal(world.of('reboot_intent').length, 1);
    assert.equal(world.history.intents.length, 1);
  });
});

describe('a ladder of several steps that has been given up', () => {
  const steps = [step('a', { attempts: 3 }), step('b', { attempts: 2 })];
  const ladder = () => {
    const world = new World(policy([resource('tcpip', { steps })], { holdOffMs: [hourMs] }));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    assert.equal(world.phase().name, 'rebooting');
    return world;
  };
  const names = (world: World, from: number) =>
    world
      .of('attempt')
      .slice(from)
      .map(one => one.step);

  it('is gone up once more in the next boot, and given up again', () => {
    const world = ladder();
    const before = world.of('attempt').length;
    world.restart('another-boot');
    world.fails(20 * minuteMs);
    // Once more when the machine has been up for long enough to reboot, then every 15 minutes.
    assert.deepEqual(names(world, before), ['a', 'a', 'a', 'b', 'b', 'a', 'a']);
    assert.equal(world.of('reboot_refused').at(-1)?.code, 'hold_off');
  });

  it('is not gone up again when sockmon is killed while it is held', () => {
    const world = new World(policy([resource('tcpip', { steps })], { allowed: false }));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    const before = world.of('attempt').length;
    world.restart();
    world.fails(world.bootMs + hourMs);
    const retries = world.of('attempt').length - before;
    assert.ok(retries >= 3 && retries <= 5, `one every 15 minutes, not ${retries} in an hour`);
  });
});

describe('attempts that a shutdown has held back', () => {
  it('move nobody up the ladder, also across the end of sockmon', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 2 })] })]));
    world.up();
    world.die();
    const result = { kind: 'not_started', error: 'ECANCELED' } as const;
    for (let held = 0; held < 10; held++) {
      const phase = world.phase();
      if (phase.name === 'restarting')
        world.input({ kind: 'run_ended', run: phase.running.run, atMs: world.bootMs, result, output: '' });
      if (held === 5) world.restart();
      world.wait();
    }
    const phase = world.phase();
    assert.equal(phase.name, 'restarting');
    world.runEnded(phase.name === 'restarting' ? phase.running.run : '', 1, 'no');
    const settling = world.phase();
    assert.equal(
      settling.name === 'settling' && settling.next.kind,
      'attempt',
      'one real failure is not two',
    );
    assert.deepEqual(world.of('recovery_failed'), []);
    assert.equal(world.history.attemptsOf('tcpip').length, 1);
  });
});

describe('an outage that ends with the reboot of its ladder, both boots by a clock that is right', () => {
  const rebooted = (): World => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 1 })] })]));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    assert.equal(world.phase().name, 'rebooting');
    world.advance(minuteMs);
    world.restart('another-boot');
    return world;
  };

  it('is uncertain in its end alone, where it is back at the first look: nobody looked while the machine was booting', () => {
    const world = rebooted();
    world.up();
    assert.deepEqual(world.look().last_outage?.uncertain, { ended_at: 'unseen', duration_s: 'at_most' });
  });

  it('is certain, where it is seen to come back', () => {
    const world = rebooted();
    world.sensor('tcpip', 'absent');
    world.advance(10_000);
    world.up();
    assert.equal(world.look().last_outage?.uncertain, undefined);
    assert.equal(world.look().last_outage?.time_uncertain, false);
  });
});

describe('an outage that nobody saw begin', () => {
  it('is uncertain in its begin, and lasted at least so long; also in its end, where nobody saw that either', () => {
    const world = new World(policy());
    world.up();
    world.advance(minuteMs);
    world.restart();
    world.sensor('tcpip', 'absent');
    assert.deepEqual(world.of('outage_begin')[0]?.cause, { kind: 'unseen' });
    const story = () =>
      viewOutage(world.history.outages[0] as OutageHistory, world.history.seenFrom(world.now()), 'network');
    assert.deepEqual(story().uncertain, { began_at: 'unseen' });
    const seen = { began_at: 'unseen', duration_s: 'at_least' };
    const both = { began_at: 'unseen', ended_at: 'unseen', duration_s: 'about' };
    world.advance(minuteMs);
    world.restart();
    world.up();
    assert.deepEqual(story().uncertain, both);
    const again = new World(policy());
    again.up();
    again.restart();
    again.sensor('tcpip', 'absent');
    again.up();
    assert.deepEqual(again.look().last_outage?.uncertain, seen);
  });
});

describe('an outage over a reboot of a gateway without a clock chip', () => {
  for (const [name, behindMs] of [
    ['1970', Number.POSITIVE_INFINITY],
    ['17 minutes behind', 17 * minuteMs],
    ['3 years ahead', -3 * 365 * 24 * hourMs],
  ] as const) {
    it(`whose clock starts at ${name} is told with its true times once the clock is set`, () => {
      const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 1 })] })]));
      world.up();
      const beganMs = world.wallMs;
      world.die();
      world.fails(world.bootMs + hourMs);
      assert.equal(world.phase().name, 'rebooting');
      const tookMs = world.wallMs - beganMs;
      const trueMs = world.wallMs + minuteMs;

      world.wallMs = behindMs === Number.POSITIVE_INFINITY ? 20_000 : trueMs - behindMs;
      world.synced = false;
      world.restart('another-boot');
      world.sensor('tcpip', 'absent');
      world.advance(10_000);
      world.up();
      const view = world.look().last_outage;
      assert.equal(view?.time_uncertain, true);
      assert.deepEqual(view?.uncertain, { ended_at: 'unset_clock', duration_s: 'at_least' });
      assert.ok((view?.duration_s ?? -1) >= 30, `at least what has passed for certain: ${view?.duration_s}`);

      world.advance(5000);
      world.wallMs = trueMs + 15_000;
      world.synced = true;
      const set = world.look().last_outage;
      assert.equal(set?.time_uncertain, false);
      assert.equal(set?.uncertain, undefined);
      assert.equal(set?.began_at, new Date(beganMs).toISOString());
      assert.equal(set?.ended_at, new Date(trueMs + 10_000).toISOString());
      assert.equal(set?.duration_s, (tookMs + minuteMs + 10_000) / 1000);
    });
  }

  it('of something without a script asks for its reboot after three minutes, whatever the clock says', () => {
    const world = new World(policy([resource('tcpip', { steps: [] })], { minUptimeMs: 0 }));
    world.up();
    world.die();
    world.synced = false;
    world.wallMs = 0;
    world.restart('another-boot');
    assert.equal(world.deadline(), world.bootMs + 180_000);
  });
});

describe('a reboot that hangs', () => {
  const hanging = () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 1 })] })]));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    return world;
  };
  const levels = (world: World) => world.did('reboot').map(({ level }) => level);

  it('is not forced once the owner has paused it', () => {
    const world = hanging();
    world.command({ id: 'p1', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
    world.advance(10 * minuteMs);
    world.input({ kind: 'tick' });
    assert.deepEqual(levels(world), ['command']);
    assert.match(world.of('reboot_failed').at(-1)?.error ?? '', /paused/);
  });

  it('is not forced once the owner has forbidden it', () => {
    const world = hanging();
    world.policy = { ...world.policy, reboot: { ...world.policy.reboot, allowed: false } };
    world.input({ kind: 'configure' });
    world.advance(10 * minuteMs);
    world.input({ kind: 'tick' });
    assert.deepEqual(levels(world), ['command']);
  });
});

describe('commands', () => {
  it('of an automation are refused during a pause, those of a person at the machine are not', () => {
    const world = new World();
    world.up();
    world.command({ id: 'p1', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
    world.command({ id: 'r1' });
    world.command({ id: 'r2', action: 'restart', target: 'tcpip', press: false, origin: 'mqtt:run' });
    world.command({ id: 'r3', action: 'restart', target: 'tcpip', press: false, origin: 'control' });
    assert.deepEqual(
      world.of('command').map(({ id, code, status }) => [id, code ?? status]),
      [
        ['p1', 'accepted'],
        ['r1', 'paused'],
        ['r2', 'paused'],
        ['r3', 'accepted'],
      ],
    );
  });

  it('that only asked are not taken for a wish: the real one may follow at once, under the same id', () => {
    const world = new World();
    world.up();
    world.command({ id: 'c1', origin: 'mqtt:run', press: false, dryRun: true });
    world.restart();
    world.up();
    world.command({ id: 'c1', origin: 'mqtt:run', press: false });
    assert.equal(world.did('reboot').length, 1);
  });

  it('to restart what never went down say so when the script failed', () => {
    const world = new World();
    world.up();
    world.command({ id: 'c1', action: 'restart', target: 'tcpip', press: false, origin: 'control' });
    const phase = world.phase();
    world.runEnded(phase.name === 'restarting' ? phase.running.run : '', 1, 'no');
    const answer = world.did('answer').at(-1)?.answer;
    assert.deepEqual(
      [answer?.status, answer?.detail],
      ['failed', 'the script failed with status 1; tcpip is up'],
    );
  });
});

describe('a reboot that was forced', () => {
  it('counts from then, so that the next one waits its whole time', () => {
    const ladder = [step('restart', { attempts: 1 })];
    const world = new World(policy([resource('tcpip', { steps: ladder })], { holdOffMs: [10 * minuteMs] }));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    world.advance(5 * minuteMs);
    world.input({ kind: 'tick' });
    assert.equal(world.did('reboot').at(-1)?.level, 'force');
    world.restart('another-boot');
    world.fails(9 * minuteMs);
    assert.equal(world.of('reboot_refused').at(-1)?.code, 'hold_off');
    assert.equal(world.did('reboot').filter(({ level }) => level === 'command').length, 1);
  });
});

describe('an outage that outlives a reboot', () => {
  it('is gone on with by the clock of its own boot when sockmon starts again', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 6 })] })]));
    world.advance(10 * 24 * hourMs);
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    assert.equal(world.phase().name, 'rebooting');
    world.restart('another-boot');
    world.sensor('tcpip', 'absent');
    world.wait();
    world.runEnds(1);
    world.restart();
    const phase = world.phase();
    assert.equal(phase.name === 'settling' && phase.next.kind, 'attempt');
    assert.ok((world.deadline() ?? Number.POSITIVE_INFINITY) - world.bootMs <= minuteMs);
    const before = world.of('attempt').length;
    for (let turn = 0; turn < 60 && world.of('reboot_refused').length === 0; turn++) {
      world.runEnds(1);
      world.wait();
    }
    assert.equal(world.of('attempt').length - before, 5, 'six of this boot in all');
  });

  it('leaves its resource known: its absence after the end of sockmon is a death again', () => {
    const world = new World();
    world.up();
    world.die();
    world.append({ type: 'stop', reason: 'SIGTERM' });
    world.restart('another-boot');
    world.sensor('tcpip', 'absent');
    world.up();
    world.advance(hourMs);
    world.restart();
    world.sensor('tcpip', 'absent');
    assert.equal(world.of('outage_begin').at(-1)?.cause.kind, 'unseen');
  });
});

describe('a resource that is only watched', () => {
  for (const needs of [[], ['tcpip']])
    it(`does not spin after a pause, needing ${needs.length === 0 ? 'nothing' : needs[0]}`, () => {
      const lan = resource('lan', { steps: [], rebootWhenFailed: false, needs });
      const world = new World(policy([resource('tcpip'), lan]));
      for (const id of ['tcpip', 'lan']) world.up(id);
      for (const id of ['tcpip', 'lan']) world.die(id);
      world.restart();
      world.command({ id: 'p', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
      world.advance(10 * minuteMs);
      world.input({ kind: 'tick' });
      world.command({ id: 'r', action: 'resume', press: false, origin: 'control' });
      world.up('tcpip');
      world.input({ kind: 'tick' });
      for (let turn = 0; turn < 5; turn++) world.wait();
      assert.ok((world.deadline() ?? Number.POSITIVE_INFINITY) > world.bootMs);
    });
});

describe('a disk that takes nothing', () => {
  it('is a reason to refuse the reboot, told once', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 1 })] })]));
    world.up();
    world.die();
    world.history.isUnwritten = true;
    world.fails(world.bootMs + 6 * hourMs);
    assert.deepEqual(world.of('reboot_intent'), []);
    assert.deepEqual(
      world.of('reboot_refused').map(({ code }) => code),
      ['journal_failed'],
    );
    world.fails(25 * hourMs);
    assert.equal(world.did('reboot').length, 1, 'uptime is the guard that needs no disk');
  });

  it('after the intent does not hinder the harder way, nor give back the budget', () => {
    const world = new World(policy([resource('tcpip', { steps: [step('restart', { attempts: 1 })] })]));
    world.up();
    world.die();
    world.fails(world.bootMs + hourMs);
    world.advance(5 * minuteMs);
    world.input({ kind: 'tick' });
    const intent = world.history.pendingIntent?.intent ?? '';
    world.input({ kind: 'reboot_failed', intent, error: 'no room', cancelled: true });
    assert.equal(world.history.intents.length, 1);
  });
});

describe('an outage of what has left the configuration while sockmon did not run', () => {
  it('is forgotten', () => {
    const vpn = resource('vpn', { sensors: [sensor('process vpn')], rebootWhenFailed: false });
    const world = new World(policy([resource('tcpip'), vpn]));
    world.up('vpn');
    world.die('vpn');
    world.policy = policy();
    world.restart();
    assert.equal(world.of('outage_end')[0]?.outcome, 'forgotten');
    assert.equal(world.history.openOutage('vpn'), undefined);
  });
});

describe('a restart that was asked for', () => {
  it('is not over because what is to go down still lives', () => {
    const world = new World();
    world.up();
    world.command({ id: 'c1', action: 'restart', target: 'tcpip', press: false, origin: 'control' });
    world.sensor('tcpip', 'up', { sensor: 1, detail: 'another address' });
    assert.equal(world.phase().name, 'restarting');
    world.die();
    world.up();
    assert.equal(world.did('answer').at(-1)?.answer.status, 'done');
    assert.equal(world.of('outage_begin').length, 1);
  });
});

describe('a pause of everything', () => {
  it('is not lifted for one, and says so', () => {
    const world = new World();
    world.command({ id: 'p', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
    world.command({ id: 'r', action: 'resume', target: 'tcpip', press: false, origin: 'control' });
    assert.equal(world.of('command').at(-1)?.code, 'paused');
  });
});
