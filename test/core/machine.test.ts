import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Input } from '../../src/core/input.js';
import type { Phase } from '../../src/core/state.js';
import { policy, resource, sensor, World } from './world.js';

type PhaseName = Phase['name'];

/** Brings a world into each phase. */
const into: Record<PhaseName, () => World> = {
  absent: () => new World(),
  up: () => {
    const world = new World();
    world.up();
    return world;
  },
  suspect: () => {
    const world = new World(policy([resource('tcpip', { fallMs: 2000 })]));
    world.up();
    world.die();
    return world;
  },
  blocked: () => {
    const world = new World(policy([resource('tcpip', { needs: ['wan'] }), resource('wan')]));
    world.up('tcpip');
    world.up('wan');
    world.die('wan');
    world.die('tcpip');
    return world;
  },
  restarting: () => {
    const world = into.up();
    world.die();
    return world;
  },
  verifying: () => {
    const world = into.restarting();
    world.advance(1000);
    world.up();
    return world;
  },
  settling: () => {
    const world = into.restarting();
    world.runEnded(`${world.outage(1)}#1`, 0);
    return world;
  },
  rebooting: () => exhaust(into.settling()),
  held: () => {
    const world = new World(policy([resource('tcpip')], { allowed: false }));
    world.up();
    world.die();
    return exhaust(world);
  },
};

function exhaust(world: World): World {
  for (let turn = 0; turn < 40; turn++) {
    const phase = world.phase();
    if (phase.name === 'rebooting' || phase.name === 'held') return world;
    if (phase.name === 'restarting') world.runEnded(phase.running.run, 0);
    else world.wait();
  }
  throw new Error('it never gave up');
}

const currentRun = (world: World): string => world.currentRun() ?? 'nobody#1';

type Event = (world: World) => void;
const events: Record<string, Event> = {
  'all up': world => world.up(),
  down: world => world.die(),
  'down with reflex': world => world.die('tcpip', `${world.outage(1)}#1`),
  'one absent': world => world.sensor('tcpip', 'absent', { sensor: 1 }),
  'script ends with 0': world => world.runEnded(currentRun(world), 0),
  'script fails': world => world.runEnded(currentRun(world), 1, 'no such device'),
  'another script ends': world => world.runEnded('somebody-else#1', 0),
  'deadline passes': world => world.wait(),
  'tick too early': world => world.input({ kind: 'tick' }),
  'restart commanded': world =>
    world.command({ action: 'restart', target: 'tcpip', press: false, origin: 'control' }),
  'reboot failed': world => {
    const phase = world.phase();
    world.input({
      kind: 'reboot_failed',
      intent: phase.name === 'rebooting' ? phase.intent : 'x',
      error: 'no',
      cancelled: true,
    });
  },
};

