/** What an earlier sockmon has left of its scripts: read from a real folder, which others may have written to, and taken over. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { AdoptedRun } from '../../native/index.js';
import type { EarlierRun, Run, Watcher } from '../../src/core/ports.js';
import { kernelBootId, type RunFile, readRunFiles, runFileText } from '../../src/monitor/run-files.cjs';
import { RunFolder } from '../../src/monitor/run-folder.js';
import { startWatcher } from '../../src/monitor/watcher.js';
import type { Addon } from '../../src/system/addon.js';
import { FakeLog } from './fakes.js';

const run: Run = {
  id: 'b0000001-dns-1#2',
  argv: ['/bin/restart', 'it'],
  env: {},
  journalLines: 0,
  purpose: {
    resource: 'dns',
    outage: 'b0000001-dns-1',
    attempt: 2,
    step: 'restart',
    script: '/bin/restart it',
    by: 'ladder',
  },
  timeoutMs: 60_000,
  graceMs: 5000,
};
const facts = { run: run.id, ...run.purpose, timeoutMs: run.timeoutMs, graceMs: run.graceMs };

function folderOf(t: TestContext): string {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-runs-'));
  t.after(() => fs.rmSync(parent, { recursive: true, force: true }));
  const folder = path.join(parent, 'runs');
  fs.mkdirSync(folder, { mode: 0o700 });
  return folder;
}

/** As the monitor thread leaves it. */
function write(folder: string, more: Partial<RunFile> = {}, bootId = kernelBootId()): string {
  const file = path.join(folder, more.run ?? run.id);
  const { pid = 4711, startTicks = 360_000, startedMs = 3_600_000, outputInode = 99, ...own } = more;
  const line = `${pid} ${startTicks} ${startedMs} ${outputInode}`;
  fs.writeFileSync(file, `${runFileText({ ...facts, ...own }, bootId)}\n${line}\n`, { mode: 0o600 });
  return file;
}

