/** Which boot it is, on a machine and in a container: there a PID 1 of its own is what has been booted. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { JournalEntry } from '../../src/core/records.js';
import { readJournal } from '../../src/journal/file.js';
import { thisBoot } from '../../src/system/boot.js';
import { program } from '../lab/paths.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';

await becomeRoot();

function folder(context: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'sockmon-boot-'));
  context.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

describe('this boot', () => {
  const kernelId = '47ef4865-141a-44d5-8acf-7dcc687b8161';

  function proc(context: TestContext, stats: Readonly<Record<number, string>>): string {
    const made = folder(context);
    mkdirSync(join(made, 'sys/kernel/random'), { recursive: true });
    writeFileSync(join(made, 'sys/kernel/random/boot_id'), `${kernelId}\n`);
    for (const [pid, stat] of Object.entries(stats)) {
      mkdirSync(join(made, pid));
      writeFileSync(join(made, pid, 'stat'), stat);
    }
    return made;
  }
  const init = (ticks: number) =>
    `1 (init) (x) S 0 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ${ticks} 1234 567 18446744073709551615\n`;

  const kthreadd = '2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 9 0 0 20 0 1 0 24 0 0 18446744073709551615\n';
  const shell = kthreadd.replace('kthreadd', 'kthreadd) (').replace('2129984', '4194304');

  it('is that of the kernel where its threads are to be seen, or PID 1 is hidden', context => {
    const kernels = { id: kernelId, beganMs: 0, isContainer: false };
    assert.deepEqual(thisBoot(proc(context, { 1: init(24), 2: kthreadd })), kernels);
    // A time namespace shifts the start of everything.
    assert.deepEqual(thisBoot(proc(context, { 1: init(8_640_024), 2: kthreadd })), kernels);
    // Whose it is cannot be seen: rather none of ours to reset.
    assert.deepEqual(thisBoot(proc(context, {})), { ...kernels, isContainer: true });
  });

  it('is its own in a container, another one at each of its boots', context => {
    const first = thisBoot(proc(context, { 1: init(1_505_704) }));
    assert.equal(first.beganMs, 15_057_040);
    assert.match(first.id, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.notEqual(first.id, kernelId);
    assert.deepEqual(thisBoot(proc(context, { 1: init(1_505_704), 2: shell })), first);
    assert.notEqual(thisBoot(proc(context, { 1: init(1_505_705), 2: shell })).id, first.id);
  });
});

describe('a daemon in a container that is rebooted', { skip: skipWithoutLab() }, () => {
  it('takes it for a boot, and its uptime for that of the container', async context => {
    const home = folder(context);
    const state = join(home, 'state');
    writeFileSync(
      join(home, 'sockmon.yaml'),
      [
        `state_dir: ${state}`,
        'resources: {nap: {watch: {process: {pidfile: nap.pid}}}}',
        'reboot: {allowed: true, command: ["false"], force_command: ["false"], min_uptime: 5m}',
      ].join('\n'),
    );
    const boots: JournalEntry[][] = [];
    for (let boot = 0; boot < 2; boot++) {
      // Its end is the end of everything in its PID namespace.
      const script = `sleep 1000 & echo $! >'${home}/nap.pid'; '${process.execPath}' '${program}' run --config '${home}/sockmon.yaml' & wait`;
      const box = spawn(
        'unshare',
        ['--pid', '--fork', '--mount-proc', '--kill-child', '--', 'sh', '-c', script],
        {
          cwd: home,
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      // Everybody in the box holds its output: when it is closed they are all gone.
      const over = new Promise(resolve => box.once('close', resolve));
      box.stdout.resume();
      context.after(() => box.kill('SIGKILL'));
      const since = readJournal(state).length;
      const entries = () => readJournal(state).slice(since);
      const seen = await until('it to be seen', () => entries().find(({ type }) => type === 'seen'));
      assert.ok(seen.bootMs < 60_000, 'it is young');
      assert.ok('atMs' in seen && seen.atMs > 0 && seen.atMs <= seen.bootMs + 1);
      boots.push(entries());
      box.kill('SIGKILL');
      await over;
    }
    const ids = boots.map(entries => new Set(entries.map(({ bootId }) => bootId)));
    assert.deepEqual(
      ids.map(({ size }) => size),
      [1, 1],
    );
    assert.notDeepEqual(ids[0], ids[1]);
    assert.ok(!ids[0]?.has(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()));
  });
});
