/** The real monitor behind the machine: what is held back is told before what it was held back for. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import type { Input } from '../../src/core/input.js';
import type { Log, Run } from '../../src/core/ports.js';
import { startWatcher } from '../../src/monitor/watcher.js';
import { loadAddon } from '../../src/system/addon.js';
import { until } from '../lab/wait.js';
import { alone } from './fakes.js';

const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

it('a run over what is alive ends at once with `not_needed`; over what is dead it is run', async context => {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-held-back-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const pidfile = join(folder, 'r.pid');
  const trace = join(folder, 'ran');
  const children: ChildProcess[] = [];
  const service = () => {
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    children.push(child);
    writeFileSync(pidfile, `${child.pid}\n`);
    return child;
  };
  context.after(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  const told: string[] = [];
  const words = (input: Input): string =>
    input.kind === 'sensor' ? input.state : input.kind === 'run_ended' ? input.result.kind : input.kind;
  const watcher = startWatcher(loadAddon(), {
    ...alone(log),
    // The cause of a death is told as soon as it is known: with the death, or some moments after it.
    onInputs: inputs => void told.push(...inputs.filter(input => input.kind !== 'cause').map(words)),
    environment: { PATH: '/usr/bin:/bin' },
  });
  context.after(() => watcher.close());
  const first = service();
  watcher.watch([
    { resource: 'r', sensors: [{ kind: 'process', name: 'process r', canKill: true, fields: { pidfile } }] },
  ]);
  const argv = ['/bin/sh', '-c', `echo >${trace}`];
  const purpose = { resource: 'r', outage: 'r-1', attempt: 1, step: 's', script: 's', by: 'ladder' } as const;
  const run: Run = {
    id: 'r#1',
    argv,
    env: {},
    purpose,
    timeoutMs: 1000,
    graceMs: 1000,
    journalLines: 0,
  };
  first.kill('SIGKILL');
  await once(first, 'exit');
  await until('its death', () => told.includes('down'));
  // In one turn: whatever the monitor has seen by then is still on its way.
  service();
  watcher.run(run, true);
  assert.deepEqual(told, ['up', 'down', 'not_needed']);
  await until('what it was held back for', () => told.length > 3);
  assert.deepEqual(told, ['up', 'down', 'not_needed', 'up']);
  assert.ok(!existsSync(trace));

  children.at(-1)?.kill('SIGKILL');
  await until('its second death', () => told.at(-1) === 'down');
  watcher.run(run, true);
  await until('its end', () => told.at(-1) === 'exit');
  assert.ok(existsSync(trace));
});
