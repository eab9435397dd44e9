/** The whole way of a fault: a real daemon without file descriptors does not watch what a reload brings, says so, and takes it up later. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { JournalEntry } from '../../src/core/records.js';
import { readJournal } from '../../src/journal/file.js';
import { until } from '../lab/wait.js';
import { pidfileOf, startVictim } from '../native/helpers.js';
import { programIn } from './program.js';

test('detection is degraded while a resource cannot be watched, and full again afterwards', async context => {
  const { folder, write, start, ready, run } = programIn(context);
  const watch = (): string =>
    JSON.stringify({ process: { pidfile: pidfileOf(context, startVictim(context).pid) } });
  const one = `{one: {watch: ${watch()}}}`;
  write('a.yaml', `node: gw\nresources: ${one}\n`);
  const daemon = start('run', '--config', 'a.yaml');
  await ready(daemon);
  const pid = String(daemon.pid);
  const limit = (value: string): void => {
    assert.equal(spawnSync('prlimit', ['--pid', pid, `--nofile=${value}`]).status, 0);
  };
  const detection = async () => JSON.parse((await run('status', '--json')).out).snapshot.detection;
  const notices = () =>
    readJournal(join(folder, 'state'))
      .filter((entry): entry is Extract<JournalEntry, { type: 'notice' }> => entry.type === 'notice')
      .map(({ resource, what }) => `${resource} ${what}`);
  assert.deepEqual(await detection(), { quality: 'full', notes: [] });

  const [, before = ''] = /Max open files +(\d+)/.exec(readFileSync(`/proc/${pid}/limits`, 'utf8')) ?? [];
  // A watch leaves 64 of them alone (native/base/fd_budget.h): the rest of the program goes on.
  limit(`${readdirSync(`/proc/${pid}/fd`).length + 50}:`);
  write('a.yaml', `node: gw\nresources: {one: ${one.slice(6, -1)}, two: {watch: ${watch()}}}\n`);
  daemon.kill('SIGHUP');
  await until('the fault to be told', () => notices().includes('two degraded'));
  limit(`${before}:`);
  const { quality, notes } = await detection();
  assert.equal(quality, 'degraded');
  assert.match(notes.join(), /^two: it cannot be watched: /);
  assert.match((await run('status')).out, /^detection +degraded: two: it cannot be watched: /m);

  await until('it to be watched', () => notices().includes('two detection_back'), { deadlineMs: 60_000 });
  assert.deepEqual(await detection(), { quality: 'full', notes: [] });
  await until('it to be seen', async () => /^two: up since /m.test((await run('status')).out));
  assert.deepEqual(notices(), ['two degraded', 'two detection_back']);
});
