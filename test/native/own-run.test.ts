/** What a script of ours has to do with the process that is watched, with the real addon and real processes. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { RunSpec } from '../../native/index.js';
import { addon, atEnd, kill, openMonitor, scratch, shell, startVictim } from './helpers.js';

function runFor(resource: string, script: string, id = 'run'): RunSpec {
  const run = shell(id, script);
  return { ...run, env: { ...run.env, SOCKMON_RESOURCE: resource } };
}

/** A resource `r` whose process has died, and the file that is to name the next one. */
async function dead(test: TestContext) {
  const { monitor, recorder } = openMonitor(test);
  const pidfile = join(scratch(test), 'r.pid');
  const victim = startVictim(test);
  writeFileSync(pidfile, `${victim.pid}\n`);
  const [first] = monitor.watch('r', [{ kind: 'process', pidfile }]);
  assert.equal(first?.state, 'up');
  assert.equal(first?.ownRun, undefined, 'nobody has run anything');
  victim.kill('SIGKILL');
  await recorder.state('down');
  const pid = () => (existsSync(pidfile) ? Number(readFileSync(pidfile, 'utf8')) : 0);
  atEnd(test, () => {
    if (pid() > 1 && pid() !== victim.pid) kill(pid());
  });
  /** The file is written at once: half a pid would be another process. */
  const note = (word: string) => `echo ${word} >${pidfile}.new; mv ${pidfile}.new ${pidfile}`;
  return { monitor, recorder, pidfile, note };
}

describe('a process that is found while a script runs', () => {
  const services: Record<string, (note: (word: string) => string) => string> = {
    'is the script itself': note => `${note('$$')}; exec sleep 1000`,
    'stands in its session': note => `sleep 1000 & ${note('$!')}; wait`,
    'is its child in a session of its own': note => `setsid sleep 1000 & ${note('$!')}; wait`,
    'is its grandchild in a session of its own': note =>
      `(setsid sh -c 'sleep 1000 & echo $! >'$0.pid'; wait' & wait) & while ! [ -s $0.pid ]; do sleep 0.01; done; ${note('$(cat $0.pid)')}; wait`,
  };
  for (const [what, script] of Object.entries(services)) {
    it(`is known as its own where it ${what}`, async test => {
      const { monitor, recorder, note } = await dead(test);
      const run = runFor('r', script(note));
      monitor.run({ ...run, argv: [...run.argv, join(scratch(test), 'grandchild')] });
      assert.equal((await recorder.state('up')).ownRun, true);
      assert.equal(recorder.all('run_ended').length, 0);
      monitor.endRun('run');
    });
  }

  it('is not where somebody else has started it', async test => {
    const { monitor, recorder, pidfile } = await dead(test);
    monitor.run(runFor('r', 'sleep 1000'));
    await recorder.next('run_started');
    writeFileSync(pidfile, `${startVictim(test).pid}\n`);
    assert.equal((await recorder.state('up')).ownRun, undefined);
    monitor.endRun('run');
  });

  it('is not where the script is that of another resource', async test => {
    const { monitor, recorder, note } = await dead(test);
    monitor.run(runFor('other', `${note('$$')}; exec sleep 1000`));
    assert.equal((await recorder.state('up')).ownRun, undefined);
    monitor.endRun('run');
  });

  it('is not where it is a daemon, which has left its script', async test => {
    const { monitor, recorder, note } = await dead(test);
    const daemon = `setsid sh -c 'sleep 1000 >/dev/null 2>&1 & echo $! >'$0''; ${note('$(cat $0)')}; sleep 1000`;
    const run = runFor('r', daemon);
    monitor.run({ ...run, argv: [...run.argv, join(scratch(test), 'daemon')] });
    assert.equal((await recorder.state('up')).ownRun, undefined);
    monitor.endRun('run');
  });
});

describe('the end of a script', () => {
  it('is when its resource is looked for at once, not when the back-off says so', async test => {
    const { monitor, recorder, note } = await dead(test);
    const started = addon.bootTimeMs();
    // By then a search is made once a second.
    monitor.run(runFor('r', `setsid sleep 1000 >/dev/null 2>&1 & sleep 3.1; ${note('$!')}`));
    const ended = await recorder.ended('run');
    const up = await recorder.state('up');
    assert.ok(ended.atMs - started > 3000);
    assert.ok(up.atMs - ended.atMs < 50, `seen ${up.atMs - ended.atMs} ms after its end`);
  });
});