/** The whole table: phase x event -> phase. */
const table: Record<PhaseName, Record<string, PhaseName>> = {
  absent: {
    'all up': 'up',
    down: 'restarting',
    'down with reflex': 'restarting',
    'one absent': 'absent',
    'script ends with 0': 'absent',
    'script fails': 'absent',
    'another script ends': 'absent',
    'deadline passes': 'absent',
    'tick too early': 'absent',
    'restart commanded': 'restarting',
    'reboot failed': 'absent',
  },
  up: {
    'all up': 'up',
    down: 'restarting',
    'down with reflex': 'restarting',
    'one absent': 'up',
    'script ends with 0': 'up',
    'script fails': 'up',
    'another script ends': 'up',
    'deadline passes': 'up',
    'tick too early': 'up',
    'restart commanded': 'restarting',
    'reboot failed': 'up',
  },
  suspect: {
    'all up': 'up',
    down: 'suspect',
    'down with reflex': 'suspect',
    'one absent': 'suspect',
    'script ends with 0': 'suspect',
    'script fails': 'suspect',
    'another script ends': 'suspect',
    'deadline passes': 'restarting',
    'tick too early': 'suspect',
    'restart commanded': 'restarting',
    'reboot failed': 'suspect',
  },
  blocked: {
    'all up': 'up',
    down: 'blocked',
    'down with reflex': 'blocked',
    'one absent': 'blocked',
    'script ends with 0': 'blocked',
    'script fails': 'blocked',
    'another script ends': 'blocked',
    'deadline passes': 'blocked',
    'tick too early': 'blocked',
    'restart commanded': 'restarting',
    'reboot failed': 'blocked',
  },
  restarting: {
    'all up': 'verifying',
    down: 'restarting',
    'down with reflex': 'restarting',
    'one absent': 'restarting',
    'script ends with 0': 'settling',
    'script fails': 'settling',
    'another script ends': 'restarting',
    'deadline passes': 'restarting',
    'tick too early': 'restarting',
    'restart commanded': 'restarting',
    'reboot failed': 'restarting',
  },
  verifying: {
    'all up': 'verifying',
    down: 'restarting',
    'down with reflex': 'restarting',
    'one absent': 'restarting',
    'script ends with 0': 'verifying',
    'script fails': 'verifying',
    'another script ends': 'verifying',
    'deadline passes': 'up',
    'tick too early': 'verifying',
    'restart commanded': 'verifying',
    'reboot failed': 'verifying',
  },
  settling: {
    'all up': 'verifying',
    down: 'settling',
    'down with reflex': 'settling',
    'one absent': 'settling',
    'script ends with 0': 'settling',
    'script fails': 'settling',
    'another script ends': 'settling',
    'deadline passes': 'restarting',
    'tick too early': 'settling',
    'restart commanded': 'restarting',
    'reboot failed': 'settling',
  },
  rebooting: {
    'all up': 'verifying',
    down: 'rebooting',
    'down with reflex': 'rebooting',
    'one absent': 'rebooting',
    'script ends with 0': 'rebooting',
    'script fails': 'rebooting',
    'another script ends': 'rebooting',
    'deadline passes': 'rebooting',
    'tick too early': 'rebooting',
    'restart commanded': 'rebooting',
    'reboot failed': 'held',
  },
  held: {
    'all up': 'verifying',
    down: 'held',
    'down with reflex': 'held',
    'one absent': 'held',
    'script ends with 0': 'held',
    'script fails': 'held',
    'another script ends': 'held',
    'deadline passes': 'restarting',
    'tick too early': 'held',
    'restart commanded': 'restarting',
    'reboot failed': 'held',
  },
};

describe('the table of the machine', () => {
  for (const [from, row] of Object.entries(table) as [PhaseName, Record<string, PhaseName>][]) {
    for (const [name, event] of Object.entries(events)) {
      it(`${from}, ${name} -> ${row[name]}`, () => {
        const world = into[from]();
        assert.equal(world.phase().name, from);
        event(world);
        assert.equal(world.phase().name, row[name]);
      });
    }
  }
  it('an input for a resource that nobody watches changes nothing', () => {
    const world = into.up();
    const before = world.state;
    const inputs: Input[] = [
      { kind: 'cause', resource: 'nobody', sensor: 0, cause: { kind: 'unknown' } },
      { kind: 'run_started', pid: 4711, startTicks: 1, run: 'x#1', atMs: 1 },
      { kind: 'run_ended', run: 'x#1', atMs: 1, result: { kind: 'unknown' }, output: '' },
    ];
    for (const input of inputs) assert.deepEqual(world.input(input), []);
    assert.deepEqual(world.sensor('nobody', 'down'), []);
    assert.deepEqual(world.sensor('tcpip', 'down', { sensor: 9 }), []);
    assert.equal(world.state, before);
  });
});

