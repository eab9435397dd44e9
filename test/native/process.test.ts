/** The process sensor of the real addon, on real processes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { ExitCause, SensorSpec } from '../../native/index.js';
import {
  addon,
  atEnd,
  exited,
  kill,
  openMonitor,
  pidfileOf,
  scratch,
  shell,
  start,
  startVictim,
  until,
} from './helpers.js';

const deaths: { name: string; status?: number; signal?: NodeJS.Signals; cause: ExitCause }[] = [
  { name: 'SIGKILL', signal: 'SIGKILL', cause: { kind: 'signal', signal: 9, coreDumped: false } },
  { name: 'SIGTERM', signal: 'SIGTERM', cause: { kind: 'signal', signal: 15, coreDumped: false } },
  { name: 'exit 0', status: 0, cause: { kind: 'exit', code: 0 } },
  { name: 'exit 3', status: 3, cause: { kind: 'exit', code: 3 } },
];

const byPidfile = (pidfile: string): SensorSpec => ({ kind: 'process', pidfile });

describe('the death of a process', () => {
  for (const death of deaths) {
    it(`by ${death.name} is told with its cause`, async test => {
      const { monitor, recorder } = openMonitor(test);
      const victim = startVictim(test, death.status);
      const [initial] = monitor.watch('r', [byPidfile(pidfileOf(test, victim.pid))]);
      assert.equal(initial?.state, 'up');
      assert.equal(initial?.pid, victim.pid);
      const before = addon.bootTimeMs();
      if (death.signal) victim.kill(death.signal);
      else victim.end();
      const down = await recorder.state('down');
      assert.deepEqual(
        [down.resource, down.sensor, down.pid, down.reason],
        ['r', 0, victim.pid, 'process_exit'],
      );
      assert.ok(down.atMs >= before && down.atMs <= addon.bootTimeMs());
      const cause = down.cause?.kind === 'unknown' ? (await recorder.next('cause')).cause : down.cause;
      assert.deepEqual(cause, death.cause);
    });
  }

  it('by SIGSEGV is told with the signal, core dumped or not', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    monitor.watch('r', [byPidfile(pidfileOf(test, victim.pid))]);
    victim.kill('SIGSEGV');
    const down = await recorder.state('down');
    const cause = down.cause?.kind === 'unknown' ? (await recorder.next('cause')).cause : down.cause;
    assert.ok(cause?.kind === 'signal' && cause.signal === 11);
  });

  it('that its parent has not collected yet is a death: a zombie is dead', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    // The parent becomes a sleep, which never waits for its child.
    const parent = start(test, '/bin/sh', [
      '-c',
      `sleep 1000 & echo $! > ${folder}/new; mv ${folder}/new ${folder}/pid; exec sleep 1000`,
    ]);
    const [initial] = monitor.watch('r', [byPidfile(join(folder, 'pid'))]);
    const { pid } = initial?.state === 'up' ? initial : await recorder.state('up');
    assert.ok(pid);
    // Until then it is a shell, which does wait.
    await until(
      () => readFileSync(`/proc/${parent.pid}/comm`, 'utf8') === 'sleep\n',
      'the parent to be a sleep',
    );
    process.kill(pid, 'SIGTERM');
    const down = await recorder.state('down');
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^State:\s+Z/m);
    assert.deepEqual(down.cause, { kind: 'signal', signal: 15, coreDumped: false });
    // The pidfile still names it.
    assert.equal(monitor.snapshot('r')[0]?.state, 'down');
  });
});

describe('a pidfile', () => {
  for (const [what, text] of [
    ['is empty', ''],
    ['holds garbage', 'not a pid'],
    ['holds a negative number', '-1'],
    ['holds a huge number', '99999999999999999999'],
    ['names nobody', '4000000'],
  ] as const) {
    it(`that ${what} makes the process absent, with a reason`, test => {
      const { monitor } = openMonitor(test);
      const file = join(scratch(test), 'pid');
      writeFileSync(file, text);
      const [report] = monitor.watch('r', [byPidfile(file)]);
      assert.equal(report?.state, 'absent');
      assert.ok(report?.detail?.includes(file), report?.detail);
    });
  }

  it('that is older than the process is stale, until it is written anew', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    const file = pidfileOf(test, victim.pid);
    const before = Date.now() / 1000 - 10;
    utimesSync(file, before, before);
    const [report] = monitor.watch('r', [byPidfile(file)]);
    assert.match(report?.detail ?? '', /stale pidfile/);
    writeFileSync(file, `${victim.pid}\n`);
    assert.equal((await recorder.state('up')).pid, victim.pid);
  });

  it('of another program is not believed', test => {
    const { monitor } = openMonitor(test);
    const victim = startVictim(test);
    const pidfile = pidfileOf(test, victim.pid);
    const [report] = monitor.watch('r', [{ kind: 'process', pidfile, name: 'dnsmasq' }]);
    assert.equal(report?.state, 'absent');
    assert.match(report?.detail ?? '', /is not dnsmasq/);
  });

  it('that appears later brings the process up, and absence at start is no death', async test => {
    const { monitor, recorder } = openMonitor(test);
    const file = join(scratch(test), 'pid');
    assert.equal(monitor.watch('r', [byPidfile(file)])[0]?.state, 'absent');
    const victim = startVictim(test);
    writeFileSync(file, `${victim.pid}\n`);
    assert.equal((await recorder.state('up')).pid, victim.pid);
    assert.equal(recorder.all('sensor').length, 1);
  });
});

describe('a restart', () => {
  it('of a daemon, with a new pid in the pidfile, is found', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    const file = join(folder, 'pid');
    // Forks twice and renames the pidfile into place, as daemons do.
    const daemonize = `(setsid sh -c 'echo $$ > ${folder}/new; mv ${folder}/new ${file}; exec sleep 1000' &)`;
    atEnd(test, () => kill(Number(readFileSync(file, 'utf8'))));
    spawnSync('/bin/sh', ['-c', daemonize], { stdio: 'ignore' });
    await until(() => existsSync(file), 'the pidfile');
    const [initial] = monitor.watch('r', [byPidfile(file)]);
    assert.equal(initial?.state, 'up');
    monitor.armReflex('r', shell('restart', daemonize));
    process.kill(initial?.pid as number, 'SIGKILL');
    const down = await recorder.state('down');
    assert.equal(down.reflex, 'restart');
    const up = await recorder.state('up');
    assert.notEqual(up.pid, initial?.pid);
    assert.equal(up.pid, Number(readFileSync(file, 'utf8')));
    assert.deepEqual((await recorder.ended('restart')).exit, { kind: 'exit', code: 0 });
  });

  it('is not claimed by a pidfile that still names the dead one', async test => {
    const { monitor, recorder } = openMonitor(test);
    const first = startVictim(test);
    const file = pidfileOf(test, first.pid);
    monitor.watch('r', [byPidfile(file)]);
    first.kill('SIGKILL');
    await recorder.state('down');
    await exited(first);
    assert.equal(monitor.snapshot('r')[0]?.state, 'down');
    const second = startVictim(test);
    writeFileSync(`${file}.new`, `${second.pid}\n`);
    renameSync(`${file}.new`, file);
    assert.equal((await recorder.state('up')).pid, second.pid);
  });
});

describe('a process is found', () => {
  it('by its name, and again after a restart', async test => {
    const { monitor, recorder } = openMonitor(test);
    const name = `smon${process.pid}`;
    const run = () => start(test, '/bin/bash', ['-c', `exec -a ${name} sleep 1000`]);
    const first = run();
    const [initial] = monitor.watch('r', [{ kind: 'process', name }]);
    const up = initial?.state === 'up' ? initial : await recorder.state('up');
    assert.equal(up.pid, first.pid);
    first.kill('SIGKILL');
    await recorder.state('down');
    const second = run();
    await recorder.next('sensor', event => event.state === 'up' && event.pid === second.pid);
  });

  const listen = `const s = require('net').createServer().listen(process.argv[1], '127.0.0.1', () => console.log(s.address().port ?? 0))`;

  it('by the port that it listens on', async test => {
    const { monitor, recorder } = openMonitor(test);
    const server = start(test, process.execPath, ['-e', listen, '0']);
    const port = Number(await once(server.stdout as NodeJS.ReadableStream, 'data'));
    for (const [resource, text] of [
      ['any', `tcp:${port}`],
      ['exact', `tcp:127.0.0.1:${port}`],
    ] as const) {
      const [report] = monitor.watch(resource, [{ kind: 'process', listen: text }]);
      assert.deepEqual([report?.state, report?.pid], ['up', server.pid], report?.detail);
    }
    const [other] = monitor.watch('other', [{ kind: 'process', listen: `tcp:[::1]:${port}` }]);
    assert.equal(other?.state, 'absent');
    server.kill('SIGKILL');
    await recorder.next('sensor', event => event.resource === 'exact' && event.state === 'down');
  });

  it('by the UNIX socket that it listens on', async test => {
    const { monitor } = openMonitor(test);
    const path = join(scratch(test), 'a socket');
    const server = start(test, process.execPath, ['-e', listen.replace(`, '127.0.0.1'`, ''), path]);
    await once(server.stdout as NodeJS.ReadableStream, 'data');
    const [report] = monitor.watch('r', [{ kind: 'process', listen: `unix:${path}` }]);
    assert.deepEqual([report?.state, report?.pid], ['up', server.pid], report?.detail);
  });
});

it('500 processes are watched at once, and the one that dies is told', async test => {
  const { monitor, recorder } = openMonitor(test);
  const folder = scratch(test);
  const sleepers = `i=0; while [ $i -lt 500 ]; do sleep 1000 & echo $! > ${folder}/$i; i=$((i+1)); done; echo ready; wait`;
  const herd = start(test, '/bin/sh', ['-c', sleepers]);
  await once(herd.stdout as NodeJS.ReadableStream, 'data');
  const pids = Array.from({ length: 500 }, (_, i) => Number(readFileSync(join(folder, `${i}`), 'utf8')));
  atEnd(test, () => {
    for (const pid of pids) kill(pid);
  });
  for (let i = 0; i < 500; i++) {
    assert.equal(monitor.watch(`r${i}`, [byPidfile(join(folder, `${i}`))])[0]?.pid, pids[i]);
  }
  process.kill(pids[321] as number, 'SIGKILL');
  const down = await recorder.state('down');
  assert.deepEqual([down.resource, down.pid], ['r321', pids[321]]);
});
