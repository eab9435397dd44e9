import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { causeWords, describe as describeEntry, durationWords } from '../../src/core/words.js';
import { policy, resource, sensor, World } from '../core/world.js';

describe('the snapshot', () => {
  it('names a journal that cannot be written among the problems', () => {
    const world = new World();
    world.up();
    assert.deepEqual(world.look().problems, []);
    assert.deepEqual(world.look('The disk is full.').problems, ['The disk is full.']);
  });

  it('of a fresh start says what is missing', () => {
    const world = new World();
    world.sensor('tcpip', 'absent', { sensor: 1, detail: 'no default route' });
    const seen = world.look();
    assert.equal(seen.status, 'online');
    assert.equal(seen.resources.tcpip?.state, 'absent');
    assert.match(seen.resources.tcpip?.reason ?? '', /no default route/);
    assert.equal(seen.last_outage, null);
    assert.deepEqual([seen.uptime_24h_pct, seen.uptime_30d_pct], [null, null]);
  });

  it('tells what has not come up 5 minutes after the start, by itself, until it does', () => {
    const world = new World(
      policy([resource('wan'), resource('dns', { sensors: [sensor('process dnsmaq')] })]),
    );
    world.sensor('wan', 'up');
    world.sensor('wan', 'absent', { sensor: 1, detail: 'no default route' });
    world.sensor('dns', 'absent', { detail: 'no process is named dnsmaq' });
    const began = world.bootMs;
    world.advance(299_000);
    world.input({ kind: 'tick' });
    assert.deepEqual([world.look().status, world.look().problems], ['online', []]);
    assert.ok(world.wait(), 'nothing else has to happen');
    assert.equal(world.bootMs, began + 300_000);
    assert.equal(world.look().status, 'recovering');
    assert.deepEqual(world.look().problems, [
      'wan has not been seen alive since sockmon watches it, for more than 5 min: no default route; start it, or mend its "watch" in the configuration',
      'dns has not been seen alive since sockmon watches it, for more than 5 min: no process is named dnsmaq; start it, or mend its "watch" in the configuration',
    ]);
    assert.equal(world.deadline(), null, 'and it is no busy loop');
    world.up('wan');
    assert.equal(world.look().status, 'online');
    assert.equal(world.look().problems.length, 1);
    world.command({ id: 'p', action: 'pause', target: 'dns', press: false, forMs: 600_000 });
    assert.deepEqual(world.look().problems, [], 'what is paused is absent on purpose');
    assert.equal(world.wait(), true);
    assert.equal(world.look().problems.length, 1, 'until the pause is over');
  });

  it('does not miss what came and went within the first minutes', () => {
    const world = new World(policy([resource('wan', { steps: [], rebootWhenFailed: false })]));
    world.up('wan');
    world.advance(600_000);
    world.input({ kind: 'tick' });
    assert.deepEqual(world.look().problems, []);
    world.die('wan');
    assert.equal(world.look().problems.length, 1);
    assert.match(world.look().problems[0] ?? '', /down and left alone/);
  });

  it('of an outage says what is going on, and afterwards what happened', () => {
    const world = new World();
    world.up();
    const began = world.wallMs;
    world.die();
    world.advance(500);
    world.runEnded(`${world.outage(1)}#1`, 2);
    const during = world.look();
    assert.equal(during.status, 'recovering');
    assert.equal(
      during.resources.tcpip?.reason,
      'interface tap0 disappeared; attempt 1 failed with status 2; the next attempt in 1.5 s unless it comes back',
    );
    world.advance(500);
    world.up();
    const { last_outage: last, outages_24h, outages_total } = world.look();
    assert.deepEqual([outages_24h, outages_total], [1, 1]);
    assert.equal(last?.began_at, new Date(began).toISOString());
    assert.equal(last?.duration_s, 1);
    assert.equal(last?.cause, 'interface tap0 disappeared');
    assert.equal(last?.outcome, 'recovered');
  });

  it('counts the time without the network, overlaps once, and days only as far as the journal goes', () => {
    const world = new World(policy([resource('tcpip'), resource('wan')]));
    world.up('tcpip');
    world.up('wan');
    world.append({ type: 'start', version: '1', pid: 1, resources: [] });
    world.advance(4_000_000);
    world.die('tcpip');
    world.advance(500_000);
    world.die('wan');
    world.up('tcpip');
    world.advance(500_000);
    world.up('wan');
    assert.equal(world.look().uptime_24h_pct, 80);
    world.advance(86_400_000);
    assert.equal(world.look().outages_24h, 0);
    assert.equal(world.look().uptime_24h_pct, 100);
    const month = world.look().uptime_30d_pct;
    assert.ok(month !== null && month < 100);
  });

  it('tells no share of a time of which it has hardly seen anything', () => {
    const world = new World();
    world.append({ type: 'start', version: '1', pid: 1, resources: [] });
    world.up();
    world.advance(20_000);
    world.die();
    world.advance(1500);
    world.up();
    const shares = () => [world.look().uptime_24h_pct, world.look().uptime_30d_pct];
    assert.deepEqual(shares(), [null, null]);
    world.advance(3_600_000 - 21_501);
    assert.deepEqual(shares(), [null, null], 'a millisecond before the hour');
    world.advance(1);
    assert.deepEqual(shares(), [99.958, null]);
    world.advance(23 * 3_600_000);
    assert.deepEqual(shares(), [99.998, 99.998]);
  });

  it('tells right times of this boot after the clock was set', () => {
    const world = new World();
    world.wallMs = 0;
    world.up();
    world.die();
    world.advance(1000);
    world.up();
    world.wallMs = Date.parse('2026-11-22T08:00:00Z');
    assert.equal(world.look().last_outage?.began_at, '2026-11-22T07:59:59.000Z');
  });

  it('says what is paused, until when, and that this is no problem', () => {
    const world = new World(policy([resource('tcpip'), resource('wan')]));
    world.up('tcpip');
    world.up('wan');
    world.command({ id: 'p', action: 'pause', target: 'wan', forMs: 60_000, press: false });
    const until = new Date(world.wallMs + 60_000).toISOString();
    world.die('wan');
    const one = world.look();
    assert.deepEqual([one.pause, one.problems], [null, []]);
    assert.deepEqual([one.resources.wan?.paused_until, one.resources.tcpip?.paused_until], [until, null]);
    assert.match(one.resources.wan?.reason ?? '', /recovery is paused/);
    world.command({ id: 'q', action: 'pause', forMs: 60_000, press: false });
    assert.equal(world.look().pause, until);
    world.command({ id: 'r', action: 'resume', press: false });
    assert.deepEqual([world.look().pause, world.look().resources.wan?.paused_until], [null, null]);
  });

  it('names what keeps dying, what is left alone, and whose story something is a part of', () => {
    const dns = resource('dns', { needs: ['tcpip'], steps: [], rebootWhenFailed: false });
    const world = new World(policy([resource('tcpip'), dns, resource('nap', { steps: [] })]));
    for (const id of ['tcpip', 'dns', 'nap']) world.up(id);
    for (let death = 0; death < 4; death++) {
      world.die('tcpip');
      while (world.phase('tcpip').name === 'settling') world.wait();
      if (death < 3) world.recovers('tcpip');
    }
    world.die('dns');
    const { resources, problems } = world.look();
    assert.equal(resources.tcpip?.flapping, true);
    assert.equal(resources.dns?.root, world.outage(4));
    assert.deepEqual(problems, [
      'tcpip keeps dying',
      'dns is down and left alone: interface tap0 disappeared; it has no restart script; sockmon only watches it',
    ]);
  });

  it('shows a reboot that has been ordered and does not come', () => {
    const world = new World();
    assert.equal(world.look().reboot.pending, null);
    world.command({ id: 'c', action: 'reboot' });
    const ordered_at = new Date(world.wallMs).toISOString();
    assert.deepEqual(world.look().reboot.pending, {
      reason: 'commanded by mqtt:press',
      ordered_at,
      level: 'command',
    });
    world.wait();
    assert.equal(world.look().reboot.pending?.level, 'force');
    world.restart('another-boot');
    assert.equal(world.look().reboot.pending, null);
  });

  it('is degraded where a sensor cannot work, and says which', () => {
    const world = new World();
    const of = { what: 'sensor', resource: 'tcpip', sensor: 1 } as const;
    world.input({ kind: 'fault', of, detail: 'no rtnetlink here', active: true });
    world.input({ kind: 'fault', of, detail: 'no rtnetlink here', active: true });
    assert.deepEqual(world.look().detection, { quality: 'degraded', notes: ['tcpip: no rtnetlink here'] });
    assert.equal(world.of('notice').length, 1);
  });
});

