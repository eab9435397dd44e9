import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { SockmonError } from '../../src/base/errors.js';
import { History } from '../../src/core/history.js';
import type { OutageHistory } from '../../src/core/outage-history.js';
import type { JournalEntry, JournalRecord } from '../../src/core/records.js';
import type { Clock } from '../../src/core/time.js';
import { compact } from '../../src/journal/compaction.js';
import { journalFileName, type OpenJournal, openJournal, readJournal } from '../../src/journal/file.js';
import { encodeLine, parseJournal } from '../../src/journal/lines.js';
import { runtimeFile } from '../../src/system/folders.js';

const clock: Clock = {
  now: () => ({ bootId: 'boot', bootMs: 12.5, wallMs: 1_700_000_000_000, synced: true }),
};
const free = (): boolean => true;
const note = (reason: string): JournalRecord => ({ type: 'stop', reason });

let dir = '';
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-journal-'));
});
afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));
const file = (): string => path.join(dir, journalFileName);
const reasons = (): string[] =>
  readJournal(dir).map(entry => (entry.type === 'stop' ? entry.reason : entry.type));

function append(journal: OpenJournal, ...records: JournalRecord[]): JournalEntry[] {
  const added = journal.add(records);
  journal.commit();
  return added;
}

function write(...words: string[]): void {
  const journal = openJournal(dir, clock, free);
  append(journal, ...words.map(note));
  journal.close();
}

