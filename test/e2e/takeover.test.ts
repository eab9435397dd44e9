/** sockmon is itself restarted in the middle of a restart script: the script goes on, and no second one runs over it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { program } from '../lab/paths.js';
import { isAlive, signalIfAlive } from '../lab/proc.js';
import type { RestartScript } from '../lab/restart-script.js';
import { until } from '../lab/wait.js';
import { scenario } from './scenario.js';

/** A script that is at work until the test lets it go on, and then starts the stack. */
function slowScript(lab: Lab, before = ':'): { script: RestartScript; go: () => void } {
  const sign = `${lab.directory}/go`;
  const first = `${before}; echo $$ >'${lab.directory}/script.pid'; while [ ! -e '${sign}' ]; do sleep 0.02; done`;
  return { script: lab.restartScript({ first }), go: () => writeFileSync(sign, '') };
}

function start(lab: Lab, script: RestartScript): Daemon {
  // An attempt of its own is due long after the test; the one at work has all the time that it wants.
  return lab.run({ resources: { tcpip: lab.resource(script, { every: '25s', timeout: '60s' }) } });
}

const runFilesOf = (lab: Lab): string => lab.runFiles() ?? assert.fail('root has a runtime folder');

/** The stack dies, and its script is at work. */
async function inTheMiddle(lab: Lab, script: RestartScript): Promise<Daemon> {
  const daemon = start(lab, script);
  await daemon.watching();
  lab.killStack('SIGKILL');
  await daemon.until('the script', () => script.calls().length === 1);
  await daemon.entry('run_started');
  return daemon;
}

async function endOf(daemon: Daemon, signal: NodeJS.Signals): Promise<void> {
  daemon.kill(signal);
  await daemon.ended;
}

function sockmon(lab: Lab, ...args: string[]): string {
  const all = [program, ...args, '--state-dir', lab.stateDir];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout;
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  for (const memory of ['run file', 'journal'] as const) {
    scenario(
      `${signal} in the middle of a script: one outage, one run, known from the ${memory}`,
      async lab => {
        const { script, go } = slowScript(lab);
        await endOf(await inTheMiddle(lab, script), signal);
        assert.equal(readdirSync(runFilesOf(lab)).length, 1);
        if (memory === 'journal') rmSync(runFilesOf(lab), { recursive: true });

        const next = start(lab, script);
        const { outage } = await next.entry('run_taken_over');
        go();
        await next.entry('outage_end');
        const { result } = await next.entry('attempt_end');
        assert.deepEqual(result, { kind: 'exit', code: 0 });
        assert.equal(script.calls().length, 1);
        assert.equal(next.entries('outage_begin').length, 1);
        assert.equal(next.entries('attempt').length, 1);
        assert.match(
          sockmon(lab, 'history', outage),
          /sockmon was itself restarted; it has taken over attempt 1/,
        );
        if (memory === 'run file') assert.deepEqual(readdirSync(runFilesOf(lab)), []);
        if (signal === 'SIGTERM') {
          const stop = next.entries('stop').at(-1);
          assert.deepEqual(stop?.running, [{ resource: 'tcpip', attempt: 1, run: `${outage}#1` }]);
          assert.match(
            next.log,
            /sockmon stops: SIGTERM; the restart script of tcpip \(attempt 1\) goes on by itself/,
          );
        }

        // It is not forgotten how to answer a death.
        if (signal === 'SIGTERM' || memory === 'journal') return;
        lab.killStack('SIGKILL');
        await next.entry('outage_end', 2, { deadlineMs: 60_000 });
        assert.equal(script.calls().length, 2);
      },
    );
  }
}

