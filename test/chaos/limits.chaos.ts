/** The process is at its limits: no descriptor, no process to be had. It says so, and goes on when it may. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { scenario } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import { run, signalIfAlive, start } from '../lab/proc.js';
import { noSoonDeaths } from './chaos.js';

/** The soft limit; `by` = as whom: only a process of the same user may do it without CAP_SYS_RESOURCE (prlimit(2)). */
async function limit(daemon: Daemon, what: string, by: readonly string[] = []): Promise<void> {
  await run([...by, 'prlimit', '--pid', String(daemon.pid), `--${what}:`]);
}

scenario(
  'no file descriptor left: the restart script runs all the same, the recovery is seen when there are some again',
  async lab => {
    const script = lab.restartScript({ first: `kill -9 "$(cat '${lab.stack.pidfile}')"` });
    const daemon = lab.run({ resources: { tcpip: lab.resource(script) } });
    await daemon.watching();
    // The last thing that its start opens.
    await daemon.until('the control socket', () => existsSync(`${lab.stateDir}/control.sock`));
    const open = () => readdirSync(`/proc/${daemon.pid}/fd`).map(Number);
    // Every number below the limit counts, also a free one: none may be left.
    const lowest = () => {
      const taken = new Set(open());
      let free = 0;
      while (taken.has(free)) free++;
      return free;
    };
    const least = lowest();
    await limit(daemon, `nofile=${least}`);
    lab.killStack('SIGKILL');
    await daemon.until('the script to run', () => script.calls().length > 0);
    await daemon.until('the stack to live', () => lab.stack.pid() !== null);
    await limit(daemon, 'nofile=4096');
    const end = await daemon.entry('outage_end');
    assert.equal(end.outcome, 'recovered');
    // /proc cannot be read without a descriptor: the link's death and the process's may be taken for two. The script of the second then ends
    // what the first one's has started: a third.
    await noSoonDeaths(daemon);
    const outages = daemon.entries('outage_begin').length;
    assert.ok(outages <= 3, daemon.story());
    await daemon.entry('outage_end', outages);
    lab.killStack('SIGKILL');
    await daemon.entry('outage_end', outages + 1);
  },
);

/** A user whom nobody else is: RLIMIT_NPROC counts by user, and root has no limit. */
const user = 54_321;
const asUser = [
  'setpriv',
  `--reuid=${user}`,
  `--regid=${user}`,
  '--clear-groups',
  // So that it may read the program, wherever that is installed.
  '--inh-caps=+dac_override',
  '--ambient-caps=+dac_override',
];
const allUsers =
  process.getuid?.() === 0 && readFileSync('/proc/self/uid_map', 'utf8').includes('4294967295');

scenario(
  'fork refused: told as the reason of the attempt, and tried again until it is granted',
  async lab => {
    const pidfile = `${lab.directory}/pidfile`;
    const script = `${lab.directory}/start`;
    writeFileSync(script, `#!/bin/sh\nsleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >'${pidfile}'\n`, {
      mode: 0o755,
    });
    chmodSync(lab.directory, 0o777);
    mkdirSync(lab.stateDir);
    chownSync(lab.stateDir, user, user);
    const service = start([...asUser, 'sleep', '1000'], { stdio: 'ignore' });
    writeFileSync(pidfile, `${service.pid}\n`);
    lab.onClose(async () => void signalIfAlive(Number(readFileSync(pidfile, 'utf8')), 'SIGKILL'));
    const daemon = lab.run(
      {
        resources: {
          service: { watch: [{ process: { pidfile } }], restart: { script, attempts: 30, every: '1s' } },
        },
      },
      asUser,
    );
    await daemon.watching('service');
    await limit(daemon, 'nproc=1', asUser);
    service.child.kill('SIGKILL');
    const failed = await daemon.entry('attempt_end', 2);
    assert.deepEqual(failed.result, { kind: 'not_started', error: 'EAGAIN' });
    await limit(daemon, 'nproc=1000', asUser);
    const end = await daemon.entry('outage_end');
    assert.ok(end.attempts >= 3);
    assert.equal(daemon.entries('outage_begin').length, 1);
  },
  allUsers ? false : 'NOT RUN: another user can be only where all users are',
);
