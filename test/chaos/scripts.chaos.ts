/** Restart scripts that misbehave: none keeps sockmon from the next attempt, none leaves anything behind in sockmon. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { scenario } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { isAlive, signalIfAlive } from '../lab/proc.js';

/** The pids that a script has written down, one a line. */
function pidsIn(file: string): number[] {
  return readFileSync(file, 'utf8').trim().split('\n').map(Number);
}

function openPipes(daemon: Daemon): number {
  const folder = `/proc/${daemon.pid}/fd`;
  return readdirSync(folder).length;
}

scenario(
  'a script that ignores SIGTERM: killed with its children after the grace time, then tried again',
  async lab => {
    const pids = `${lab.directory}/stubborn`;
    // The first call stays, deaf to SIGTERM as its child is; the second one works.
    const stubborn = [
      `if [ ! -e '${pids}' ]; then`,
      "  trap '' TERM",
      '  sleep 1000 &',
      `  printf '%s\\n' $$ $! >'${pids}.new' && mv '${pids}.new' '${pids}'`,
      '  while :; do sleep 1000; done',
      'fi',
    ].join('\n');
    const script = lab.restartScript({ first: stubborn });
    const daemon = lab.run({
      resources: { tcpip: lab.resource(script, { timeout: '5s', grace: '1s' }) },
    });
    await daemon.watching();
    lab.killStack('SIGKILL');
    const end = await daemon.entry('outage_end');

    assert.equal(end.attempts, 2);
    const [first] = daemon.entries('attempt_end');
    assert.deepEqual(first?.result, { kind: 'timeout' });
    const left = pidsIn(pids);
    assert.equal(left.length, 2);
    await daemon.until('the script and its child to be gone', () => !left.some(isAlive));
  },
);

/** A script whose daemon keeps the script's output, as one that forgets to redirect it does. */
async function leaveADaemonBehind(
  lab: Lab,
  what: string,
): Promise<{ daemon: Daemon; left: number; held: number }> {
  const pids = `${lab.directory}/left`;
  const script = lab.restartScript({ first: `setsid ${what} &\necho $! >'${pids}'` });
  const daemon = lab.run({ resources: { tcpip: lab.resource(script) } });
  await daemon.watching();
  lab.killStack('SIGKILL');
  await daemon.entry('outage_end');
  // Only the script's own end is waited for, not the end of its output.
  const end = await daemon.entry('attempt_end');
  assert.deepEqual(end.result, { kind: 'exit', code: 0 });
  const [left = 0] = pidsIn(pids);
  assert.ok(isAlive(left), 'what it left behind lives on');
  lab.onClose(async () => void signalIfAlive(left, 'SIGKILL'));
  // Collected after everything else is done: the reflex is armed again by then, and has its own pipe.
  await daemon.entry('evidence', 2);
  return { daemon, left, held: openPipes(daemon) };
}

scenario(
  'a script that leaves a daemon behind which holds its output: the script counts as ended',
  async lab => {
    const { daemon, left, held } = await leaveADaemonBehind(lab, 'sleep 1000');
    signalIfAlive(left, 'SIGKILL');
    await daemon.until('the pipe to be closed', () => openPipes(daemon) < held);
  },
);

scenario(
  'a daemon left behind that writes without end: it is not stopped by a full pipe, and the next death is answered',
  async lab => {
    const { daemon, left } = await leaveADaemonBehind(lab, 'yes it is still there');
    const written = () => Number(/^wchar: (\d+)$/m.exec(readFileSync(`/proc/${left}/io`, 'utf8'))?.[1]);
    const mark = written();
    // Sixteen times what a pipe holds (pipe(7)).
    await daemon.until('more to be written', () => written() > mark + 16 * 65_536);
    lab.killStack('SIGKILL');
    await daemon.entry('outage_end', 2);
    signalIfAlive(left, 'SIGKILL');
  },
);
