/** Tasks that the kernel holds: real ones. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { heldTasks } from '../../src/evidence/held-tasks.js';
import { threadState } from '../../src/system/thread.js';
import { repository } from '../lab/paths.js';
import { run, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { scratch } from '../native/helpers.js';

it('a thread that the kernel holds is named, with what it waits in; one that sleeps is not', async t => {
  const program = join(scratch(t), 'hold');
  await run(['cc', '-pthread', '-o', program, join(repository, 'test/systemd/hold_thread.c')]);
  const { child } = start([program], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await until('the hold', () => threadState('sockmon', `/proc/${child.pid}/task`) === 'D');
  const found = await heldTasks('/proc', 10);
  // Its thread is called sockmon; its main thread waits in read(2).
  assert.ok(
    found.some(words => /^sockmon \(pid \d+(, in \w+)?\)$/.test(words)),
    found.join(', '),
  );
  assert.ok(!found.some(words => words.startsWith('hold ')), found.join(', '));
});

/** A folder in place of /proc. */
function proc(folder: string, tasks: Record<number, string>): string {
  for (const [tid, stat] of Object.entries(tasks)) {
    mkdirSync(join(folder, tid, 'task', tid), { recursive: true });
    writeFileSync(join(folder, tid, 'task', tid, 'stat'), stat);
    writeFileSync(join(folder, tid, 'task', tid, 'wchan'), tid === '7' ? '0' : 'rtnl_lock');
  }
  return folder;
}

it('what waits for a moment is not held', async t => {
  const folder = proc(scratch(t), {
    7: '7 (a) b) D 1 1',
    12: '12 (ip) D 1 1',
    30: '30 (cat) D 1 1',
    44: '44 (sh) S 1 1',
  });
  const found = heldTasks(folder, 10);
  writeFileSync(join(folder, '30/task/30/stat'), '30 (cat) R 1 1');
  assert.deepEqual(await found, ['a) b (pid 7)', 'ip (pid 12, in rtnl_lock)']);
});

it('where nothing can be read that is said in brackets', async t => {
  assert.match((await heldTasks(join(scratch(t), 'nothing')))[0] ?? '', /^\(the tasks .*ENOENT/);
});