describe('an outage', () => {
  it('begins with its record before its script, and ends when every sensor is up', () => {
    const world = into.up();
    const effects = world.die();
    assert.deepEqual(
      effects.map(effect => (effect.do === 'journal' ? effect.record.type : effect.do)),
      ['outage_begin', 'network', 'collect', 'attempt', 'arm', 'run'],
    );
    world.advance(1200);
    world.sensor('tcpip', 'up', { sensor: 0 });
    assert.equal(world.phase().name, 'restarting');
    world.up();
    assert.equal(world.phase().name, 'verifying');
    const [end] = world.of('outage_end');
    assert.equal(end?.durationMs, 1200);
    assert.equal(end?.attempts, 1);
    assert.equal(end?.timeUncertain, false);
    assert.deepEqual(end?.cause, { kind: 'link', what: 'interface_gone', interface: 'tap0' });
  });

  it('does not run the script a second time where the reflex has', () => {
    const world = into.up();
    world.die('tcpip', `${world.outage(1)}#1`);
    assert.equal(world.did('run').length, 0);
    assert.equal(world.of('attempt')[0]?.by, 'reflex');
  });

  it('is one, although two sensors see the same death, and learns the better cause', () => {
    const world = into.up();
    world.die();
    world.advance(20);
    world.sensor('tcpip', 'down', { cause: { kind: 'signal', signal: 'SIGKILL', coreDumped: false } });
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('outage_cause').length, 1);
    world.up();
    assert.equal(world.of('outage_end')[0]?.cause.kind, 'signal');
  });

  it('does not take for its cause what the restart script itself kills later', () => {
    const world = into.up();
    world.die();
    world.advance(5000);
    world.sensor('tcpip', 'down', { cause: { kind: 'signal', signal: 'SIGTERM', coreDumped: false } });
    assert.equal(world.of('outage_cause').length, 0);
  });

  it('learns a cause that is known only after the recovery', () => {
    const world = into.up();
    world.die();
    world.sensor('tcpip', 'down', { cause: { kind: 'unknown' } });
    world.up();
    world.advance(2000);
    world.input({ kind: 'cause', resource: 'tcpip', sensor: 0, cause: { kind: 'exit', code: 0 } });
    assert.deepEqual(world.of('outage_cause')[0]?.cause, { kind: 'exit', code: 0 });
    assert.deepEqual(world.history.outages[0]?.cause, { kind: 'exit', code: 0 });
  });

  it('does not take for its cause what died of the restart script and was explained later', () => {
    const world = into.up();
    world.die();
    world.advance(5000);
    world.sensor('tcpip', 'down', { cause: { kind: 'unknown' } });
    world.advance(100);
    world.input({
      kind: 'cause',
      resource: 'tcpip',
      sensor: 0,
      cause: { kind: 'signal', signal: 'SIGTERM', coreDumped: false },
    });
    assert.equal(world.of('outage_cause').length, 0);
  });

  it('gets six attempts, 30 s apart, and the reboot after three minutes', () => {
    const world = into.up();
    const began = world.bootMs;
    world.die();
    exhaust(world);
    const starts = world.of('attempt').map(attempt => attempt.atMs - began);
    assert.deepEqual(starts, [0, 30_000, 60_000, 90_000, 120_000, 150_000]);
    assert.equal(world.bootMs - began, 180_000);
    assert.equal(world.did('reboot').length, 1);
  });

  it('tries soon again when the first attempt fails at once: it may have met a stack that was still dying', () => {
    const world = into.up();
    world.die();
    world.advance(50);
    world.runEnded(`${world.outage(1)}#1`, 1, 'tap0: device or resource busy');
    world.wait();
    assert.equal(world.of('attempt')[1]?.atMs, (world.of('attempt')[0]?.atMs ?? 0) + 2000);
    assert.equal(world.of('attempt_end')[0]?.output, 'tap0: device or resource busy');
  });

  it('ends the session of a script that takes too long, once', () => {
    const world = into.restarting();
    world.wait();
    assert.deepEqual(
      world.did('end_run').map(effect => effect.run),
      [`${world.outage(1)}#1`],
    );
    world.input({ kind: 'tick' });
    assert.equal(world.did('end_run').length, 1);
    world.input({
      kind: 'run_ended',
      run: `${world.outage(1)}#1`,
      atMs: world.bootMs,
      result: { kind: 'signal', signal: 'SIGTERM' },
      output: '',
    });
    assert.equal(world.of('attempt_end')[0]?.result.kind, 'timeout');
  });

  it('leaves a script alone that stays on as the service, once the resource is back', () => {
    const world = into.restarting();
    world.up();
    world.advance(10 * 60_000);
    world.input({ kind: 'tick' });
    assert.equal(world.did('end_run').length, 0);
    world.runEnded(`${world.outage(1)}#1`, 0);
    assert.equal(world.of('attempt_end').length, 1);
  });

  it('is not begun by a loss of carrier alone, which is told', () => {
    const world = into.up();
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0' });
    world.sensor('tcpip', 'up', { sensor: 1, carrier: false, interface: 'eth0' });
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0' });
    assert.equal(world.phase().name, 'up');
    assert.deepEqual(
      world.of('notice').map(notice => notice.what),
      ['carrier_lost', 'carrier_back'],
    );
  });

  it('is begun when the address does not come back within a minute after the carrier, and not by the waiting', () => {
    const world = into.up();
    const cause = { kind: 'link', what: 'no_address', interface: 'eth0' } as const;
    world.sensor('tcpip', 'up', { sensor: 1, carrier: false, interface: 'eth0' });
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0', cause });
    world.advance(59_000);
    world.input({ kind: 'tick' });
    assert.equal(world.phase().name, 'up');
    world.wait();
    assert.equal(world.phase().name, 'restarting');
    assert.deepEqual(world.of('outage_begin')[0]?.cause, cause);
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0' });
    assert.equal(world.phase().name, 'verifying');
  });

  it('is not begun when the address comes back in time', () => {
    const world = into.up();
    world.sensor('tcpip', 'up', {
      sensor: 1,
      carrier: true,
      interface: 'eth0',
      cause: { kind: 'link', what: 'no_address', interface: 'eth0' },
    });
    world.sensor('tcpip', 'up', { sensor: 1, carrier: true, interface: 'eth0' });
    assert.equal(world.wait(), false);
    assert.equal(world.phase().name, 'up');
  });

  it('of something that keeps dying is answered later and later, and the reflex is disarmed', () => {
    const world = into.up();
    const delays: number[] = [];
    for (let death = 0; death < 8; death++) {
      world.die();
      const died = world.bootMs;
      if (world.phase().name === 'settling') world.wait();
      delays.push(world.bootMs - died);
      world.recovers();
    }
    assert.deepEqual(delays, [0, 0, 0, 1000, 2000, 4000, 8000, 16_000]);
    assert.equal(world.did('arm').at(-1)?.run, null);
    world.wait();
    assert.notEqual(world.did('arm').at(-1)?.run, null);
  });

  it('with no script and no reboot is watched and told', () => {
    const world = new World(policy([resource('tcpip', { steps: [], rebootWhenFailed: false })]));
    world.up();
    world.die();
    assert.equal(world.phase().name, 'held');
    assert.equal(world.wait(), false);
    world.up();
    assert.equal(world.of('outage_end').length, 1);
  });
});

