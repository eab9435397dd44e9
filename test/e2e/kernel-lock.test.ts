/**
 * A kernel whose networking is locked up. A real lock would take the machine along: in its stead the thread that asks the kernel is stopped in
 * the middle of everything, by ptrace(2), so that its question is never answered, and no signal of the daemon's can change that.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { causeWords } from '../../src/core/words.js';
import type { Daemon } from '../lab/daemon.js';
import { repository } from '../lab/paths.js';
import { start } from '../lab/proc.js';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import { needs } from '../native/needs.js';
import { scenario } from './scenario.js';

/** A minute, what is asked for once in ten seconds before it, and three seconds that the loss is borne. */
const patient = { deadlineMs: 240_000 };

/** @returns what lets it go. */
async function hold(daemon: Daemon): Promise<() => void> {
  const tasks = `/proc/${daemon.pid}/task`;
  const isAsker = (tid: string) => readFileSync(`${tasks}/${tid}/comm`, 'utf8').trim() === 'sockmon-network';
  const asker = readdirSync(tasks).find(isAsker);
  assert.ok(asker !== undefined, 'no thread asks the kernel');
  const tracer = start(['python3', `${repository}/test/systemd/stop-thread.py`, asker], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise(resolve => tracer.child.stdout?.once('data', resolve));
  return () => tracer.child.kill('SIGKILL');
}

scenario(
  'a kernel whose networking is locked up is told, restarted and rebooted for, and told when it lets go',
  async lab => {
    const stub = rebootStub(lab);
    const vpn = { watch: { link: 'tap0' }, role: 'service', restart: { script: '/bin/false' } };
    const daemon = lab.run({
      resources: {
        tcpip: {
          watch: [{ stack: { every: '1s' } }, 'uplink'],
          restart: { script: '/bin/false', attempts: 1, every: '1s' },
        },
        vpn,
      },
      reboot: rebootBy(stub),
    });
    await daemon.watching();
    await daemon.watching('vpn');
    const letGo = await hold(daemon);
    try {
      const { cause, resource } = await daemon.entry('outage_begin', 1, patient);
      assert.equal(resource, 'tcpip');
      assert.match(
        causeWords(cause),
        /^the kernel's networking is locked up: it has not answered for a minute;/,
      );
      const { reason } = await daemon.entry('reboot_intent');
      assert.match(reason, /^tcpip did not come back: the kernel's networking is locked up/);
      await daemon.until('the reboot', () => stub.calls().length > 0);
      assert.deepEqual(stub.calls(), ['recorded']);
      assert.ok(
        (await daemon.entry('evidence')).held !== undefined,
        'nobody looked for what the kernel holds',
      );
    } finally {
      letGo();
    }
    assert.equal((await daemon.entry('outage_end')).outcome, 'recovered');
    assert.equal(daemon.entries('outage_begin').length, 1);
    assert.equal(daemon.entries('alarm').length, 0);
    assert.equal((await daemon.stop()).code, 0);
  },
  needs('python3', ['-c', 'import os; os.getuid() and 1/0']),
);
