import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { openMonitor } from './helpers.js';

/** Field 19 of proc_pid_stat(5); comm may hold spaces, so the fields are counted from its end. */
function niceOf(task: string): { name: string; nice: number } {
  const stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
  const end = stat.lastIndexOf(')');
  return { name: stat.slice(stat.indexOf('(') + 1, end), nice: Number(stat.slice(end + 2).split(' ')[16]) };
}

test('the monitor thread goes first where it may, its scripts never do', { timeout: 30_000 }, async t => {
  const { monitor, recorder } = openMonitor(t);
  // A command through the thread: after it the thread has begun.
  monitor.run({
    id: 'nice',
    argv: ['/bin/sh', '-c', 'nice'],
    env: { PATH: '/usr/bin:/bin' },
    timeoutMs: 0,
    graceMs: 0,
  });
  const { output } = await recorder.ended('nice');
  assert.equal(output, '0\n');
  const thread = readdirSync('/proc/self/task')
    .map(niceOf)
    .find(({ name }) => name === 'sockmon');
  assert.equal(thread?.nice, process.getuid?.() === 0 ? -15 : 0);
});
