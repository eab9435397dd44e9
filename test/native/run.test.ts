/** Scripts: the reflex and runs on command, with the real addon and real shells. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import {
  addon,
  atEnd,
  isAlive,
  kill,
  openMonitor,
  pidfileOf,
  scratch,
  shell,
  startVictim,
  until,
} from './helpers.js';

/** 0 until the whole line is there. */
function pidIn(file: string): number {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  return text.endsWith('\n') ? Number(text) : 0;
}

describe('the reflex', () => {
  it('starts while JavaScript is blocked', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    const mark = join(scratch(test), 'mark');
    monitor.watch('r', [{ kind: 'process', pidfile: pidfileOf(test, victim.pid) }]);
    monitor.armReflex('r', shell('reflex', `cat /proc/uptime > ${mark}`));
    victim.kill('SIGKILL');
    // Not one turn of the event loop until the script has left its mark.
    while (!existsSync(mark) || readFileSync(mark, 'utf8') === '');
    const blockedUntilMs = addon.bootTimeMs();
    assert.equal(recorder.events.length, 0);
    const ended = await recorder.ended('reflex');
    const [down, started] = recorder.events;
    assert.ok(down?.type === 'sensor' && down.state === 'down' && down.reflex === 'reflex');
    assert.ok(started?.type === 'run_started' && started.reflex && started.id === 'reflex');
    assert.ok(down.atMs <= started.atMs && started.atMs <= blockedUntilMs && started.atMs <= ended.atMs);
  });

  it('starts once, and not again before it is armed again', async test => {
    const { monitor, recorder } = openMonitor(test);
    const pidfile = join(scratch(test), 'pid');
    const revive = async (count: number) => {
      const victim = startVictim(test);
      writeFileSync(pidfile, `${victim.pid}\n`);
      await recorder.state('up', count);
      return victim;
    };
    monitor.watch('r', [{ kind: 'process', pidfile }]);
    monitor.armReflex('r', shell('one', 'true'));
    (await revive(1)).kill('SIGKILL');
    assert.equal((await recorder.state('down', 1)).reflex, 'one');
    (await revive(2)).kill('SIGKILL');
    assert.equal((await recorder.state('down', 2)).reflex, undefined);
    // A death that has happened already does not set it off.
    monitor.armReflex('r', shell('two', 'true'));
    (await revive(3)).kill('SIGKILL');
    assert.equal((await recorder.state('down', 3)).reflex, 'two');
    monitor.armReflex('r', shell('three', 'true'));
    monitor.armReflex('r', null);
    (await revive(4)).kill('SIGKILL');
    assert.equal((await recorder.state('down', 4)).reflex, undefined);
    await recorder.ended('two');
    assert.deepEqual(
      recorder.all('run_started').map(({ id }) => id),
      ['one', 'two'],
    );
  });

  it('that cannot be started is told as such', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    monitor.watch('r', [{ kind: 'process', pidfile: pidfileOf(test, victim.pid) }]);
    monitor.armReflex('r', shell('reflex', '', { argv: ['/nowhere/restart'] }));
    victim.kill('SIGKILL');
    assert.equal((await recorder.state('down')).reflex, 'reflex');
    assert.equal((await recorder.ended('reflex')).spawnError, 'ENOENT');
    assert.equal(recorder.all('run_started').length, 0);
  });

  it('of a resource that is watched no more stays quiet', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    const pidfile = pidfileOf(test, victim.pid);
    monitor.watch('r', [{ kind: 'process', pidfile }]);
    monitor.armReflex('r', shell('reflex', 'true'));
    monitor.unwatch('r');
    monitor.watch('other', [{ kind: 'process', pidfile }]);
    victim.kill('SIGKILL');
    const down = await recorder.state('down');
    assert.deepEqual([down.resource, down.reflex], ['other', undefined]);
  });
});

