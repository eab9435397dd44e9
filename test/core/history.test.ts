/** What the daemon keeps of its past in memory, and what that costs. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { History, wholeHistory } from '../../src/core/history.js';
import type { JournalEntry } from '../../src/core/records.js';
import { lastBootOf } from '../../src/report/last-boot.js';
import { snapshot } from '../../src/report/snapshot.js';
import { policy, resource, sensor, World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Outages of a minute each, so far apart. */
function deaths(world: World, count: number, apartMs: number, id = 'tcpip'): void {
  const kernel = ['eth0: Link is Down'];
  for (let n = 0; n < count; n++) {
    world.up(id);
    world.die(id);
    const { outage } = world.of('outage_begin').at(-1) ?? { outage: '' };
    const evidence = { kernel, addresses: [], routes: [] };
    if (n % 10 === 0) world.append({ type: 'evidence', outage, resource: id, when: 'before', ...evidence });
    world.advance(minuteMs);
    world.up(id);
    world.advance(apartMs);
  }
}

function look(world: World, history: History) {
  const lastBoot = lastBootOf([], world.now());
  const info = {
    node: 'gw',
    version: '1',
    started: world.now(),
    policy: world.policy,
    journalFault: null,
    lastBoot,
  };
  const seen = { state: world.state, history, now: world.now(), info };
  const { outages_24h, outages_total, uptime_24h_pct, uptime_30d_pct, last_outage } = snapshot(seen);
  const known = {
    uptime_24h_pct: uptime_24h_pct ?? Number.NaN,
    uptime_30d_pct: uptime_30d_pct ?? Number.NaN,
  };
  return { outages_24h, outages_total, ...known, last: last_outage?.id };
}

describe('a history of years', () => {
  it('keeps the latest outages and the open ones, and the evidence of a few', () => {
    const world = new World(policy([resource('tcpip'), resource('wan')]));
    world.up('wan');
    world.die('wan');
    deaths(world, 1500, 10 * minuteMs);
    const { outages } = world.history;
    assert.ok(outages.length >= 1000 && outages.length <= 1101, `${outages.length} outages`);
    assert.equal(world.history.openOutage('wan')?.id, world.outage(1, 'wan'));
    assert.equal(outages.at(-1)?.id, world.outage(1500));
    const withEvidence = outages.filter(outage => outage.evidence.before !== null);
    assert.ok(withEvidence.length >= 1 && withEvidence.length <= 3, `${withEvidence.length} with evidence`);
    assert.equal(world.history.outagesOf('tcpip'), 1500);
    assert.equal(wholeHistory(world.entries).outages.length, 1501, 'who reads and ends has them all');
  });

  it('keeps no more than that after many were down at once', () => {
    const ids = Array.from({ length: 3000 }, (_, i) => `s${i}`);
    const world = new World(
      policy([resource('tcpip'), ...ids.map(id => resource(id, { sensors: [sensor('process')] }))]),
    );
    for (const id of ids) world.up(id);
    for (const id of ids) world.die(id);
    assert.equal(world.history.outages.length, 3000, 'what is open is kept');
    for (const id of ids) world.up(id);
    deaths(world, 2, 10 * minuteMs);
    const { outages } = world.history;
    assert.ok(outages.length <= 1101, `${outages.length} outages`);
  });

  it('tells the same figures as one that keeps everything', () => {
    const world = new World(policy([resource('tcpip'), resource('dns', { sensors: [sensor('process')] })]));
    for (let day = 0; day < 40; day++) {
      world.command({ id: `r${day}`, action: 'restart', target: 'tcpip', press: false });
      deaths(world, 30, 20 * minuteMs);
      deaths(world, 10, 14 * minuteMs, 'dns');
      world.advance(10 * hourMs);
      if (day % 7 === 0) world.restart(`boot-${day}`);
    }
    deaths(world, 100, 10 * minuteMs);
    const whole = look(world, new History(world.entries, Number.POSITIVE_INFINITY));
    const bounded = look(world, world.history);
    assert.ok(world.history.outages.length < 1102);
    // The window begins in the middle of an hour.
    assert.ok(Math.abs(bounded.uptime_30d_pct - whole.uptime_30d_pct) < 0.02, JSON.stringify(bounded));
    assert.deepEqual({ ...bounded, uptime_30d_pct: 0 }, { ...whole, uptime_30d_pct: 0 });
    assert.ok(whole.uptime_30d_pct < 98);
  });

  it('counts 24 hours right, also when more than it keeps were in them', () => {
    const world = new World();
    world.advance(2 * dayMs);
    for (let n = 0; n < 2500; n++) {
      world.up();
      world.die();
      world.advance(10_000);
      world.up();
      world.runEnds(0);
      world.advance(25_000);
    }
    const whole = look(world, new History(world.entries, Number.POSITIVE_INFINITY));
    const bounded = look(world, world.history);
    assert.ok(Math.abs(bounded.outages_24h - whole.outages_24h) <= 103, JSON.stringify([bounded, whole]));
    assert.equal(bounded.outages_total, 2500);
    assert.ok(Math.abs(bounded.uptime_24h_pct - whole.uptime_24h_pct) < 1.5);
  });

  it('does not cost a snapshot more and more', t => {
    const world = new World();
    const entries: JournalEntry[] = [];
    const history = new History();
    deaths(world, 10, 10 * minuteMs);
    const stamp = (n: number) => ({ seq: n + 1, ...world.now(), bootMs: n * 60_000, wallMs: n * 60_000 });
    for (let n = 0; n < 20_000; n++) {
      const outage = `b-tcpip-${n + 1}`;
      const cause = { kind: 'unknown' } as const;
      const common = { outage, resource: 'tcpip', atMs: n * 60_000, cause };
      entries.push({ ...stamp(2 * n), type: 'outage_begin', ...common, sensor: 'stack' });
      const end = { beganWallMs: 0, endedWallMs: 0, durationMs: 1000, timeUncertain: false, attempts: 0 };
      entries.push({ ...stamp(2 * n + 1), type: 'outage_end', ...common, ...end, outcome: 'recovered' });
    }
    for (const entry of entries) history.apply(entry);
    const began = performance.now();
    for (let n = 0; n < 100; n++) look(world, history);
    t.diagnostic(
      `after 20,000 outages a snapshot takes ${((performance.now() - began) / 100).toFixed(2)} ms`,
    );
    assert.ok(history.outages.length <= 1101);
    assert.ok(history.past.all().length <= 800);
  });
});