scenario('killed by the very script that its reflex has started: one outage, one run', async lab => {
  // Not before its run file is there, some 50 us after its start; before or after the death is in the journal: whoever is faster.
  const isNoted = `set -- '${runFilesOf(lab)}'/*; [ -s "$1" ]`;
  const { script, go } = slowScript(lab, `until ${isNoted}; do :; done; kill -9 $PPID`);
  const daemon = start(lab, script);
  await daemon.watching();
  lab.killStack('SIGKILL');
  await daemon.ended;
  await until('the script to be at work', () => existsSync(`${lab.directory}/script.pid`));

  const next = start(lab, script);
  await next.entry('run_taken_over');
  go();
  await next.entry('outage_end');
  assert.equal(script.calls().length, 1);
  assert.deepEqual(
    next.entries('attempt').map(({ attempt, by }) => [attempt, by]),
    [[1, 'reflex']],
  );
  assert.equal(next.entries('outage_begin').length, 1);
});

scenario(
  'killed by a script that is over before the next sockmon starts: told all the same, one run',
  async lab => {
    const isNoted = `set -- '${runFilesOf(lab)}'/*; [ -s "$1" ]`;
    const first = `echo $$ >'${lab.directory}/script.pid'; until ${isNoted}; do :; done; kill -9 $PPID`;
    const script = lab.restartScript({ first });
    const daemon = start(lab, script);
    await daemon.watching();
    lab.killStack('SIGKILL');
    await daemon.ended;
    const pid = await until('the script', () => Number(readFileSync(`${lab.directory}/script.pid`, 'utf8')));
    await until('the end of the script', () => !isAlive(pid));
    assert.notEqual(lab.stack.pid(), null, 'it has repaired everything');

    const next = start(lab, script);
    const { outage, attempts } = await next.entry('outage_end');
    assert.equal(attempts, 1);
    assert.deepEqual(
      next.entries('attempt_end').map(end => [end.outage, end.result.kind]),
      [[outage, 'unknown']],
    );
    assert.equal(next.entries('outage_begin').length, 1);
    assert.equal(next.entries('run_taken_over').length, 0);
    assert.equal(script.calls().length, 1);
    assert.deepEqual(readdirSync(runFilesOf(lab)), []);
  },
);

scenario(
  'a script that has ended meanwhile is not taken over, and neither is who has its number',
  async lab => {
    const { script, go } = slowScript(lab);
    const daemon = await inTheMiddle(lab, script);
    await endOf(daemon, 'SIGKILL');
    const pid = Number(readFileSync(`${lab.directory}/script.pid`, 'utf8'));
    const bystander = spawn('setsid', ['sleep', '1000'], { stdio: 'ignore' });
    await once(bystander, 'spawn');
    try {
      await until('a session of its own', () => sessionOf(bystander.pid ?? 0) === bystander.pid);
      const [name = ''] = readdirSync(runFilesOf(lab));
      const file = join(runFilesOf(lab), name);
      const text = readFileSync(file, 'utf8');
      assert.ok(text.includes(`\n${pid} `));
      // As if the kernel had given the number away.
      writeFileSync(file, text.replace(`\n${pid} `, `\n${bystander.pid} `));
      signalIfAlive(pid, 'SIGKILL');
      await until('the end of the script', () => !isAlive(pid));

      go();
      const next = start(lab, script);
      await next.entry('outage_end', 1, { deadlineMs: 60_000 });
      assert.equal(script.calls().length, 2, 'the next attempt came');
      assert.equal(next.entries('run_taken_over').length, 0);
      assert.equal(next.entries('outage_begin').length, 1);
      assert.ok(isAlive(bystander.pid ?? 0));
      assert.ok(!existsSync(file));
    } finally {
      bystander.kill('SIGKILL');
    }
  },
);

scenario('another sockmon, with a state folder of its own, leaves the script alone', async lab => {
  const { script, go } = slowScript(lab);
  const daemon = await inTheMiddle(lab, script);
  const own = lab.stateDir;
  lab.stateDir = `${lab.directory}/other`;
  const other = start(lab, script);
  await other.entry('start');
  await other.until('it to watch', () => /watching tcpip/.test(other.log));
  assert.equal(other.entries('run_taken_over').length, 0);
  await other.stop();
  lab.stateDir = own;
  assert.equal(readdirSync(runFilesOf(lab)).length, 1);
  go();
  await daemon.entry('outage_end');
  assert.equal(script.calls().length, 1);
});

function sessionOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3]);
}
