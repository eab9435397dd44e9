import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { errorTable } from '../../src/base/errors.js';
import { until } from '../lab/wait.js';
import { mainFile, type Program, programIn, result, said } from './program.js';

/** A service to watch that dies when it is told to. */
function service(context: TestContext): ChildProcess {
  const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
  context.after(() => child.kill('SIGKILL'));
  return child;
}

function configured(context: TestContext): Program & { readonly service: ChildProcess } {
  const program = programIn(context);
  const watched = service(context);
  program.write('sleep.pid', `${watched.pid}\n`);
  program.write(
    'sockmon.yaml',
    'node: gw\nresources:\n  nap: {watch: {process: {pidfile: sleep.pid, name: sleep}}}\n',
  );
  return { ...program, service: watched };
}

test('what is not there at the start is named at once, since it may be misspelt', async context => {
  const program = configured(context);
  program.write(
    'sockmon.yaml',
    'node: gw\nresources:\n  nap: {watch: {process: {pidfile: sleep.pid}}}\n  lan: {watch: {link: no-such-link0}, role: service}\n',
  );
  const daemon = program.start('run', '--config', 'sockmon.yaml');
  const absent = said(daemon, /info .*is not there yet .*\n/);
  const text = await absent;
  assert.match(
    text,
    /info {2}lan is not there yet \(link no-such-link0: the interface is not there\); it is watched from the moment it appears\n/,
  );
  assert.doesNotMatch(text, /nap is not there/);
  await program.ready(daemon);
  const ended = result(daemon);
  daemon.kill('SIGTERM');
  assert.equal((await ended).status, 0);
});

test('run says what it watches; status, history and commands work beside it; SIGTERM ends it well', async context => {
  const program = configured(context);
  const daemon = program.start('run', '--config', 'sockmon.yaml');
  const ended = result(daemon);
  const greeting = await said(daemon, /try next: .*\n/);
  await program.ready(daemon);
  assert.match(greeting, /info {2}watching nap: the process named sleep, with its pid in .*sleep\.pid\n/);
  assert.match(greeting, /info {2}when nap dies: it is told; nothing is restarted\n/);
  assert.match(greeting, /try next: sockmon status\n/);

  const text = await program.run('status');
  assert.equal(text.status, 0, text.err);
  assert.match(text.out, /^sockmon \S+ on gw: online\n\nnap: up since .*\n(?: .*\n)* {2}role +a service\n/);
  const json = await program.run('status', '--json', '--config', 'sockmon.yaml');
  const status = JSON.parse(json.out);
  assert.equal(status.running, true);
  assert.equal(status.pid, daemon.pid);
  assert.equal(status.snapshot.resources.nap.state, 'up');

  const reboot = await program.run('reboot');
  assert.equal(reboot.status, errorTable.REFUSED.exitStatus);
  assert.match(reboot.out, /^rejected \(\w+\): .+\n$/);

  const second = await program.run('run', '--config', 'sockmon.yaml');
  assert.equal(second.status, errorTable.ALREADY_RUNNING.exitStatus);

  const died = said(daemon, /nap died: /);
  program.service.kill('SIGKILL');
  await died;
  const history = await program.run('history', '--json');
  const [outage] = JSON.parse(history.out);
  assert.equal(outage.resource, 'nap');
  assert.equal(outage.role, 'service');
  assert.equal(outage.outcome, 'open');
  assert.match(
    (await program.run('history')).out,
    /^began +lasted +resource +attempts +outage +cause\n.*still open +nap/,
  );

  daemon.kill('SIGTERM');
  assert.equal((await ended).status, 0);
  const after = await program.run('status', '--json');
  assert.equal(after.status, errorTable.NOT_RUNNING.exitStatus);
  const known = JSON.parse(after.out);
  assert.equal(known.running, false);
  assert.equal(known.stopped, 'SIGTERM');
  assert.equal(known.last_outage.resource, 'nap');
  assert.equal(known.state_dir, join(program.folder, 'state'));
});

test('status --watch redraws until it is told to stop', async context => {
  const program = configured(context);
  const daemon = program.start('run', '--config', 'sockmon.yaml');
  await program.ready(daemon);
  const watching = program.start('status', '--watch');
  const ended = result(watching);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the terminal's clear sequence
  await said(watching, /\x1b\[H\x1b\[J[^\x1b]*nap: up[^\x1b]*\x1b\[H\x1b\[J[^\x1b]*nap: up/);
  watching.kill('SIGINT');
  assert.equal((await ended).status, 0);
});

test('the form of the seed watches this machine, tells nobody and does not reboot', async context => {
  const program = programIn(context);
  program.write('restart-network', '#!/bin/sh\n', 0o755);
  const daemon = program.start('./restart-network');
  const ended = result(daemon);
  const greeting = await said(daemon, /try next: sockmon status\n/);
  await program.ready(daemon);
  assert.match(greeting, /watching tcpip: a datagram .*; the interface that leads to the internet/);
  assert.match(greeting, /when tcpip dies: .*\/restart-network runs, at most 6 times, 30s apart/);
  assert.match(greeting, /reboot: not allowed/);
  assert.match(greeting, /broker: none/);
  daemon.kill('SIGINT');
  assert.equal((await ended).status, 0);
});

test('SIGHUP with faults in the file: they are told, and the old configuration stays', async context => {
  const program = configured(context);
  const daemon = program.start('run', '--config', 'sockmon.yaml');
  await program.ready(daemon);
  program.write('sockmon.yaml', 'nide: x\nresources: {nap: {watch: stck}}\n');
  const told = said(
    daemon,
    /sockmon\.yaml:1:1: nide: unknown key[^\n]*\n +sockmon\.yaml:2:26: [^\n]*stck: unknown key/,
  );
  daemon.kill('SIGHUP');
  await told;
  const { out } = await program.run('status', '--json');
  assert.deepEqual(Object.keys(JSON.parse(out).snapshot.resources), ['nap']);
});

test('a terminal that is closed ends what was started on it, and in order', async context => {
  const program = configured(context);
  // script(1) gives it a terminal of its own, whose first process hears of the hangup. Node by itself ends with SIGABRT then.
  const daemon = `'${process.execPath}' '${mainFile}' run --config sockmon.yaml`;
  const command = `${daemon} & trap "kill -HUP $!" HUP; wait; wait $!; echo $? >status.new; mv status.new status`;
  const terminal = spawn('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: program.folder,
    env: { PATH: process.env.PATH, HOME: program.folder, STATE_DIRECTORY: join(program.folder, 'state') },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  context.after(() => terminal.kill('SIGKILL'));
  await program.ready(terminal);
  const { pid } = JSON.parse((await program.run('status', '--json')).out);
  context.after(() => existsSync(`/proc/${pid}`) && process.kill(pid, 'SIGKILL'));
  // Without a hangup it is the wish for a reload.
  program.write('sockmon.yaml', 'nide: x\n');
  const told = said(terminal, /nide: unknown key/);
  process.kill(pid, 'SIGHUP');
  await told;
  terminal.kill('SIGKILL');
  await until('it to end', () => existsSync(join(program.folder, 'status')));
  assert.equal(readFileSync(join(program.folder, 'status'), 'utf8'), '0\n');
  assert.equal(JSON.parse((await program.run('status', '--json')).out).stopped, 'its terminal was closed');
});