describe('giving up', () => {
  it('records the intent before the reboot', () => {
    const world = into.rebooting();
    const effects = world.effects.map(effect => (effect.do === 'journal' ? effect.record.type : effect.do));
    assert.ok(effects.indexOf('reboot_intent') < effects.indexOf('reboot'));
    assert.ok(effects.indexOf('recovery_failed') < effects.indexOf('reboot_intent'));
  });

  it('tells a refused reboot once, however often one more attempt is made', () => {
    const world = into.held();
    for (let hour = 0; hour < 50; hour++) exhaustOnce(world);
    assert.equal(world.of('reboot_refused').length, 1);
    assert.equal(world.of('recovery_failed').length, 1);
    assert.equal(world.did('reboot').length, 0);
    assert.ok(world.of('attempt').length > 10);
  });

  it('waits for the uptime floor and asks again', () => {
    const world = into.up();
    world.bootMs = 60_000;
    world.die();
    world.bootMs = 60_000;
    exhaust(world);
    assert.equal(world.of('reboot_refused')[0]?.code, 'uptime_floor');
    while (world.did('reboot').length === 0) exhaustOnce(world);
    assert.ok(world.bootMs >= 300_000);
  });

  it('goes on with an attempt every 15 minutes, also while the reboot budget is used up for a day', () => {
    const world = new World(policy([resource('tcpip')], { budget: { max: 1, perMs: 86_400_000 } }));
    world.up();
    world.append({ type: 'reboot_intent', intent: 'earlier', reason: 'test' });
    world.append({ type: 'reboot_failed', intent: 'earlier', error: 'test' });
    world.die();
    exhaust(world);
    assert.equal(world.of('reboot_refused')[0]?.code, 'budget_exhausted');
    const tried = world.of('attempt').length;
    world.advance(15 * 60_000);
    world.input({ kind: 'tick' });
    assert.equal(world.of('attempt').length, tried + 1);
  });

  function exhaustOnce(world: World): void {
    const phase = world.phase();
    if (phase.name === 'restarting') world.runEnded(phase.running.run, 1);
    else world.wait();
  }
});

