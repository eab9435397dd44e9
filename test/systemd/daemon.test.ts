/** The daemon under a service manager: a real socket, a real watchdog's time, a monitor thread that is really stopped. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorTable } from '../../src/base/errors.js';
import { Daemon } from '../lab/daemon.js';
import { start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { needs } from '../native/needs.js';

const helper = (name: string): string =>
  fileURLToPath(new URL(`../../../test/systemd/${name}`, import.meta.url));
const python = needs('python3', ['-c', 'import os; os.getuid() and 1/0']);

interface Service {
  readonly daemon: Daemon;
  readonly messages: string[];
  readonly directory: string;
  readonly nap: ChildProcess;
  said(message: string | RegExp, count?: number): Promise<void>;
}

async function service(context: TestContext, watchdogMs: number | null): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'sockmon-systemd-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const nap = spawn('sleep', ['1000'], { stdio: 'ignore' });
  context.after(() => nap.kill('SIGKILL'));
  writeFileSync(join(directory, 'nap.pid'), `${nap.pid}\n`);
  writeFileSync(
    join(directory, 'sockmon.yaml'),
    'node: gw\nresources:\n  nap: {watch: {process: {pidfile: nap.pid, name: sleep}}}\n',
  );
  const address = join(directory, 'notify');
  const messages: string[] = [];
  const manager = start(['python3', helper('manager.py'), address], { stdio: ['ignore', 'pipe', 'inherit'] });
  context.after(() => manager.child.kill('SIGKILL'));
  if (manager.child.stdout === null) throw new Error('no pipe from the manager');
  createInterface({ input: manager.child.stdout }).on('line', line => messages.push(JSON.parse(line)));
  await until('the socket', () => messages.length > 0);
  const stateDir = join(directory, 'state');
  mkdirSync(stateDir);
  const daemon = new Daemon({
    enter: argv => [...argv],
    directory,
    stateDir,
    arguments: ['run', '--config', join(directory, 'sockmon.yaml'), '--state-dir', stateDir],
    env: {
      NOTIFY_SOCKET: address,
      ...(watchdogMs !== null && { WATCHDOG_USEC: String(watchdogMs * 1000) }),
    },
  });
  context.after(() => daemon.kill('SIGKILL'));
  const said = async (message: string | RegExp, count = 1): Promise<void> => {
    const matches = (said: string): boolean =>
      typeof message === 'string' ? said === message : message.test(said);
    await daemon.until(`${message} to the service manager`, () => messages.filter(matches).length >= count, {
      context: () => messages.join(' | '),
    });
  };
  return { daemon, messages, directory, nap, said };
}

function threadOf(pid: number, name: string): number {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number);
  const found = threads.find(tid => readFileSync(`/proc/${pid}/task/${tid}/comm`, 'utf8').trim() === name);
  assert.ok(found !== undefined, `no thread ${name}`);
  return found;
}

test('systemd is told when it is ready, how things are, of a reload and of the stop', {
  skip: python,
}, async context => {
  const { daemon, messages, nap, said } = await service(context, null);
  await said('READY=1');
  assert.equal(daemon.entries('start').length, 1, 'ready before the journal was open');
  await said('STATUS=nap is up');
  nap.kill('SIGKILL');
  await said(/^STATUS=nap is (settling|held|restarting)/);
  daemon.kill('SIGHUP');
  await said(/^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  await said('READY=1', 2);
  assert.equal((await daemon.stop()).code, 0);
  await until('the good-bye', () => messages.at(-1) === 'STOPPING=1', {
    context: () => messages.join(' | '),
  });
  assert.ok(!messages.some(message => message.startsWith('WATCHDOG')));
});

test('a monitor thread that stands still is recorded, and ends the daemon with a status of its own', {
  skip: python,
}, async context => {
  const { daemon, messages, said } = await service(context, 3000);
  await said('WATCHDOG=1', 3);
  const tracer = start(['python3', helper('stop-thread.py'), String(threadOf(daemon.pid, 'sockmon'))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => tracer.child.kill('SIGKILL'));
  await new Promise(resolve => tracer.child.stdout?.once('data', resolve));
  const fed = messages.filter(message => message === 'WATCHDOG=1').length;
  const { code, signal } = await daemon.ended;
  assert.deepEqual([code, signal], [errorTable.MONITOR_HANGS.exitStatus, null], daemon.story());
  // One answer may have been under way.
  assert.ok(messages.filter(message => message === 'WATCHDOG=1').length <= fed + 1);
  await until('the last words', () =>
    messages.at(-1)?.startsWith('STATUS=the monitor thread has not answered'),
  );
  const [alarm] = daemon.entries('alarm');
  assert.equal(alarm?.what, 'monitor_hangs');
  assert.match(daemon.log, /nothing is watched any more: the monitor thread has not answered for 1\.0 s/);
});