describe('a run', () => {
  it('tells output, status, working directory and exactly the environment given', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    monitor.run(
      shell('r', 'echo out; echo err >&2; pwd; /usr/bin/env; exit 3', { env: { A: 'b c' }, cwd: folder }),
    );
    const ended = await recorder.ended('r');
    assert.deepEqual(ended.exit, { kind: 'exit', code: 3 });
    assert.equal(ended.timedOut, false);
    assert.match(ended.output, /^out\nerr\n/);
    assert.ok(ended.output.includes(`${folder}\n`));
    assert.ok(ended.output.includes('A=b c\n') && !ended.output.includes('HOME='));
    const [started] = recorder.all('run_started');
    assert.ok(started && !started.reflex && started.atMs <= ended.atMs);
  });

  it('keeps the last 4096 bytes, as text', async test => {
    const { monitor, recorder } = openMonitor(test);
    monitor.run(shell('long', `head -c 100000 /dev/zero | tr '\\0' x; printf 'grüße\\377'`));
    const ended = await recorder.ended('long');
    assert.equal(ended.outputTruncated, true);
    assert.ok(ended.output.endsWith('xgrüße\ufffd'), ended.output.slice(-20));
    assert.equal(Buffer.byteLength(ended.output.replace('\ufffd', '?')), 4096);
  });

  it('that cannot be started tells the errno', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    const plain = join(folder, 'plain');
    const empty = join(folder, 'no-shebang');
    writeFileSync(plain, 'no program', { mode: 0o644 });
    writeFileSync(empty, 'no program', { mode: 0o755 });
    mkdirSync(join(folder, 'd'));
    for (const [path, code] of [
      [join(folder, 'none'), 'ENOENT'],
      [plain, 'EACCES'],
      [join(folder, 'd'), 'EACCES'],
      [empty, 'ENOEXEC'],
      [join(plain, 'x'), 'ENOTDIR'],
    ] as const) {
      monitor.run(shell(path, '', { argv: [path] }));
      const ended = await recorder.ended(path);
      assert.equal(ended.spawnError, code, path);
      assert.equal(ended.exit, undefined);
    }
  });

  it('over its time is ended, and that is told', async test => {
    const { monitor, recorder } = openMonitor(test);
    monitor.run(shell('r', 'exec sleep 1000', { timeoutMs: 150 }));
    const ended = await recorder.ended('r');
    assert.equal(ended.timedOut, true);
    assert.deepEqual(ended.exit, { kind: 'signal', signal: 15, coreDumped: false });
    const [started] = recorder.all('run_started');
    assert.ok(started && ended.atMs - started.atMs >= 150);
  });

  it('is ended with its whole session, other process groups and the deaf included, which is no timeout', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    // With set -m bash gives each its own process group.
    const script = `set -m
      (trap '' TERM; echo $BASHPID > ${folder}/deaf; exec sleep 1000) &
      sleep 1000 & echo $! > ${folder}/other; wait`;
    const pids = (): number[] => ['deaf', 'other'].map(name => pidIn(join(folder, name)));
    monitor.run(shell('r', '', { argv: ['/bin/bash', '-c', script], timeoutMs: 0, graceMs: 150 }));
    await until(() => pids().every(pid => pid > 0), 'the children');
    const children = pids();
    monitor.endRun('nobody');
    monitor.endRun('r');
    const ended = await recorder.ended('r');
    assert.equal(ended.timedOut, false);
    assert.deepEqual(ended.exit, { kind: 'signal', signal: 15, coreDumped: false });
    await until(() => !children.some(isAlive), 'the end of the children');
    monitor.endRun('r');
  });

  it('that ignores SIGTERM is killed after the grace time', async test => {
    const { monitor, recorder } = openMonitor(test);
    const ready = join(scratch(test), 'ready');
    const script = `trap '' TERM; echo $$ > ${ready}; while :; do sleep 1000; done`;
    monitor.run(shell('r', script, { timeoutMs: 0, graceMs: 100 }));
    await until(() => pidIn(ready) > 0, 'the trap');
    const beforeMs = addon.bootTimeMs();
    monitor.endRun('r');
    const ended = await recorder.ended('r');
    assert.deepEqual(ended.exit, { kind: 'signal', signal: 9, coreDumped: false });
    assert.ok(ended.atMs - beforeMs >= 100);
  });

  it('ends when the script does, though a daemon keeps its output, and the daemon outlives the monitor', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    const chatter = 'while :; do echo tick; sleep 0.01; done';
    monitor.run(shell('r', `setsid sh -c '${chatter}' & echo $! > ${folder}/pid; echo done`));
    const ended = await recorder.ended('r');
    const pid = pidIn(join(folder, 'pid'));
    atEnd(test, () => kill(pid));
    assert.match(ended.output, /^done$/m);
    monitor.close();
    // Writing into the broken pipe must not kill it.
    const ticks = (): number =>
      Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const before = ticks();
    await until(() => ticks() > before + 5, 'more ticks');
    assert.ok(isAlive(pid));
  });

  it('goes on when the monitor is closed', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    monitor.run(
      shell(
        'r',
        `echo $$ > ${folder}/pid; while [ ! -e ${folder}/go ]; do sleep 0.02; done; touch ${folder}/done`,
      ),
    );
    await until(() => existsSync(join(folder, 'pid')), 'the script');
    monitor.close();
    writeFileSync(join(folder, 'go'), '');
    await until(() => existsSync(join(folder, 'done')), 'the end of the script');
    assert.equal(recorder.all('run_ended').length, 0);
  });

  it('starts with no signal blocked, only SIGPIPE ignored, /dev/null on 0, and nothing else open', async test => {
    const { monitor, recorder } = openMonitor(test);
    monitor.run(
      shell(
        'r',
        'grep Sig /proc/self/status; readlink /proc/$$/fd/0; ls /proc/$$/fd | tr "\\n" " "; ps -o sid= $$; echo $$',
      ),
    );
    const { output } = await recorder.ended('r');
    assert.match(output, /SigBlk:\s+0{16}\n/);
    assert.match(output, /SigIgn:\s+0{12}1000\n/);
    assert.match(output, /\n\/dev\/null\n0 1 2 /);
    const [session, pid] = output.trim().split(/\s+/).slice(-2);
    assert.equal(session, pid);
  });
});