describe('a restart of sockmon', () => {
  it('goes on with the outage where it was: no attempt and no record twice', () => {
    const world = into.settling();
    world.advance(5000);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    world.sensor('tcpip', 'up', { sensor: 0 });
    assert.equal(world.phase().name, 'settling');
    world.wait();
    assert.equal(world.of('attempt')[1]?.attempt, 2);
    assert.equal(world.of('attempt')[1]?.atMs, (world.of('attempt')[0]?.atMs ?? 0) + 30_000);
    world.up();
    assert.equal(world.of('outage_begin').length, 1);
    assert.equal(world.of('outage_end').length, 1);
    assert.equal(world.of('outage_end')[0]?.timeUncertain, false);
  });

  it('closes an outage that ended while it was away, and says that the time is uncertain', () => {
    const world = into.settling();
    world.advance(60_000);
    world.restart();
    world.up();
    assert.equal(world.of('outage_end')[0]?.timeUncertain, true);
  });

  it('sees what died while it was away, in this boot', () => {
    const world = into.up();
    world.restart();
    world.sensor('tcpip', 'up', { sensor: 0 });
    world.sensor('tcpip', 'absent', { sensor: 1 });
    assert.equal(world.of('outage_begin')[0]?.cause.kind, 'unseen');
    assert.equal(world.phase().name, 'restarting');
  });

  it('believes in no death after a clean stop or in another boot', () => {
    const stopped = into.up();
    stopped.append({ type: 'stop', reason: 'SIGTERM' });
    stopped.restart();
    stopped.sensor('tcpip', 'absent', { sensor: 1 });
    assert.equal(stopped.phase().name, 'absent');
    const rebooted = into.up();
    rebooted.restart('b0000002-boot');
    rebooted.sensor('tcpip', 'absent', { sensor: 1 });
    assert.equal(rebooted.phase().name, 'absent');
  });

  it('reports the reboot as done in another boot, and the outage with its whole duration', () => {
    const world = into.rebooting();
    const began = world.of('outage_begin')[0]?.wallMs ?? 0;
    world.advance(45_000);
    world.restart('b0000002-boot');
    assert.equal(world.of('rebooted')[0]?.tookMs, 45_000);
    world.advance(10_000);
    world.up();
    assert.equal(world.of('outage_end')[0]?.durationMs, world.wallMs - began);
    assert.equal(world.did('reboot').length, 1);
  });

  it('does not reboot twice for one intent: in the same boot it waits for the first', () => {
    const world = into.rebooting();
    world.advance(1000);
    world.restart();
    world.sensor('tcpip', 'absent', { sensor: 1 });
    assert.equal(world.phase().name, 'rebooting');
    assert.equal(world.did('reboot').length, 1);
  });
});

