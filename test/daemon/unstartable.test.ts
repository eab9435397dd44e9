/** The real monitor: why a script could not be started is said in its place. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

it('a script whose interpreter has gone since it was checked says so; one that fails speaks for itself', async context => {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-unstartable-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = join(folder, 'script');
  const ends: Extract<Input, { kind: 'run_ended' }>[] = [];
  const watcher = startWatcher(loadAddon(), {
    ...alone(log),
    onInputs: inputs => void ends.push(...inputs.filter(input => input.kind === 'run_ended')),
    environment: { PATH: '/usr/bin:/bin' },
  });
  context.after(() => watcher.close());
  const run = (id: string): Run => ({
    id,
    argv: [script],
    env: {},
    purpose: { resource: 'r', outage: 'r-1', attempt: 1, step: 's', script: 's', by: 'ladder' },
    timeoutMs: 1000,
    graceMs: 1000,
    journalLines: 0,
  });
  writeFileSync(script, '#!/opt/no-such-shell\n', { mode: 0o755 });
  watcher.run(run('r#1'), false);
  await until('its end', () => ends.length === 1);
  assert.deepEqual(ends[0]?.result, { kind: 'not_started', error: 'ENOENT' });
  assert.match(ends[0]?.output ?? '', /asks for the interpreter \/opt\/no-such-shell, which is not there/);

  writeFileSync(script, '#!/bin/sh\necho own words\nexit 3\n', { mode: 0o755 });
  watcher.run(run('r#2'), false);
  await until('its end', () => ends.length === 2);
  assert.deepEqual(ends[1]?.result, { kind: 'exit', code: 3 });
  assert.equal(ends[1]?.output, 'own words\n');
});
