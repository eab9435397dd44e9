/** What the daemon asks of the addon about life and death: a kill on purpose, a sign of life, words to the service manager. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { addon, addonFile, openMonitor, pidfileOf, scratch, shell, startVictim } from './helpers.js';

describe('killing on purpose', () => {
  it('ends the watched process by SIGKILL, and says when there is none', async test => {
    const { monitor, recorder } = openMonitor(test);
    const victim = startVictim(test);
    assert.throws(() => monitor.kill('r'), { code: 'ENOENT' });
    monitor.watch('r', [{ kind: 'stack' }, { kind: 'process', pidfile: pidfileOf(test, victim.pid) }]);
    monitor.watch('s', [{ kind: 'stack' }]);
    assert.equal(monitor.kill('s'), false);
    assert.equal(monitor.kill('r'), true);
    const down = await recorder.state('down');
    assert.deepEqual([down.sensor, down.pid], [1, victim.pid]);
  });
});

describe('a script that must not be started', () => {
  it('is held back at the moment of death by a path that has come since', async test => {
    const { monitor, recorder } = openMonitor(test);
    const folder = scratch(test);
    const sign = join(folder, 'going-down');
    const victim = startVictim(test);
    monitor.watch('r', [{ kind: 'process', pidfile: pidfileOf(test, victim.pid) }]);
    monitor.armReflex('r', shell('reflex', `touch ${folder}/ran`, { unlessExists: [sign] }));
    writeFileSync(sign, '');
    victim.kill('SIGKILL');
    assert.equal((await recorder.state('down')).reflex, 'reflex');
    assert.equal((await recorder.ended('reflex')).spawnError, 'ECANCELED');
    assert.ok(!existsSync(join(folder, 'ran')));
  });

  it('is described by paths', test => {
    const { monitor } = openMonitor(test);
    for (const unlessExists of ['/x', [1], ['a\0b']]) {
      const run = { ...shell('x', 'true'), unlessExists } as never;
      assert.throws(() => monitor.run(run), { code: 'ERR_SOCKMON_ARGUMENT' });
    }
  });
});

describe('a ping', () => {
  it('is answered through the thread, each one', async test => {
    const { monitor } = openMonitor(test);
    await monitor.ping();
    await Promise.all([monitor.ping(), monitor.ping(), monitor.ping()]);
    await monitor.ping();
  });

  it('is never answered by a monitor that is closed', async test => {
    const { monitor } = openMonitor(test);
    const open = openMonitor(test).monitor;
    let answered = false;
    const note = (): void => {
      answered = true;
    };
    void monitor.ping().then(note, note);
    monitor.close();
    void monitor.ping().then(note, note);
    // The answers of another one come through the same loop, later.
    for (let i = 0; i < 10; i++) await open.ping();
    assert.equal(answered, false);
  });

  it('that is still open does no harm when its environment ends', async () => {
    const text = `
      const { Monitor } = require(${JSON.stringify(addonFile)});
      const monitor = new Monitor(() => {});
      monitor.unref();
      setInterval(() => { for (let i = 0; i < 20; i++) monitor.ping(); }, 0);
    `;
    for (let i = 0; i < 12; i++) {
      const worker = new Worker(text, { eval: true });
      await new Promise(resolve => worker.once('online', resolve));
      for (let turn = 0; turn < i; turn++) await new Promise(resolve => setImmediate(resolve));
      await worker.terminate();
    }
    const script = `const { Monitor } = require(${JSON.stringify(addonFile)}); const m = new Monitor(() => {}); m.unref(); m.ping();`;
    for (let i = 0; i < 5; i++) {
      const { status, stderr } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
    }
  });
});

describe('the service manager', () => {
  it('that is not there takes no message', () => {
    const script = `process.exitCode = require(${JSON.stringify(addonFile)}).notify('READY=1') ? 1 : 0`;
    for (const address of [undefined, '', '/nowhere/notify', 'vsock:2:1']) {
      const { NOTIFY_SOCKET: _, ...env } = process.env;
      const child = spawnSync(process.execPath, ['-e', script], {
        env: { ...env, ...(address !== undefined && { NOTIFY_SOCKET: address }) },
      });
      assert.equal(child.status, 0);
    }
    assert.throws(() => addon.notify(1 as never), { code: 'ERR_SOCKMON_ARGUMENT' });
  });
});