describe('a folder of run files', () => {
  it('gives back what the monitor thread has written', t => {
    const folder = folderOf(t);
    const file = write(folder);
    const [found, ...more] = readRunFiles(folder).files;
    assert.deepEqual(more, []);
    assert.deepEqual(found, {
      path: file,
      ...facts,
      pid: 4711,
      startTicks: 360_000,
      startedMs: 3_600_000,
      outputInode: 99,
    });
  });

  it('that is not there, or is no folder of ours, holds none', t => {
    const folder = folderOf(t);
    const nothing = { files: [], outdated: [], refused: [] };
    assert.deepEqual(readRunFiles(path.join(folder, 'none')), nothing);
    write(folder);
    fs.symlinkSync(folder, `${folder}-link`);
    fs.writeFileSync(`${folder}-file`, '');
    fs.mkdirSync(`${folder}-open`);
    fs.chmodSync(`${folder}-open`, 0o777);
    write(`${folder}-open`);
    const whys = ['link', 'file', 'open'].map(name => {
      const { files, refused } = readRunFiles(`${folder}-${name}`);
      assert.deepEqual(files, []);
      return refused.map(({ why }) => why);
    });
    assert.deepEqual(whys, [['it is no folder'], ['it is no folder'], ['others may write it']]);
  });

  it('refuses in words what is no run file, and waits for nothing', { timeout: 10_000 }, t => {
    const folder = folderOf(t);
    const good = write(folder);
    const put = (name: string, text: string): void =>
      fs.writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    const text = fs.readFileSync(good, 'utf8');
    assert.equal(spawnSync('mkfifo', [path.join(folder, 'fifo')]).status, 0);
    fs.symlinkSync(good, path.join(folder, 'link'));
    fs.mkdirSync(path.join(folder, 'folder'));
    put('empty', '');
    put('half', text.slice(0, -4));
    put('huge', 'x'.repeat(9000));
    put('null', 'null\n1 2 3 4\n');
    put('no-json', '{\n1 2 3 4\n');
    put('other-name', text);
    put('writable', text);
    fs.chmodSync(path.join(folder, 'writable'), 0o666);
    const wrong: Partial<RunFile>[] = [
      { pid: 1 },
      { pid: 2 ** 31 },
      { startTicks: 0 },
      { startTicks: 2 ** 60 },
      { attempt: -1 },
      { by: 'nobody' as 'ladder' },
      { outage: 'another' },
      { graceMs: 'long' as unknown as number },
      { script: 7 as unknown as string },
    ];
    wrong.forEach((more, index) => {
      write(folder, { ...more, run: `b0000001-dns-1#${index + 10}`, attempt: more.attempt ?? index + 10 });
    });
    const { files, refused } = readRunFiles(folder);
    assert.deepEqual(
      files.map(({ run: id }) => id),
      [run.id],
    );
    const whys = new Map(refused.map(({ path: file, why }) => [path.basename(file), why]));
    assert.equal(whys.get('fifo'), 'it is no regular file');
    assert.equal(whys.get('link'), 'it is a symbolic link');
    assert.equal(whys.get('folder'), 'it is no regular file');
    assert.equal(whys.get('empty'), 'it is not whole');
    assert.equal(whys.get('half'), 'it is not whole');
    assert.equal(whys.get('huge'), 'it is longer than 8192 bytes');
    assert.equal(whys.get('null'), 'it is no run file');
    assert.match(whys.get('no-json') ?? '', /JSON/);
    assert.equal(whys.get('other-name'), 'it is no run file');
    assert.equal(whys.get('writable'), 'others may write it');
    assert.equal(whys.size, 10 + wrong.length);
  });

  it('of another user is refused', { skip: process.getuid?.() === 0 ? false : 'needs root' }, t => {
    const folder = folderOf(t);
    const file = write(folder);
    fs.chownSync(file, 65534, 65534);
    assert.deepEqual(readRunFiles(folder).refused, [{ path: file, why: 'it belongs to user 65534' }]);
    fs.chownSync(folder, 65534, 65534);
    assert.deepEqual(readRunFiles(folder).refused, [{ path: folder, why: 'it belongs to user 65534' }]);
  });

  it('tells those of an earlier boot apart', t => {
    const folder = folderOf(t);
    const file = write(folder, {}, 'another-boot');
    assert.deepEqual(readRunFiles(folder), { files: [], outdated: [file], refused: [] });
    const log = new FakeLog();
    assert.deepEqual(new RunFolder(folder, log).read(), []);
    assert.equal(fs.existsSync(file), false);
    assert.deepEqual(log.lines, []);
  });

  it('is made at need, and says once what stands against it', t => {
    const folder = folderOf(t);
    const log = new FakeLog();
    const deep = path.join(folder, 'run', 'sockmon', 'x.runs');
    const runs = new RunFolder(deep, log);
    const wanted = runs.fileFor(run);
    assert.equal(wanted?.path, path.join(deep, run.id));
    assert.equal(fs.statSync(deep).mode & 0o777, 0o700);
    assert.equal(fs.statSync(path.dirname(deep)).mode & 0o777, 0o755);
    fs.rmSync(deep, { recursive: true });
    runs.failed('ENOENT');
    assert.notEqual(runs.fileFor(run), undefined);
    assert.ok(fs.existsSync(deep), 'made again');
    assert.equal(log.lines.length, 1);
    const blocked = new RunFolder(path.join(write(folder), 'x.runs'), log);
    assert.equal(blocked.fileFor(run), undefined);
    assert.equal(blocked.fileFor(run), undefined);
    assert.equal(log.lines.length, 2);
    assert.match(log.lines[1] ?? '', /^warn running scripts cannot be noted in .*E(EXIST|NOTDIR)/);
    assert.equal(new RunFolder(null, log).fileFor(run), undefined);
    fs.writeFileSync(wanted?.path ?? '', '');
    runs.close();
    assert.ok(fs.existsSync(deep), 'a script goes on');
    fs.rmSync(wanted?.path ?? '');
    runs.close();
    assert.ok(!fs.existsSync(deep));
  });
});

