/** Nobody reads the log: the pipe is full, and sockmon watches, restarts and answers all the same. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadAddon } from '../../src/system/addon.js';
import { until } from '../lab/wait.js';
import { mainFile, programIn } from './program.js';

test('a log that nobody reads holds up nothing, and is complete once it is read again', async context => {
  const { folder, write, ready, run } = programIn(context);
  const fifo = join(folder, 'log');
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  context.after(() => [reader, writer].forEach(closeSync));
  const service = spawn('sleep', ['1000'], { stdio: 'ignore' });
  write('svc.pid', `${service.pid}\n`);
  write('restart', `#!/bin/sh\necho run >>${folder}/ran\nexit 1\n`, 0o755);
  write(
    'a.yaml',
    `resources: {svc: {watch: {process: {pidfile: ${folder}/svc.pid}}, restart: {script: ${folder}/restart, every: 1s}}}\nlog: {level: debug}\n`,
  );
  const daemon = spawn(process.execPath, [mainFile, 'run', '--config', 'a.yaml'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, STATE_DIRECTORY: join(folder, 'state') },
    stdio: ['ignore', writer, writer],
  });
  const ended = new Promise(resolve => daemon.once('exit', resolve));
  context.after(async () => {
    daemon.kill('SIGKILL');
    await ended;
  });
  await ready(daemon);
  const filling = Buffer.alloc(4096, 'x\n');
  while (loadAddon().writeNow(writer, filling) > 0);
  service.kill('SIGKILL');
  const runs = () =>
    existsSync(`${folder}/ran`) ? readFileSync(`${folder}/ran`, 'utf8').trim().split('\n').length : 0;
  await until('three attempts', () => runs() >= 3);
  const { out } = await run('status', '--json');
  assert.notEqual(JSON.parse(out).snapshot.resources.svc.state, 'up');

  let log = '';
  const bytes = Buffer.alloc(65_536);
  await until('what happened meanwhile', () => {
    try {
      log += bytes.toString('utf8', 0, readSync(reader, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
    return /svc died/.test(log) && (log.match(/attempt/gi)?.length ?? 0) >= 2;
  });
});

test('a log that nobody reads does not keep it from ending', async context => {
  const { folder, write, ready } = programIn(context);
  const fifo = join(folder, 'log');
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
  const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(fifo, constants.O_WRONLY);
  context.after(() => [reader, writer].forEach(closeSync));
  write('a.yaml', 'resources: {one: {watch: stack}}\n');
  const daemon = spawn(process.execPath, [mainFile, 'run', '--config', 'a.yaml'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, STATE_DIRECTORY: join(folder, 'state') },
    stdio: ['ignore', writer, writer],
  });
  const status = new Promise(resolve => daemon.once('exit', resolve));
  context.after(() => daemon.kill('SIGKILL'));
  await ready(daemon);
  while (loadAddon().writeNow(writer, Buffer.alloc(4096, 'x\n')) > 0);
  daemon.kill('SIGTERM');
  assert.equal(await status, 0);
});
