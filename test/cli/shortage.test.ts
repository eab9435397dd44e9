/** Errors that are swallowed on purpose swallow no other: want of descriptors is no missing terminal, half a start leaves no thread. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scriptFault } from '../../src/system/script-fault.js';
import { hasTerminal } from '../../src/system/terminal.js';
import { programIn } from './program.js';

function withoutDescriptors(work: () => void): void {
  const limit = (value: string) =>
    assert.equal(spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${value}`]).status, 0);
  limit('256:');
  const taken: number[] = [];
  try {
    assert.throws(() => {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    }, /EMFILE/);
    work();
  } finally {
    for (const fd of taken) closeSync(fd);
    limit('4096:');
  }
}

test('a terminal that cannot be looked for is not believed to be gone', () => {
  withoutDescriptors(() => assert.equal(hasTerminal(), true));
  // A session of its own has no terminal.
  const script = `import { hasTerminal } from ${JSON.stringify(new URL('../../src/system/terminal.js', import.meta.url).href)}; process.exit(hasTerminal() ? 1 : 0);`;
  const alone = spawnSync('setsid', ['--wait', process.execPath, '--input-type=module', '-e', script]);
  assert.equal(alone.status, 0, String(alone.stderr));
});

test('why a script could not be started is not looked for at any price', () => {
  // A shell script, whose first line is to be read.
  const script = fileURLToPath(new URL('../../../config/restart-network', import.meta.url));
  withoutDescriptors(() => assert.equal(scriptFault(script), null));
});

test('a plan that the monitor refuses leaves no second monitor thread behind', async context => {
  const { folder, write, start, ready } = programIn(context);
  write('a.yaml', 'node: gw\nresources: {one: {watch: stack}}\n');
  const run = async () => {
    const daemon = start('run', '--config', 'a.yaml');
    await ready(daemon);
    return daemon;
  };
  const monitors = (pid: number | undefined) =>
    readdirSync(`/proc/${pid}/task`).filter(
      task => readFileSync(`/proc/${pid}/task/${task}/comm`, 'utf8') === 'sockmon\n',
    ).length;
  const first = await run();
  assert.equal(monitors(first.pid), 1);
  const end = new Promise(resolve => first.once('exit', resolve));
  first.kill('SIGTERM');
  await end;

  const file = join(folder, 'state', 'arm-plan.json');
  const plan = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(plan.watches.length, 1);
  plan.watches.push({ resource: 'two', sensors: [] });
  writeFileSync(file, JSON.stringify(plan));
  const second = await run();
  assert.equal(monitors(second.pid), 1);
});