describe('sentences', () => {
  it('name a cause in a few words', () => {
    assert.equal(
      causeWords({ kind: 'signal', signal: 'SIGSEGV', coreDumped: true }),
      'killed by SIGSEGV, core dumped',
    );
    assert.equal(causeWords({ kind: 'exit', code: 3 }), 'exited with status 3');
    assert.equal(
      causeWords({ kind: 'link', what: 'no_address', interface: 'ppp0' }),
      'interface ppp0 lost its address',
    );
  });

  it('name a duration in two units at most', () => {
    const cases: [number, string][] = [
      [0, '0 ms'],
      [349.6, '350 ms'],
      [12_400, '12.4 s'],
      [59_999, '1 min'],
      [185_000, '3 min 5 s'],
      [180_000, '3 min'],
      [7_800_000, '2 h 10 min'],
      [273_600_000, '3 d 4 h'],
    ];
    for (const [ms, words] of cases) assert.equal(durationWords(ms), words);
  });

  it('exist for every entry of a whole story', () => {
    const world = new World(policy([resource('tcpip')], { minUptimeMs: 0 }));
    world.up();
    world.die();
    while (world.did('reboot').length === 0) {
      const phase = world.phase();
      if (phase.name === 'restarting') world.runEnded(phase.running.run, 1, 'it said no');
      else world.wait();
    }
    for (const entry of world.entries) {
      const { text } = describeEntry(entry);
      assert.ok(text.length > 5 && !text.includes('undefined') && !text.includes('[object'), text);
    }
  });
});
