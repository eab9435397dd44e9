/**
 * The power goes: what only the page cache had is lost. The writer is stopped, the block device below its file system is copied as it is,
 * and the copy is mounted as after the next boot. (Not seen this way: what a disk itself forgets that claims to have written.)
 */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { openJournal } from '../../src/journal/file.js';
import { scenario } from '../e2e/scenario.js';
import { repository } from '../lab/paths.js';
import { type Started, start, statOf } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { areConsecutive, noSoonDeaths } from './chaos.js';
import { Dice } from './dice.js';
import { Disk, type Home, makeImage, noLoopDevice } from './disk.js';

const imageBytes = 32 * 1024 * 1024;
const clock = { now: () => ({ bootId: 'boot', bootMs: 1, wallMs: Date.now(), synced: true }) };
const seed = Number(process.env.CHAOS_SEED ?? 20_261_122);
if (noLoopDevice !== false && process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(noLoopDevice);

/** A folder, and what has to be ended before it is removed. */
class Place implements Home {
  readonly directory = mkdtempSync(join(tmpdir(), 'sockmon-power-'));
  private readonly closers: (() => Promise<void>)[] = [];

  onClose(close: () => Promise<void>): void {
    this.closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.closers.reverse()) await close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function atPlace<T>(work: (place: Place) => Promise<T>): Promise<T> {
  const place = new Place();
  try {
    return await work(place);
  } finally {
    await place.close();
  }
}

/** Nothing of the process moves any more. */
async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await until('the writer to stand still', () => statOf(pid)?.state === 'T');
}

interface Survivors {
  readonly seqs: readonly number[];
  readonly consecutive: boolean;
  readonly repaired: string | null;
}

/** What the next boot would find. */
function afterBoot(image: string): Promise<Survivors> {
  return atPlace(async place => {
    const disk = await Disk.ext4(place, image);
    const journal = openJournal(`${disk.path}/state`, clock, () => true);
    const { entries, repaired } = journal;
    const survivors = { seqs: entries.map(({ seq }) => seq), consecutive: areConsecutive(entries), repaired };
    journal.close();
    return survivors;
  });
}

interface Cut {
  readonly acknowledged: number;
  readonly survivors: Survivors;
}

function startWriter(
  place: Place,
  disk: Disk,
  first: number,
  how: string,
): { writer: Started; said: () => number } {
  const file = `${place.directory}/acknowledged`;
  const argv = [
    process.execPath,
    `${repository}dist/test/chaos/journal-writer.js`,
    `${disk.path}/state`,
    `${first}`,
    how,
  ];
  const writer = start(argv, { stdio: ['ignore', openSync(file, 'w'), 'inherit'] });
  place.onClose(async () => {
    writer.child.kill('SIGKILL');
    await writer.ended;
  });
  return { writer, said: () => Number(readFileSync(file, 'utf8').trim().split('\n').at(-1)) };
}

function cut(dice: Dice, first: number, how: 'synced' | 'unsynced'): Promise<Cut> {
  return atPlace(async place => {
    const image = `${place.directory}/image`;
    await makeImage(image, imageBytes);
    const disk = await Disk.ext4(place, image);
    const { writer, said } = startWriter(place, disk, first, how);
    await until('the first acknowledgement', () => said() > first, { deadlineMs: 60_000, pollMs: 1 });
    await pause(dice.below(400));
    await freeze(writer.pid);
    const acknowledged = said();
    copyFileSync(image, `${place.directory}/copy`);
    return { acknowledged, survivors: await afterBoot(`${place.directory}/copy`) };
  });
}

/** Numbers that were said to be on disk and are not. Whatever was compacted away is older than what is there. */
function lost({ acknowledged, survivors: { seqs } }: Cut): number {
  return Math.max(0, acknowledged - (seqs.at(-1) ?? 0));
}

const cuts = 15;
/** So many fill the journal nearly to its compaction, which then falls among the cuts. */
const nearlyFull = 4100;

test(`${cuts} power cuts: nothing that was acknowledged is lost`, { skip: noLoopDevice }, async () => {
  const dice = new Dice(seed);
  let total = 0;
  let compacted = 0;
  for (let n = 0; n < cuts; n++) {
    const one = await cut(dice, n % 3 === 2 ? nearlyFull : 0, 'synced');
    assert.equal(
      lost(one),
      0,
      `cut ${n}: ${one.acknowledged} acknowledged, ${one.survivors.seqs.at(-1)} on disk`,
    );
    assert.ok(one.survivors.consecutive, `cut ${n}: there are holes`);
    assert.ok(one.survivors.seqs.length >= Math.min(one.acknowledged, 2500));
    total += one.acknowledged;
    if ((one.survivors.seqs[0] ?? 1) > 1) compacted++;
  }
  assert.ok(compacted > 0, 'no cut came after a compaction');
  console.log(
    `${cuts} power cuts (seed ${seed}), ${compacted} of them after a compaction: 0 of ${total} acknowledged entries lost`,
  );
});

test('for comparison: the same journal without fdatasync loses what it has acknowledged', {
  skip: noLoopDevice,
}, async () => {
  const dice = new Dice(seed);
  let total = 0;
  let gone = 0;
  for (let n = 0; n < 3; n++) {
    const one = await cut(dice, 0, 'unsynced');
    total += one.acknowledged;
    gone += lost(one);
  }
  assert.ok(gone > 0, 'a cut that loses nothing proves nothing');
  console.log(`without fdatasync: ${gone} of ${total} acknowledged entries lost`);
});

scenario(
  'power cut of the whole daemon: what the broker has been told is in the journal after the boot',
  async lab => {
    const image = `${lab.directory}/image`;
    await makeImage(image, imageBytes);
    const disk = await Disk.ext4(lab, image);
    lab.stateDir = `${disk.path}/state`;
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const script = lab.restartScript();
    mkdirSync(lab.stateDir);
    const daemon = lab.run({
      resources: { tcpip: lab.resource(script) },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    for (const [turn, type] of ['stack_down', 'stack_recovered', 'stack_down'].entries()) {
      await noSoonDeaths(daemon);
      const before = recorder.events().length;
      lab.killStack('SIGKILL');
      await until(
        `the broker to be told ${type}`,
        () =>
          recorder
            .events()
            .slice(before)
            .some(event => event.event_type === type),
        { pollMs: 1 },
      );
      await freeze(daemon.pid);
      const told = recorder.events().map(({ seq }) => seq);
      const copy = `${lab.directory}/copy-${turn}`;
      copyFileSync(image, copy);
      const { seqs, consecutive } = await afterBoot(copy);
      assert.deepEqual(
        told.filter(seq => !seqs.includes(seq)),
        [],
        `turn ${turn}: told and forgotten`,
      );
      assert.ok(consecutive);
      daemon.kill('SIGCONT');
    }
  },
  noLoopDevice,
);
