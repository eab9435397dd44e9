/** Two hundred deaths of the real stack among trouble of every kind: each outage is told, in order and with its times; nothing grows. */
import assert from 'node:assert/strict';
import { scenario } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import type { EventPayload, Recorder } from '../lab/recorder.js';
import { until } from '../lab/wait.js';
import { noSoonDeaths } from './chaos.js';
import { Dice } from './dice.js';
import { type Blow, Tormentor } from './tormentor.js';
import { assertNoGrowth, vitalsOf } from './vitals.js';

const kills = Number(process.env.CHAOS_KILLS ?? 200);
const seed = Number(process.env.CHAOS_SEED ?? 20_261_122);
/** Until caches are warm and every path has been taken. */
const warmUp = Math.min(20, Math.floor(kills / 5));
const clockToleranceMs = 1000;

/**
 * Each blow to a living daemon is one outage, or the same one again while a script that a killed daemon has lost may still be at work. Of one
 * that is killed at the same time the outage may be over before the next looks.
 */
function assertEachBlowTold(daemon: Daemon, blows: readonly Blow[]): void {
  const begins = [...daemon.entries('outage_begin'), ...daemon.entries('outage_reopened')];
  for (const blow of blows) {
    const its = begins.filter(({ atMs }) => atMs >= blow.fromMs - 1 && atMs <= blow.toMs);
    const enough = blow.daemon === 'dies meanwhile' ? its.length <= 1 : its.length === 1;
    assert.ok(enough, `${its.length} outages for ${JSON.stringify(blow)}: ${JSON.stringify(its)}`);
  }
  const isOfABlow = (atMs: number) => blows.some(({ fromMs, toMs }) => atMs >= fromMs - 1 && atMs <= toMs);
  const others = begins.filter(({ atMs }) => !isOfABlow(atMs));
  assert.deepEqual(others, [], 'outages that nobody caused');
}

/** The first telling of each fact; told again with the same number is allowed after a lost connection, out of order is not. */
function firstTellings(recorder: Recorder): EventPayload[] {
  const seen = new Set<number>();
  return recorder.events().filter(({ seq }) => !seen.has(seq) && seen.add(seq));
}

function assertTold(daemon: Daemon, recorder: Recorder): void {
  const told = firstTellings(recorder);
  const seqs = told.map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
    'told in order',
  );
  const bySeq = new Map(told.map(event => [event.seq, event]));
  for (const end of daemon.entries('outage_end')) {
    const begin = daemon.entries('outage_begin').find(({ outage }) => outage === end.outage);
    const down = bySeq.get(begin?.seq ?? 0);
    const recovered = bySeq.get(end.seq);
    assert.equal(down?.event_type, 'stack_down', `${end.outage} began, and the broker was not told`);
    assert.equal(
      recovered?.event_type,
      'stack_recovered',
      `${end.outage} ended, and the broker was not told`,
    );
    assert.ok(Math.abs(Date.parse(down?.began_at ?? '') - end.beganWallMs) < clockToleranceMs);
    assert.ok(Math.abs(Date.parse(recovered?.ended_at ?? '') - end.endedWallMs) < clockToleranceMs);
    assert.ok(end.durationMs >= 0 && end.endedWallMs >= end.beganWallMs);
  }
}

scenario(
  `${kills} kills in every way, among broker stops, link flaps, script failures and kills of sockmon`,
  async lab => {
    console.log(`seed ${seed} (CHAOS_SEED), ${kills} kills (CHAOS_KILLS)`);
    const { broker, recorder } = await lab.startLastingBroker();
    const tormentor = new Tormentor(lab, broker, new Dice(seed));
    const config = {
      resources: {
        tcpip: {
          ...lab.resource(tormentor.script, { attempts: 30 }),
          restart_budget: { max: 1000, per: '1h' },
        },
      },
      mqtt: { url: lab.brokerUrl(broker) },
    };
    const allTold = async (daemon: Daemon) => {
      if (!broker.isRunning) await broker.start();
      const last = daemon.entries('outage_end').at(-1)?.seq ?? 0;
      const isTold = () => daemon.entries('published').some(({ upTo }) => upTo >= last);
      await daemon.until('everything to be acknowledged', isTold, { deadlineMs: 90_000 });
      // The reflex, with its pipe, is armed again.
      await noSoonDeaths(daemon);
    };

    let daemon = lab.run(config);
    await daemon.watching();
    const half = Math.floor(kills / 2);
    while (tormentor.blows.length < half) daemon = await tormentor.strike(daemon, config, true);
    // From here on one process lives, so that it can be seen whether it grows.
    while (tormentor.blows.length < half + warmUp) await tormentor.strike(daemon, config, false);
    await allTold(daemon);
    const before = vitalsOf(daemon.pid);
    while (tormentor.blows.length < kills) await tormentor.strike(daemon, config, false);
    await allTold(daemon);
    const after = await assertNoGrowth(daemon.pid, before);

    const last = daemon.entries('outage_end').at(-1)?.seq ?? 0;
    await until('the recorder to have it all', () => recorder.events().some(({ seq }) => seq === last));
    assertEachBlowTold(daemon, tormentor.blows);
    assertTold(daemon, recorder);
    const outages = daemon.entries('outage_end').length;
    console.log(`${outages} outages of ${kills} kills; ${JSON.stringify({ before, after })}`);
  },
);