describe('the taking over', () => {
  const bootBeganMs = 1000;

  /** A watcher whose monitor finds these processes alive. */
  function watcherOf(
    folder: string | null,
    alive: readonly number[],
    early: readonly RunFile[] | null = null,
  ): { watcher: Watcher; adopted: AdoptedRun[]; log: FakeLog } {
    const adopted: AdoptedRun[] = [];
    const monitor = {
      adoptRun: (one: AdoptedRun): boolean => {
        if (one.pid === 666) throw new Error('The monitor thread does not answer');
        adopted.push(one);
        return alive.includes(one.pid);
      },
    };
    const log = new FakeLog();
    function Monitor(): typeof monitor {
      return monitor;
    }
    const watcher = startWatcher({ Monitor, bootTimeMs: () => 0 } as unknown as Addon, {
      onInputs: () => {},
      environment: {},
      bootBeganMs,
      advisers: {},
      onEnd: () => {},
      early:
        early === null ? null : { monitor: monitor as never, watches: [], runs: early, takeOver: () => {} },
      runFolder: new RunFolder(folder, log),
      log,
    });
    return { watcher, adopted, log };
  }

  const recorded = (more: Partial<EarlierRun> = {}): EarlierRun => ({
    ...run.purpose,
    run: run.id,
    pid: 4711,
    startTicks: 360_000,
    startedMs: 3_599_000,
    deadlineMs: 3_659_000,
    graceMs: 5000,
    ...more,
  });

  it('holds on to what lives, in the time of this boot, and removes the file of what does not', t => {
    const folder = folderOf(t);
    const live = write(folder);
    const dead = write(folder, { run: 'b0000001-dns-1#1', attempt: 1, pid: 4000 });
    const { watcher, adopted, log } = watcherOf(folder, [4711]);
    const gone = { run: 'b0000001-dns-1#1', outage: 'b0000001-dns-1', attempt: 1, pid: 4000 };
    assert.deepEqual(
      watcher.takeOver([]).toSorted((a, b) => b.attempt - a.attempt),
      [recorded(), recorded({ ...gone, isOver: true })],
    );
    assert.deepEqual(
      adopted.find(({ pid }) => pid === 4711),
      {
        id: run.id,
        resource: 'dns',
        pid: 4711,
        startTicks: 360_000,
        graceMs: 5000,
        outputInode: 99,
        runFile: live,
      },
    );
    assert.deepEqual([fs.existsSync(live), fs.existsSync(dead)], [true, false]);
    assert.deepEqual(log.lines, []);
  });

  it('knows from the journal what has no file, and asks once for what has both', t => {
    const other = recorded({
      run: 'b0000001-tcpip-1#1',
      outage: 'b0000001-tcpip-1',
      resource: 'tcpip',
      pid: 5000,
    });
    const gone = recorded({ run: 'b0000001-nap-1#1', pid: 6000 });
    const folder = folderOf(t);
    write(folder);
    const { watcher, adopted } = watcherOf(folder, [4711, 5000]);
    assert.deepEqual(watcher.takeOver([recorded(), other, gone]), [
      recorded(),
      other,
      { ...gone, isOver: true },
    ]);
    assert.equal(adopted.filter(({ id }) => id === run.id).length, 1);
    const nowhere = watcherOf(null, [4711]);
    assert.deepEqual(nowhere.watcher.takeOver([recorded()]), [recorded()]);
    assert.deepEqual(nowhere.adopted, [
      { id: run.id, resource: 'dns', pid: 4711, startTicks: 360_000, graceMs: 5000 },
    ]);
  });

  it('counts what the early start has taken over, though its file has gone with its end since', t => {
    const folder = folderOf(t);
    const file = write(folder);
    const [early] = readRunFiles(folder).files;
    assert.ok(early);
    fs.rmSync(file);
    const { watcher, adopted } = watcherOf(folder, [], [early]);
    assert.deepEqual(watcher.takeOver([recorded()]), [recorded()]);
    assert.deepEqual(adopted, []);
  });

  it('says what it cannot take over, and what it does not believe', t => {
    const folder = folderOf(t);
    const file = write(folder, { pid: 666 });
    fs.writeFileSync(path.join(folder, 'stray'), '', { mode: 0o600 });
    const { watcher, log } = watcherOf(folder, []);
    assert.deepEqual(watcher.takeOver([]), []);
    assert.ok(fs.existsSync(file), 'nobody knows whether it lives');
    const [stray = '', hangs = ''] = log.lines.toSorted((a, b) => b.localeCompare(a));
    assert.match(
      stray,
      /^warn .*stray is not believed to name a running script: it is not whole; remove it$/,
    );
    assert.match(hangs, /^error the script of an earlier sockmon .*pid 666.* does not answer/);
  });
});
