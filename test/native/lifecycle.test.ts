/** How the addon begins and ends: in workers, at exit, with exceptions, and what it leaves behind. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addon, addonFile, openMonitor, pidfileOf, startVictim, until } from './helpers.js';

const count = (folder: string): number => readdirSync(`/proc/self/${folder}`).length;

/** pthread_join(3) comes back a moment before the kernel takes the thread off the list. */
async function settledTasks(): Promise<number> {
  for (let before = 0; ; ) {
    const now = count('task');
    if (now === before) return now;
    before = now;
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

/** Runs a program with `addon` and `open`, which watches this machine's stack, in a Node of its own. */
function node(program: string) {
  const prelude = `const addon = require(${JSON.stringify(addonFile)});
    const open = onEvents => { const monitor = new addon.Monitor(onEvents ?? (() => {})); monitor.watch('r', [{ kind: 'stack' }]); return monitor; };
    const run = id => ({ id, argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });`;
  const { status, signal, stderr, stdout } = spawnSync(process.execPath, ['-e', `${prelude}${program}`], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, signal, stderr, stdout };
}

describe('a monitor', () => {
  it('leaves no descriptor and no thread behind when it is closed', async test => {
    const victim = startVictim(test);
    const pidfile = pidfileOf(test, victim.pid);
    const cycle = (): void => {
      const monitor = new addon.Monitor(() => {});
      monitor.watch('r', [{ kind: 'process', pidfile }, { kind: 'uplink' }, { kind: 'stack' }]);
      monitor.armReflex('r', { id: 'x', argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });
      monitor.close();
      monitor.close();
    };
    cycle();
    const before = [count('fd'), await settledTasks()];
    for (let i = 0; i < 100; i++) cycle();
    await until(() => count('task') <= (before[1] as number), 'the threads to end');
    assert.deepEqual([count('fd'), count('task')], before);
  });

  it('refuses everything but ref, unref and close once it is closed', test => {
    const { monitor } = openMonitor(test);
    monitor.close();
    assert.throws(() => monitor.snapshot('r'), { code: 'ESHUTDOWN' });
    assert.throws(() => monitor.watch('r', [{ kind: 'stack' }]), { code: 'ESHUTDOWN' });
    monitor.ref();
    monitor.unref();
  });

  it('delivers nothing after close, not even what had happened before', async test => {
    const { monitor, recorder } = openMonitor(test);
    monitor.run({ id: 'x', argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });
    monitor.close();
    const other = openMonitor(test);
    other.monitor.run({ id: 'y', argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });
    await other.recorder.ended('y');
    assert.equal(recorder.events.length, 0);
  });

  it('keeps the process alive, and lets it end when unref was called', () => {
    assert.equal(node('open().unref(); process.exitCode = 7').status, 7);
    const alive = node('open(); setTimeout(() => process.exit(8), 50).unref()');
    assert.equal(alive.status, 8);
    assert.equal(
      node(
        'const m = open(); m.unref(); m.ref(); setTimeout(() => m.close(), 20).unref(); process.exitCode = 9',
      ).status,
      9,
    );
  });

  it('survives the end of the process with events on their way', () => {
    const natural = `for (let n = 0; n < 10; n++) { const m = open(); m.unref(); for (let i = 0; i < 20; i++) m.run(run('r' + i)); }`;
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(node(natural), { status: 0, signal: null, stderr: '', stdout: '' });
      assert.deepEqual(node(`${natural}; process.exit(5)`), {
        status: 5,
        signal: null,
        stderr: '',
        stdout: '',
      });
    }
  });

  it('turns an exception of the callback into an uncaught one', () => {
    const caught =
      node(`process.on('uncaughtException', error => { console.log(error.message); process.exit(3); });
      open(() => { throw new Error('mine'); }).run(run('x'))`);
    assert.deepEqual([caught.status, caught.stdout], [3, 'mine\n']);
    const uncaught = node(`open(() => { throw new Error('mine'); }).run(run('x'))`);
    assert.ok(uncaught.status !== 0 && uncaught.stderr.includes('mine'));
  });

  it('may be dropped without being collected', () => {
    const program = `let seen = 0; (() => open(() => { seen++; if (seen === 1) process.exit(4); }).run(run('x')))();
      global.gc?.(); setTimeout(() => {}, 10_000)`;
    assert.equal(node(program).status, 4);
  });

  it('of several lives beside the others', async test => {
    const monitors = Array.from({ length: 5 }, () => openMonitor(test));
    for (const { monitor } of monitors)
      monitor.run({ id: 'x', argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });
    for (const { recorder } of monitors) await recorder.ended('x');
  });
});

it('workers that are terminated at any moment leave nothing behind', async () => {
  const program = `const { workerData, parentPort } = require('node:worker_threads');
    const addon = require(workerData.file);
    const monitor = new addon.Monitor(() => parentPort.postMessage('event'));
    monitor.watch('r', [{ kind: 'stack', everyMs: 1 }, { kind: 'link', interface: 'lo' }]);
    for (let i = 0; i < 4; i++) monitor.run({ id: 'r' + i, argv: ['/bin/true'], env: {}, timeoutMs: 0, graceMs: 0 });
    parentPort.postMessage('ready');
    if (workerData.exits) process.exit(0);`;
  const life = async (i: number): Promise<void> => {
    const worker = new Worker(program, { eval: true, workerData: { file: addonFile, exits: i % 3 === 0 } });
    const ended = new Promise(resolve => worker.on('exit', resolve));
    // Before it is ready, as soon as it is, or when the first event comes.
    if (i % 4 === 1) await worker.terminate();
    if (i % 4 === 2) worker.once('message', () => void worker.terminate());
    if (i % 4 >= 2 || i % 4 === 0)
      worker.on('message', what => void (what === 'event' && worker.terminate()));
    await ended;
  };
  await Promise.all([life(1), life(2)]);
  const before = [count('fd'), await settledTasks()];
  for (let i = 0; i < 40; i += 2) await Promise.all([life(i), life(i + 1)]);
  await until(() => count('task') <= (before[1] as number), 'the threads to end');
  assert.deepEqual([count('fd'), count('task')], before);
});

it('a quiet monitor does not wake up', async test => {
  const { monitor } = openMonitor(test);
  const victims = Array.from({ length: 10 }, () => startVictim(test));
  victims.forEach(
    (victim, i) => void monitor.watch(`r${i}`, [{ kind: 'process', pidfile: pidfileOf(test, victim.pid) }]),
  );
  const task = readdirSync('/proc/self/task').find(
    tid => readFileSync(`/proc/self/task/${tid}/comm`, 'utf8') === 'sockmon\n',
  );
  assert.ok(task !== undefined, 'the thread has its name');
  const switches = (): number =>
    Number(
      /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/self/task/${task}/status`, 'utf8'))?.[1],
    );
  await until(
    () => /^State:\s+S/m.test(readFileSync(`/proc/self/task/${task}/status`, 'utf8')),
    'the thread to sleep',
  );
  // What has just been found is looked at again after a second, and then left alone.
  let woken = 1;
  for (let look = 0; look < 10 && woken > 0; look++) {
    const before = switches();
    // A time to be quiet in, not a wait for something: a periodic wake-up of up to a second would show.
    await new Promise(resolve => setTimeout(resolve, 1500));
    woken = switches() - before;
  }
  assert.equal(woken, 0);
});
