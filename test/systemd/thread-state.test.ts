/** The state of a monitor thread that does not answer, as the kernel tells it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { it } from 'node:test';
import { holdWords, threadState } from '../../src/system/thread.js';
import { repository } from '../lab/paths.js';
import { run, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { openMonitor, scratch } from '../native/helpers.js';

it('a monitor thread that waits for work is not held', async t => {
  const { monitor } = openMonitor(t);
  await monitor.ping();
  await until('its sleep', () => threadState('sockmon') === 'S');
  assert.equal(holdWords(), '');
});

it('a monitor thread that the kernel holds is called so', async t => {
  const program = join(scratch(t), 'hold');
  await run(['cc', '-pthread', '-o', program, join(repository, 'test/systemd/hold_thread.c')]);
  const held = start([program], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => held.child.kill('SIGKILL'));
  const tasks = `/proc/${held.child.pid}/task`;
  await until('the hold', () => threadState('sockmon', tasks) === 'D');
  assert.equal(holdWords(tasks), '; the kernel holds the monitor thread (state D)');
});

it('where there is no such thread, nothing is said', () => {
  assert.equal(threadState('no such thread'), null);
  assert.equal(holdWords('/nowhere'), '');
});