describe('a reload', () => {
  it('leaves what is unchanged alone, watches the new, forgets the gone and closes its outage', () => {
    const world = new World(
      policy([resource('tcpip'), resource('dns', { sensors: [sensor('process dnsmasq')] })]),
    );
    world.up('tcpip');
    world.up('dns');
    world.die('dns');
    const watched = world.did('watch').length;
    world.policy = policy([resource('tcpip'), resource('vpn', { sensors: [sensor('process wg')] })]);
    world.input({ kind: 'configure' });
    assert.deepEqual(
      world
        .did('watch')
        .slice(watched)
        .map(effect => effect.resource),
      ['vpn'],
    );
    assert.deepEqual(
      world.did('unwatch').map(effect => effect.resource),
      ['dns'],
    );
    assert.equal(world.of('outage_end')[0]?.outcome, 'forgotten');
    assert.equal(world.phase('tcpip').name, 'up');
  });
});

describe('commands', () => {
  it('a press reboots once, with the intent before it', () => {
    const world = into.up();
    world.command({ id: 'press-1' });
    assert.equal(world.did('reboot').length, 1);
    assert.equal(world.of('reboot_intent')[0]?.command, 'press-1');
    world.command({ id: 'press-2' });
    assert.equal(world.of('command').at(-1)?.code, 'rate_limited');
    assert.equal(world.did('reboot').length, 1);
  });

  it('a reboot by command is answered done in the next boot, until the broker has the event that tells of it', () => {
    const world = into.up();
    const done = () => world.did('answer').filter(({ answer }) => answer.status === 'done');
    world.command({ id: 'press-1' });
    world.advance(5000);
    world.restart();
    assert.equal(done().length, 0, 'the machine is still in the boot of the command');
    world.advance(40_000);
    world.restart('b0000002-boot');
    assert.deepEqual(
      done().map(({ answer: { id, action, code, detail } }) => [id, action, code, detail]),
      [['press-1', 'reboot', null, 'the machine has rebooted in 45.0 s']],
    );
    world.restart();
    assert.equal(done().length, 2, 'nobody has acknowledged anything yet');
    world.append({ type: 'published', upTo: world.of('rebooted')[0]?.seq ?? 0 });
    world.restart();
    world.restart('b0000003-boot');
    assert.equal(done().length, 2);
    assert.equal(world.of('rebooted').length, 1);
  });

  it('a reboot that nobody commanded, or that has failed for good, is answered to nobody', () => {
    const alone = into.rebooting();
    alone.restart('b0000002-boot');
    assert.equal(alone.of('rebooted').length, 1);
    assert.deepEqual(alone.did('answer'), []);
    const failed = into.up();
    failed.command({ id: 'press-1' });
    while (failed.of('reboot_failed').at(-1)?.final !== true && failed.wait());
    failed.restart('b0000002-boot');
    assert.deepEqual(
      failed.did('answer').map(({ answer }) => answer.status),
      ['accepted', 'failed'],
    );
  });

  it('a commanded restart is a story, but no outage that counts; the reflex does not answer it', () => {
    const world = into.up();
    world.command({ id: 'r-1', action: 'restart', target: 'tcpip', press: false, origin: 'control' });
    assert.equal(world.did('arm').at(-1)?.run, null);
    world.die();
    assert.equal(world.of('outage_begin').length, 1);
    world.up();
    assert.equal(world.of('outage_end')[0]?.cause.kind, 'commanded');
    assert.deepEqual(
      world.did('answer').map(effect => effect.answer.status),
      ['accepted', 'done'],
    );
    assert.equal(world.did('arm').at(-1)?.run, null, 'its script may stop it once more');
    world.recovers();
    assert.notEqual(world.did('arm').at(-1)?.run, null);
  });

  it('a dry run is answered and does nothing', () => {
    const world = into.up();
    world.command({ id: 'dry-1', dryRun: true });
    assert.equal(world.did('reboot').length, 0);
    assert.equal(world.did('answer')[0]?.answer.status, 'accepted');
  });
});
