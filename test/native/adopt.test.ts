/** A script whose monitor was killed, taken over by another one: the real addon, two processes, real shells. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { AdoptedRun } from '../../native/index.js';
import {
  addon,
  atEnd,
  exited,
  isAlive,
  kill,
  openMonitor,
  pidfileOf,
  scratch,
  shell,
  start,
  startVictim,
  until,
} from './helpers.js';

const program = fileURLToPath(new URL('adopt-child.js', import.meta.url));

interface Orphan extends AdoptedRun {
  readonly folder: string;
  readonly runFile: string;
  readonly startedMs: number;
}

/** Starts a script from a monitor in a process of its own, by the reflex of a victim's death where there is one, and kills that process. */
async function orphan(
  test: TestContext,
  script: (folder: string) => string,
  victim?: ReturnType<typeof startVictim>,
): Promise<Orphan> {
  const folder = scratch(test);
  const runFile = join(folder, 'run-file');
  const how = victim === undefined ? ['run'] : ['reflex'];
  const pidfile = victim === undefined ? [] : [pidfileOf(test, victim.pid)];
  const first = start(test, process.execPath, [program, ...how, script(folder), runFile, ...pidfile]);
  await once(first.stdout as NodeJS.ReadableStream, 'data');
  victim?.kill('SIGKILL');
  const text = (): string => (existsSync(runFile) ? readFileSync(runFile, 'utf8') : '');
  await until(() => text().endsWith('\n'), 'the run file');
  first.kill('SIGKILL');
  await exited(first);
  const [own, line = ''] = text().split('\n');
  assert.equal(own, 'the text');
  const [pid = 0, startTicks = 0, startedMs = 0, outputInode = 0] = line.split(' ').map(Number);
  atEnd(test, () => kill(pid));
  assert.ok(isAlive(pid), 'the script outlives its monitor');
  return { id: 'first', pid, startTicks, startedMs, outputInode, graceMs: 150, runFile, folder };
}

const go = (folder: string): void => writeFileSync(join(folder, 'go'), '');
const waits = (folder: string): string => `while [ ! -e ${folder}/go ]; do sleep 0.01; done`;

describe('a script of a monitor that was killed', () => {
  it('is taken over: its end, its status and the rest of its output are told', async test => {
    const run = await orphan(test, folder => `${waits(folder)}; echo words; exit 3`);
    const { monitor, recorder } = openMonitor(test);
    assert.equal(monitor.adoptRun(run), true);
    assert.equal(monitor.adoptRun(run), true, 'twice is once');
    const beforeMs = addon.bootTimeMs();
    go(run.folder);
    const ended = await recorder.ended('first');
    const known = addon.capabilities().exitInfo ? { kind: 'exit', code: 3 } : { kind: 'unknown' };
    assert.deepEqual([ended.exit, ended.output, ended.timedOut], [known, 'words\n', false]);
    assert.ok(ended.atMs >= beforeMs && run.startedMs <= beforeMs);
    assert.equal(recorder.all('run_started').length, 0);
    assert.equal(recorder.all('run_ended').length, 1);
    assert.ok(!existsSync(run.runFile));
  });

  it('that its reflex had started is taken over as well', async test => {
    const run = await orphan(test, folder => `${waits(folder)}; exit 0`, startVictim(test));
    const { monitor, recorder } = openMonitor(test);
    assert.equal(monitor.adoptRun(run), true);
    go(run.folder);
    assert.equal((await recorder.ended('first')).output, '');
  });

  it('is ended by endRun with its whole session', async test => {
    const run = await orphan(
      test,
      folder => `trap '' TERM; sleep 1000 & echo $! > ${folder}/child; while :; do sleep 1000; done`,
    );
    const { monitor, recorder } = openMonitor(test);
    assert.equal(monitor.adoptRun(run), true);
    const child = join(run.folder, 'child');
    await until(() => existsSync(child) && readFileSync(child, 'utf8').endsWith('\n'), 'the child');
    const pid = Number(readFileSync(child, 'utf8'));
    monitor.endRun('first');
    await recorder.ended('first');
    await until(() => !isAlive(pid) && !isAlive(run.pid), 'the end of the session');
  });

  it('is no process to be watched, though it has the name of the service', async test => {
    const name = 'sockmonadoptee';
    const run = await orphan(
      test,
      folder => `printf ${name} > /proc/$$/comm; : > ${folder}/named; ${waits(folder)}`,
    );
    await until(() => existsSync(join(run.folder, 'named')), 'the name');
    const { monitor } = openMonitor(test);
    const look = () => monitor.watch('r', [{ kind: 'process', name }])[0]?.state;
    // Nobody has taken it over yet: it looks like the service.
    assert.equal(look(), 'up');
    monitor.unwatch('r');
    assert.equal(monitor.adoptRun(run), true);
    assert.equal(look(), 'absent');
    go(run.folder);
  });
});

describe('what is not taken over', () => {
  it('is a script that has ended', async test => {
    const run = await orphan(test, waits);
    go(run.folder);
    await until(() => !isAlive(run.pid), 'its end');
    const { monitor, recorder } = openMonitor(test);
    assert.equal(monitor.adoptRun(run), false);
    assert.ok(existsSync(run.runFile), 'the file is left to the caller');
    monitor.endRun('first');
    await monitor.ping();
    assert.deepEqual(recorder.events, []);
  });

  it('is a process that has its number by now, and one that leads no session', async test => {
    const run = await orphan(test, () => 'exec sleep 1000');
    const { monitor, recorder } = openMonitor(test);
    assert.equal(monitor.adoptRun({ ...run, startTicks: run.startTicks + 1 }), false);
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    atEnd(test, () => child.kill('SIGKILL'));
    await once(child, 'spawn');
    const pid = child.pid ?? 0;
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const startTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    assert.equal(monitor.adoptRun({ ...run, pid, startTicks }), false);
    monitor.endRun('first');
    await monitor.ping();
    assert.deepEqual(recorder.events, []);
    assert.ok(isAlive(pid) && isAlive(run.pid));
  });

  it('is what makes no sense, with words', test => {
    const { monitor } = openMonitor(test);
    const run: AdoptedRun = { id: 'a', pid: 4_000_000, startTicks: 1, graceMs: 0 };
    assert.equal(monitor.adoptRun(run), false);
    for (const [wrong, words] of [
      [{ pid: 1 }, /run\.pid: expected a whole number from 2 on/],
      [{ pid: 2.5 }, /run\.pid/],
      [{ pid: 2 ** 40 }, /run\.pid/],
      [{ startTicks: Number.NaN }, /run\.startTicks/],
      [{ graceMs: -1 }, /run\.graceMs/],
      [{ outputInode: 'x' }, /run\.outputInode/],
      [{ runFile: 'relative' }, /run\.runFile: expected a path that begins with \//],
    ] as const) {
      assert.throws(() => monitor.adoptRun({ ...run, ...wrong } as AdoptedRun), words);
    }
    assert.throws(
      () => monitor.run(shell('b', '', { runFile: { path: '', text: '' } })),
      /run\.runFile\.path/,
    );
  });
});
