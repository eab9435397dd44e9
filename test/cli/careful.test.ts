/** Pauses, drills, stories, explanations and replays, with the real program and real processes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { errorTable } from '../../src/base/errors.js';
import { type Program, programIn } from './program.js';

interface House extends Program {
  readonly daemon: ChildProcess;
}

/** A daemon that watches a process and starts it anew when it dies. */
async function house(context: TestContext): Promise<House> {
  let clear = async (): Promise<void> => {};
  // Before the program's own: that one removes the folder.
  context.after(() => clear());
  const program = programIn(context);
  const { folder, write } = program;
  const first = spawn('sleep', ['1000'], { stdio: 'ignore' });
  write('nap.pid', `${first.pid}\n`);
  write(
    'restart-nap',
    '#!/bin/sh\necho starting a new one\ncd "$(dirname "$0")"\nsleep 1000 >/dev/null 2>&1 </dev/null &\necho $! >nap.pid\n',
    0o755,
  );
  write(
    'sockmon.yaml',
    'node: gw\nresources:\n  nap:\n    watch: {process: {pidfile: nap.pid, name: sleep}}\n    restart: ./restart-nap\n    settle: 0s\n',
  );
  const daemon = program.start('run', '--config', 'sockmon.yaml');
  clear = async () => {
    const ended = new Promise(resolve => daemon.once('exit', resolve));
    if (daemon.exitCode === null && daemon.kill('SIGKILL')) await ended;
    kill(first.pid ?? 0);
    kill(Number(readFileSync(join(folder, 'nap.pid'), 'utf8')));
  };
  daemon.stdout?.resume();
  daemon.stderr?.resume();
  await program.ready(daemon);
  return { ...program, daemon };
}

function kill(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}

test('a drill kills, sees it come back and says how long that took; its story and a replay tell the same', async context => {
  const { run, folder, daemon } = await house(context);
  const dry = await run('drill', 'nap', '--dry-run');
  assert.deepEqual([dry.status, dry.out], [0, 'accepted: dry run: it would be carried out\n']);

  const drill = await run('drill', 'nap', '--yes');
  assert.equal(drill.status, 0, drill.out + drill.err);
  assert.match(drill.out, /^accepted: nap is killed on purpose\n/);
  assert.match(drill.out, /^detection +[\d.]+ m?s +from the order to its death: killed by SIGKILL$/m);
  assert.match(drill.out, /^reaction +[\d.]+ m?s +from its death to the start of the script$/m);
  assert.match(drill.out, /^recovery +[\d.]+ m?s +from its death until it was back; attempts: 1$/m);
  assert.match(drill.out, /^nap: back \(/m);

  const json = JSON.parse((await run('drill', 'nap', '--yes', '--json')).out);
  assert.deepEqual([json.resource, json.outcome, json.attempts], ['nap', 'recovered', 1]);
  assert.ok(json.recovery_ms >= 0 && json.detection_ms >= 0);

  const story = JSON.parse((await run('history', '2', '--json')).out);
  assert.deepEqual([story.outage.id, story.drill], [json.outage, true]);
  assert.deepEqual([story.attempts[0].step, story.attempts[0].by], ['restart-nap', 'reflex']);
  const told = await run('history', 'nap-1');
  assert.equal(told.status, 0);
  assert.match(told.out, /^\w+-nap-1: nap was killed on purpose: killed by SIGKILL\n/);
  assert.match(told.out, /\+0 ms +nap died: /);

  const known = JSON.parse((await run('status', '--json')).out);
  assert.equal(known.snapshot.outages_total, 0);
  assert.match((await run('history')).out, / nap .* killed by SIGKILL, in a drill\n/);

  const replay = await run('replay', join(folder, 'state/journal'), '--never-back', '--json');
  const rehearsed = JSON.parse(replay.out);
  assert.deepEqual(
    [rehearsed.attempts_by_step, rehearsed.reboots, rehearsed.ended],
    [{ 'restart-nap': 6 }, 0, { nap: 'held' }],
  );
  const other = await run('replay', 'state/journal', '--config', 'sockmon.yaml');
  assert.equal(other.status, 0, other.err);
  assert.match(other.out, /^What would have happened in state\/journal, from /);
  assert.match(other.out, /^attempts +2 \(restart-nap 2\)$/m);

  const gone = new Promise(resolve => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  await gone;
  assert.equal(JSON.parse((await run('status', '--json')).out).last_outage, null);
});

test('a drill of what does not exist or cannot be asked about is refused', async context => {
  const { run } = await house(context);
  const unknown = await run('drill', 'nobody', '--yes');
  assert.deepEqual([unknown.status, unknown.err], [errorTable.REFUSED.exitStatus, '']);
  assert.match(unknown.out, /^rejected \(unknown_target\): /);
  const unasked = await run('drill', 'nap');
  assert.equal(unasked.status, errorTable.USAGE.exitStatus);
  assert.match(unasked.err, /without a terminal say --yes/);
});

test('a pause leaves the dead alone and is shown; resume ends it', async context => {
  const { run, folder } = await house(context);
  const paused = await run('pause', 'nap', '--for', '10m');
  assert.deepEqual([paused.status, paused.out], [0, 'accepted: nap is left alone for 10 min\n']);
  assert.match((await run('drill', 'nap', '--yes')).out, /^rejected \(busy\): nap is paused/);
  kill(Number(readFileSync(join(folder, 'nap.pid'), 'utf8')));
  await until(async () => {
    const { out } = await run('status');
    return /^nap: held since .*recovery is paused\n/m.test(out) && /^ {2}paused +until /m.test(out);
  });
  const everything = await run('pause', '--for', '1m');
  assert.equal(everything.out, 'accepted: everything is left alone for 1 min\n');
  assert.match((await run('status')).out, /^pause +everything is left alone until /m);
  assert.equal((await run('pause', '--for', '25h')).status, errorTable.REFUSED.exitStatus);
  const resumed = await run('resume');
  assert.deepEqual([resumed.status, resumed.out], [0, 'accepted: everything is recovered again\n']);
  await until(async () => /^nap: up since /m.test((await run('status')).out));
  assert.doesNotMatch((await run('status')).out, /left alone|paused/);
});

test('replay of what is no recording', async context => {
  const { run, write } = programIn(context);
  write('text', 'hello\n');
  for (const [file, words] of [
    ['nowhere', /nowhere cannot be read .*Expected a journal/],
    ['text', /text holds no line of a journal/],
    ['.', /cannot be read/],
  ] as const) {
    const { status, out, err } = await run('replay', file);
    assert.deepEqual([status, out], [errorTable.RECORDING.exitStatus, '']);
    assert.match(err, words);
  }
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!(await isSo())) assert.ok(performance.now() < deadlineMs, 'it did not come to that');
}
