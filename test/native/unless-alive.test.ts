/** A script that is not to be run over what is alive, with the real addon and real processes. */
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import type { RunSpec } from '../../native/index.js';
import { exited, openMonitor, pidfileOf, scratch, shell, startVictim } from './helpers.js';

/** A resource `r` whose first process has died. */
async function dead(test: TestContext) {
  const { monitor, recorder } = openMonitor(test);
  const pidfile = join(scratch(test), 'r.pid');
  const victim = startVictim(test);
  writeFileSync(pidfile, `${victim.pid}\n`);
  // The second one lives; who is alive by halves is not alive.
  const other = startVictim(test);
  const sensors = [
    { kind: 'process', pidfile },
    { kind: 'process', pidfile: pidfileOf(test, other.pid) },
  ];
  for (const { state } of monitor.watch('r', sensors)) assert.equal(state, 'up');
  victim.kill('SIGKILL');
  await recorder.state('down');
  const trace = join(scratch(test), 'ran');
  const run: RunSpec = { ...shell('run', `echo >${trace}`), unlessAlive: 'r' };
  return { monitor, recorder, pidfile, other, trace, run };
}

it('is run over what is dead', async test => {
  const { monitor, recorder, run, trace } = await dead(test);
  assert.equal(monitor.run(run), true);
  await recorder.ended('run');
  assert.ok(existsSync(trace));
});

it('is held back where somebody has started it a moment ago, which is told then', async test => {
  const { monitor, recorder, run, trace, pidfile } = await dead(test);
  // Looked for ever later, once a second in the end.
  await new Promise(resolve => setTimeout(resolve, 1500));
  assert.equal(recorder.all('sensor').filter(({ state }) => state === 'up').length, 0);
  const heir = startVictim(test);
  writeFileSync(pidfile, `${heir.pid}\n`);
  assert.equal(monitor.run(run), false);
  assert.equal((await recorder.state('up')).pid, heir.pid);
  await monitor.ping();
  assert.deepEqual([recorder.all('run_started'), recorder.all('run_ended')], [[], []]);
  assert.ok(!existsSync(trace));
  // Of a person who wants it all the same nothing is asked.
  const { unlessAlive: _, ...anyway } = run;
  assert.equal(monitor.run({ ...anyway, id: 'anyway' }), true);
  await recorder.ended('anyway');
});

it('is run over one that has died again unheard', async test => {
  const { monitor, recorder, run, pidfile } = await dead(test);
  const heir = startVictim(test);
  writeFileSync(pidfile, `${heir.pid}\n`);
  assert.equal((await recorder.state('up')).pid, heir.pid);
  heir.kill('SIGKILL');
  await exited(heir);
  assert.equal(monitor.run(run), true);
  await recorder.ended('run');
});

it('is run where only one of two sensors finds it alive', async test => {
  const { monitor, recorder, run, pidfile, other } = await dead(test);
  other.kill('SIGKILL');
  await exited(other);
  writeFileSync(pidfile, `${startVictim(test).pid}\n`);
  assert.equal(monitor.run(run), true);
  await recorder.ended('run');
});

it('is run where that is not watched at all', async test => {
  const { monitor, recorder, run } = await dead(test);
  monitor.unwatch('r');
  assert.equal(monitor.run(run), true);
  await recorder.ended('run');
});