describe('the journal', () => {
  it('numbers its entries across openings and reads back what was written', () => {
    write('a', 'b');
    write('ü "quoted"\nline');
    assert.deepEqual(
      readJournal(dir).map(entry => entry.seq),
      [1, 2, 3],
    );
    assert.deepEqual(reasons(), ['a', 'b', 'ü "quoted"\nline']);
    assert.match(
      fs.readFileSync(file(), 'utf8').split('\n')[0] ?? '',
      /^[0-9a-f]{8} \{"seq":1,"bootId":"boot"/,
    );
  });

  it('is empty where there is none', () => assert.deepEqual(readJournal(dir), []));

  it('cuts a torn tail at every byte, keeps it aside and goes on', () => {
    write('first', 'second');
    const whole = fs.readFileSync(file());
    const firstLine = whole.indexOf(0x0a) + 1;
    for (let cut = firstLine + 1; cut < whole.length - 1; cut++) {
      for (const tail of [Buffer.alloc(0), Buffer.alloc(9), Buffer.from('\n\xff\n', 'latin1')]) {
        fs.writeFileSync(file(), Buffer.concat([whole.subarray(0, cut), tail]));
        fs.rmSync(`${file()}.bad`, { force: true });
        const journal = openJournal(dir, clock, free);
        assert.match(journal.repaired ?? '', /put aside in/);
        append(journal, note('after'));
        journal.close();
        assert.deepEqual(reasons(), ['first', 'after']);
        assert.ok(fs.readFileSync(`${file()}.bad`).includes(whole.subarray(firstLine, cut)));
      }
    }
  });

  it('finds every flipped bit and loses that line only', () => {
    write('first', 'second', 'third');
    const whole = fs.readFileSync(file());
    const from = whole.indexOf(0x0a) + 1;
    const to = whole.indexOf(0x0a, from);
    for (let byte = from; byte < to; byte++) {
      const flipped = Buffer.from(whole);
      flipped[byte] = (flipped[byte] ?? 0) ^ (1 << (byte % 8));
      fs.writeFileSync(file(), flipped);
      const journal = openJournal(dir, clock, free);
      journal.close();
      const kept = reasons();
      assert.ok(kept.includes('first') && kept.includes('third'), `byte ${byte}: ${kept}`);
      assert.equal(kept.includes('second'), false, `byte ${byte}`);
    }
  });

  it('keeps the lines of a newer version in the file and says that it cannot use them', () => {
    const future = { seq: 1, ...clock.now(), type: 'from_the_future' };
    fs.writeFileSync(file(), encodeLine(future as never));
    const journal = openJournal(dir, clock, free);
    assert.equal(journal.unknownLines, 1);
    assert.equal(journal.repaired, null);
    assert.equal(append(journal, note('next'))[0]?.seq, 2);
    journal.close();
    assert.match(fs.readFileSync(file(), 'utf8'), /from_the_future/);
  });

  it('refuses lines whose number does not grow', () => {
    const line = (seq: number): string =>
      encodeLine({ seq, ...clock.now(), type: 'stop', reason: String(seq) });
    const parsed = parseJournal(Buffer.from(line(5) + line(5) + line(4) + line(6)));
    assert.deepEqual(
      parsed.entries.map(entry => entry.seq),
      [5, 6],
    );
    assert.equal(parsed.damage.length, 1);
  });

  it('says who holds it', () => {
    assert.throws(
      () => openJournal(dir, clock, () => false),
      (error: unknown) =>
        error instanceof SockmonError && error.code === 'ALREADY_RUNNING' && error.message.includes(dir),
    );
  });

  it('says what is wrong with a folder that cannot be made', () => {
    fs.writeFileSync(path.join(dir, 'a-file'), '');
    assert.throws(
      () => openJournal(path.join(dir, 'a-file', 'state'), clock, free),
      (error: unknown) => error instanceof SockmonError && error.code === 'STATE_DIR',
    );
  });

  describe('on a disk that refuses', () => {
    beforeEach(() => {
      process.env.RUNTIME_DIRECTORY = path.join(dir, 'run');
    });

    /** The tmpfs of the runtime folder is not synchronised, so it takes what the disk does not. */
    function full(t: TestContext): () => void {
      const failing = t.mock.method(fs, 'fdatasyncSync', () => {
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      });
      return () => failing.mock.restore();
    }
    const onDisk = (): string[] =>
      parseJournal(fs.readFileSync(file())).entries.flatMap(entry =>
        entry.type === 'stop' ? [entry.reason] : [],
      );
    const refused = (error: unknown): boolean =>
      error instanceof SockmonError && error.code === 'JOURNAL_WRITE';

    it('keeps the entries and writes them before the next', t => {
      const journal = openJournal(dir, clock, free);
      append(journal, note('on disk'));
      const makeRoom = full(t);
      assert.throws(() => append(journal, note('refused')), refused);
      makeRoom();
      assert.deepEqual(onDisk(), ['on disk']);
      append(journal, note('later'));
      journal.close();
      assert.deepEqual(onDisk(), ['on disk', 'refused', 'later']);
    });

    it('keeps them over the end of its process, for readers too, and uses no number twice', t => {
      const killed = openJournal(dir, clock, free);
      append(killed, note('on disk'));
      const makeRoom = full(t);
      for (const word of ['one', 'two']) assert.throws(() => append(killed, note(word)), refused);
      assert.deepEqual(reasons(), ['on disk', 'one', 'two']);
      killed.close();

      const next = openJournal(dir, clock, free);
      assert.deepEqual(
        next.entries.map(({ seq }) => seq),
        [1, 2, 3],
      );
      assert.throws(() => append(next, note('three')), refused);
      next.close();
      makeRoom();
      const last = openJournal(dir, clock, free);
      assert.equal(append(last, note('four'))[0]?.seq, 5);
      assert.deepEqual(onDisk(), ['on disk', 'one', 'two', 'three', 'four']);
      assert.deepEqual(fs.readdirSync(path.join(dir, 'run')), [], 'nothing is left to be told twice');
      last.close();
    });

    it('does not stop at a fallback that cannot be read, and mends one that is torn', t => {
      const journal = openJournal(dir, clock, free);
      append(journal, note('on disk'));
      const fallback = runtimeFile(dir, 'journal') ?? '';
      fs.mkdirSync(fallback, { recursive: true });
      openJournal(dir, clock, free).close();
      fs.rmdirSync(fallback);
      const makeRoom = full(t);
      for (const word of ['one', 'two']) assert.throws(() => append(journal, note(word)), refused);
      fs.appendFileSync(fallback, 'half a li');
      const next = openJournal(dir, clock, free);
      assert.throws(() => append(next, note('three')), refused);
      assert.deepEqual(reasons(), ['on disk', 'one', 'two', 'three']);
      makeRoom();
      for (const one of [journal, next]) one.close();
    });

    it('that has lost the file gets all of it again', () => {
      const journal = openJournal(dir, clock, free);
      append(journal, note('one'));
      fs.rmSync(file());
      append(journal, note('two'));
      journal.close();
      assert.deepEqual(onDisk(), ['one', 'two']);
    });

    it('is compacted no sooner than there is room for the copy', t => {
      const journal = openJournal(dir, clock, free);
      const noCopy = t.mock.method(fs, 'renameSync', () => {
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      });
      for (let i = 0; i < 600; i++) append(journal, note('x'.repeat(2000)));
      assert.equal(noCopy.mock.callCount(), 1, 'tried again only when the file has doubled');
      assert.equal(onDisk().length, 600);
      assert.equal(fs.existsSync(`${file()}.new`), false);
      journal.close();
    });
  });

  it('loses no acknowledged entry when its writer is killed at a random moment', async () => {
    const writer = fileURLToPath(new URL('./writer.js', import.meta.url));
    for (let round = 0; round < 5; round++) {
      const child = spawn(process.execPath, [writer, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
      let acknowledged = 0;
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        // A chunk may end, and begin, in the middle of a line.
        acknowledged = Math.max(acknowledged, ...text.split('\n').slice(0, -1).map(Number));
        if (acknowledged % 50 >= 20 + round * 5) child.kill('SIGKILL');
      });
      await once(child, 'close');
      assert.ok(acknowledged > 0);
      assert.ok((readJournal(dir).at(-1)?.seq ?? 0) >= acknowledged);
    }
  });

  it('is compacted above 1 MiB and keeps its numbers', () => {
    const journal = openJournal(dir, clock, free);
    const long = 'x'.repeat(2000);
    for (let i = 0; i < 600; i++) append(journal, { type: 'published', upTo: i }, note(long));
    assert.ok(fs.statSync(file()).size < 1024 * 1024);
    const next = append(journal, note('end'))[0]?.seq;
    journal.close();
    assert.equal(next, 1201);
    assert.equal(openJournal(dir, clock, free).repaired, null);
  });
});

describe('compaction', () => {
  const entry = (seq: number, record: JournalRecord, wallMs = 1000) => ({
    seq,
    ...clock.now(),
    wallMs,
    ...record,
  });
  const begin = (outage: string): JournalRecord => ({
    type: 'outage_begin',
    outage,
    resource: 'r',
    atMs: 1,
    cause: { kind: 'unknown' },
    sensor: 's',
  });

  it('keeps what is open or not yet told, drops what is old or superseded', () => {
    const entries = [
      entry(1, begin('old-open-1')),
      entry(2, { type: 'notice', resource: 'r', atMs: 1, what: 'degraded', detail: 'old' }),
      entry(3, { type: 'published', upTo: 1 }),
      entry(4, { type: 'published', upTo: 3 }, 5e11),
      entry(5, { type: 'notice', resource: 'r', atMs: 1, what: 'degraded', detail: 'not told' }),
    ];
    assert.deepEqual(
      compact(entries, { ...clock.now(), bootId: 'b-later', wallMs: 5e11 }).map(({ seq }) => seq),
      [1, 2, 4, 5],
    );
  });

  const withoutStepAttempts = (outage: OutageHistory | undefined) => ({
    ...outage,
    stepAttempts: 0,
    beforeAttempt: { ...outage?.beforeAttempt, stepAttempts: 0 },
  });

  it('of an outage that goes on for weeks keeps the story and the latest attempts', () => {
    const outage = 'b-r-1';
    const attempt = (number: number): JournalRecord => {
      const run = `${outage}#${number}`;
      return {
        type: 'attempt',
        outage,
        resource: 'r',
        attempt: number,
        run,
        script: 's',
        atMs: 1,
        by: 'ladder',
      };
    };
    const failed = { outage, resource: 'r', atMs: 1, attempts: 6, next: 'stay_down', detail: '' } as const;
    const records = [
      begin(outage),
      ...[1, 2, 3, 4, 5, 6].map(attempt),
      { type: 'recovery_failed', ...failed } as const,
      ...Array.from({ length: 5000 }, (_, retry) => attempt(7 + retry)),
    ];
    const entries = records.map((record, index) => entry(index + 1, record));
    const kept = compact(entries, clock.now());
    assert.deepEqual(
      kept.slice(0, 8).map(({ seq }) => seq),
      [1, 2, 3, 4, 5, 6, 7, 8],
    );
    assert.equal(kept.length, 8 + 1 + 2500, 'the story, what has gone, the latest');
    const [before, after] = [new History(entries), new History(kept)].map(history => history.openOutage('r'));
    // How often the step has been tried is counted in what is left.
    assert.deepEqual(withoutStepAttempts(after), withoutStepAttempts(before));
    assert.equal(after?.attempts, 5006);
  });
});
