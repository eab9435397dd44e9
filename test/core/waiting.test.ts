/** What waits: for the end of a batch, for a tick, for what it needs, for a pause, a budget or a person; and what must not be waited for. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policy, resource, sensor, step, World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

describe('what comes at once with a death', () => {
  it('and says that it is back, spares it the script', () => {
    const world = new World();
    world.up();
    world.input(world.report('tcpip', 'down'), world.report('tcpip', 'up'));
    assert.equal(world.phase().name, 'up');
    assert.deepEqual(world.did('run'), []);
    assert.deepEqual(
      world.of('outage_end').map(({ outcome, attempts }) => [outcome, attempts]),
      [['recovered', 0]],
    );
  });

  it('and says that what it needs is dead too, makes them one story', () => {
    const dns = resource('dns', { needs: ['tcpip'], sensors: [sensor('process dnsmasq')] });
    const world = new World(policy([dns, resource('tcpip')]));
    world.up('dns');
    world.up('tcpip');
    world.input(world.report('dns', 'down'), world.report('tcpip', 'down'));
    assert.equal(world.phase('dns').name, 'blocked');
    assert.deepEqual(
      world.did('run').map(({ run }) => run.env.SOCKMON_RESOURCE),
      ['tcpip'],
    );
    assert.equal(world.of('outage_root')[0]?.root, world.outage(1, 'tcpip'));
  });

  it('is not waited for when sockmon has only just started: the sensors speak before the script', () => {
    const world = new World();
    world.up();
    world.die();
    world.runEnds(1);
    world.advance(minuteMs);
    world.restart();
    world.up();
    assert.equal(world.phase().name, 'verifying');
    assert.equal(world.of('attempt').length, 1);
  });
});

describe('a restart budget and a reboot budget that are both used up', () => {
  it('are both told, once, also after a restart of sockmon', () => {
    const tcpip = resource('tcpip', {
      steps: [step('restart', { attempts: 3 })],
      restartBudget: { max: 2, perMs: hourMs },
    });
    const world = new World(policy([tcpip], { budget: { max: 0, perMs: 24 * hourMs } }));
    world.up();
    world.die();
    const held = () => world.of('notice').filter(({ what }) => what === 'held').length;
    const refused = () => world.of('reboot_refused').map(({ code }) => code);
    world.fails(world.bootMs + 20 * minuteMs);
    assert.deepEqual([held(), refused()], [1, []]);
    world.fails(world.bootMs + 3 * hourMs);
    assert.deepEqual([held(), refused()], [1, ['budget_exhausted']]);
    world.restart();
    world.sensor('tcpip', 'absent');
    world.fails(world.bootMs + 3 * hourMs);
    assert.deepEqual([held(), refused()], [1, ['budget_exhausted']]);
  });
});

describe('a resource that has no script but a reboot', () => {
  const vpn = resource('vpn', {
    steps: [],
    needs: ['tcpip'],
    sensors: [sensor('process vpn')],
  });
  const house = () => {
    const world = new World(policy([resource('tcpip', { rebootWhenFailed: false }), vpn]));
    for (const id of ['tcpip', 'vpn']) world.up(id);
    return world;
  };

  it('has its whole time once what it needs is back', () => {
    const world = house();
    world.die('tcpip');
    world.die('vpn');
    world.fails(world.bootMs + 18 * minuteMs);
    assert.equal(world.phase('vpn').name, 'blocked');
    world.up('tcpip');
    assert.equal(world.phase('vpn').name, 'settling');
    world.advance(2 * minuteMs);
    world.input({ kind: 'tick' });
    assert.deepEqual(world.of('reboot_intent'), []);
    world.advance(2 * minuteMs);
    world.input({ kind: 'tick' });
    assert.equal(world.of('reboot_intent').length, 1);
  });

  it('has it when its configuration is taken up anew', () => {
    const world = house();
    world.policy = { ...world.policy, reboot: { ...world.policy.reboot, minUptimeMs: 24 * hourMs } };
    world.die('vpn');
    while (world.phase('vpn').name !== 'held') world.wait();
    const resources = world.policy.resources.map(one => ({ ...one, riseMs: 1 }));
    world.policy = policy(resources);
    world.input({ kind: 'configure' });
    world.input({ kind: 'tick' });
    assert.equal(world.phase('vpn').name, 'settling');
    world.wait();
    assert.equal(world.of('reboot_intent').length, 1);
  });

  it('has it once a pause is over', () => {
    const world = house();
    world.command({ id: 'p', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
    world.die('vpn');
    while (world.phase('vpn').name !== 'held') world.wait();
    world.wait();
    assert.deepEqual([world.bootMs, world.phase('vpn').name], [2 * hourMs, 'settling']);
    world.wait();
    assert.deepEqual([world.bootMs, world.of('reboot_intent').length], [2 * hourMs + 3 * minuteMs, 1]);
  });
});

describe('a pause that is prolonged', () => {
  it('holds until its new end, and does not spin meanwhile', () => {
    const world = new World();
    world.up();
    world.command({ id: 'p', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
    world.die();
    world.advance(30 * minuteMs);
    world.command({ id: 'q', action: 'pause', forMs: 2 * hourMs, press: false, origin: 'control' });
    world.advance(45 * minuteMs);
    world.input({ kind: 'tick' });
    assert.ok((world.deadline() ?? 0) > world.bootMs);
    while (world.phase().name === 'held') world.wait();
    assert.equal(world.bootMs, hourMs + 30 * minuteMs + 2 * hourMs);
    assert.equal(world.of('attempt').length, 1);
  });
});

describe('a pulled cable is no death after a restart of sockmon', () => {
  const link = (world: World, carrier: boolean, state: 'up' | 'absent' = 'up') =>
    world.sensor('tcpip', state, { sensor: 1, carrier, interface: 'eth0' });
  const house = () => {
    const world = new World();
    world.sensor('tcpip', 'up');
    link(world, true);
    return world;
  };

  it('when it had kept coming and going before', () => {
    for (const last of ['flapping', 'steady']) {
      const world = house();
      for (const carrier of [false, true, false, true, false]) link(world, carrier);
      while (world.of('notice').at(-1)?.what !== last) assert.ok(world.wait());
      world.restart();
      link(world, false, 'absent');
      assert.deepEqual(world.of('outage_begin'), []);
    }
  });

  it('when it was pulled already at the start before', () => {
    const world = house();
    link(world, false);
    for (const state of ['up', 'absent'] as const) {
      world.restart();
      world.sensor('tcpip', 'up');
      link(world, false, state);
    }
    assert.deepEqual(world.of('outage_begin'), []);
  });

  it('when it was pulled as the outage ended', () => {
    const world = house();
    link(world, false);
    world.sensor('tcpip', 'down', { cause: { kind: 'probe', error: 'ENETUNREACH' } });
    world.sensor('tcpip', 'up');
    assert.equal(world.of('outage_end').length, 1);
    world.restart();
    world.sensor('tcpip', 'up');
    link(world, false, 'absent');
    assert.equal(world.of('outage_begin').length, 1);
  });

  it('but a death is one when its carrier is back, and still', () => {
    const world = house();
    for (const carrier of [false, true, false, true, false, true]) link(world, carrier);
    while (world.of('notice').at(-1)?.what !== 'steady') assert.ok(world.wait());
    world.restart();
    link(world, true, 'absent');
    assert.equal(world.of('outage_begin')[0]?.cause.kind, 'unseen');
  });
});

describe('the reflex', () => {
  it('is disarmed before a script runs that is to kill what it watches', () => {
    const world = new World();
    world.up();
    const effects = world.command({
      id: 'c1',
      action: 'restart',
      target: 'tcpip',
      press: false,
      origin: 'control',
    });
    const order = effects.flatMap(effect => (effect.do === 'arm' || effect.do === 'run' ? [effect.do] : []));
    assert.deepEqual(order, ['arm', 'run']);
  });
});

describe('an attempt that is due', () => {
  it('waits for the tick, before which the monitor thread is heard', () => {
    const world = new World();
    world.up();
    world.die();
    world.runEnds(1);
    world.advance(minuteMs);
    world.input({
      kind: 'evidence',
      resource: 'tcpip',
      outage: world.outage(1),
      when: 'before',
      evidence: nothing,
    });
    assert.equal(world.of('attempt').length, 1);
    world.input({ kind: 'tick' });
    assert.equal(world.of('attempt').length, 2);
  });

  const nothing = { kernel: [], addresses: [], routes: [] };
});

describe('what needs something that was down', () => {
  const house = (needed: object = {}) => {
    const dns = resource('dns', { needs: ['tcpip'], sensors: [sensor('process dnsmasq')] });
    const world = new World(policy([resource('tcpip', needed), dns]));
    for (const id of ['tcpip', 'dns']) world.up(id);
    return world;
  };

  it('is looked for before its script runs: the script of the other may have brought it back', () => {
    const world = house();
    world.die('tcpip');
    world.die('dns');
    world.runEnds(0, 'tcpip');
    world.up('tcpip');
    world.advance(30);
    world.up('dns');
    assert.deepEqual(
      world.of('attempt').map(attempt => attempt.resource),
      ['tcpip'],
    );
  });

  it('is a part of its outage, also of one that is only suspected at first', () => {
    const world = house({ fallMs: 5000 });
    world.die('tcpip');
    world.die('dns');
    assert.equal(world.phase('dns').name, 'blocked');
    world.wait();
    assert.equal(world.of('outage_root')[0]?.root, world.outage(1, 'tcpip'));
  });
});

describe('a pause of everything, and a reboot that was commanded before it', () => {
  for (const [origin, ways] of [
    ['mqtt:press', ['command']],
    ['control', ['command', 'force']],
  ] as const)
    it(`by ${origin}: ${ways.length === 1 ? 'it is left at that' : 'it comes, for he knows what he does'}`, () => {
      const world = new World();
      world.up();
      world.command({ origin, press: origin !== 'control' });
      world.command({ id: 'p', action: 'pause', forMs: hourMs, press: false, origin: 'control' });
      world.advance(5 * minuteMs);
      world.input({ kind: 'tick' });
      assert.deepEqual(
        world.did('reboot').map(({ level }) => level),
        ways,
      );
    });
});

describe('a script that stays as the service', () => {
  it('is not ended while what it serves is rising', () => {
    const world = new World(policy([resource('tcpip', { riseMs: 10_000 })]));
    world.up();
    world.die();
    world.advance(55_000);
    world.up();
    world.advance(5_000);
    world.input({ kind: 'tick' });
    assert.deepEqual(world.did('end_run'), []);
    world.wait();
    assert.equal(world.phase().name, 'verifying');
    world.wait();
    assert.equal(world.phase().name, 'up');
    world.runEnded(`${world.outage(1)}#1`, 0);
    assert.deepEqual(world.did('end_run'), []);
    assert.equal(world.of('attempt_end').length, 1);
  });
});

describe('a command to restart', () => {
  const restart = (world: World, id: string) =>
    world.command({ id, action: 'restart', target: 'tcpip', press: false, origin: 'control' });

  it('that another one replaces is answered', () => {
    const world = new World(policy([resource('tcpip', { rebootWhenFailed: false })]));
    world.up();
    restart(world, 'first');
    world.die();
    world.runEnds(1);
    restart(world, 'second');
    world.up();
    assert.deepEqual(
      world.did('answer').map(({ answer }) => [answer.id, answer.status]),
      [
        ['first', 'accepted'],
        ['second', 'accepted'],
        ['first', 'failed'],
        ['second', 'done'],
      ],
    );
  });

  it('of what has died a moment ago leaves the death its cause', () => {
    const world = new World(policy([resource('tcpip', { fallMs: 5000 })]));
    world.up();
    world.die();
    restart(world, 'first');
    world.up();
    assert.deepEqual(
      world.of('outage_begin').map(({ cause }) => cause.kind),
      ['link'],
    );
    assert.equal(world.did('answer').at(-1)?.answer.status, 'done');
    assert.equal(world.history.outagesTotal, 1);
  });
});
