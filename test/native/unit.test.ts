/** The sensor for units through the addon: its question, the answer, and what is refused. Under a real systemd: test/chaos/unit.chaos.ts. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openMonitor, startVictim } from './helpers.js';

it('a unit is asked about, and the answer is what is watched', async t => {
  const { monitor, recorder } = openMonitor(t);
  const [report] = monitor.watch('r', [{ kind: 'unit', name: 'no-such.service', manager: 'system' }]);
  assert.equal(report?.state, 'absent');
  assert.equal((await recorder.next('question')).resource, 'r');
  const victim = startVictim(t);
  monitor.advise('r', 0, { state: 'running', pid: victim.pid ?? 0, graceMs: 0, stopSignal: 15 });
  assert.equal((await recorder.state('up')).pid, victim.pid);
  victim.kill('SIGTERM');
  const { graceMs = 0, reason, nature } = await recorder.state('down');
  assert.deepEqual([graceMs > 0, reason, nature], [true, 'main_exit', 'exited']);
  await recorder.next('question', ({ pid }) => pid === victim.pid);
  monitor.advise('r', 0, { state: 'stopped', words: 'by hand' });
  const gone = await recorder.state('absent');
  assert.deepEqual([gone.reason, gone.nature, gone.detail], ['stopped', 'gone', 'by hand']);
  const wrong = { code: 'ERR_SOCKMON_ARGUMENT' };
  assert.throws(() => monitor.advise('r', 0, { state: 'asleep' }), { ...wrong, message: /advice\.state/ });
  assert.throws(() => monitor.advise('r', 0, { state: 'running', colour: 'red' }), {
    ...wrong,
    message: /no field/,
  });
});
