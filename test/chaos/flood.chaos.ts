/** Too much at once: the kernel drops what it had to say, a thousand processes die in one moment. Nothing is missed. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { scenario } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import { signalIfAlive, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { timesInLog } from './chaos.js';

/** Messages that the kernel has dropped for want of room in the daemon's rtnetlink sockets (proc(5), net/netlink). */
function dropped(daemon: Daemon): number {
  const [header = '', ...lines] = readFileSync(`/proc/${daemon.pid}/net/netlink`, 'utf8').trim().split('\n');
  const column = header.trim().split(/\s+/).indexOf('Drops');
  return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[column]), 0);
}

scenario('netlink overflow: a death whose message was dropped is seen all the same', async lab => {
  const script = lab.restartScript({
    first: 'ip link set tap0 up && ip route replace default via 10.0.2.2 && exit 0',
  });
  const daemon = lab.run({ resources: { tcpip: lab.resource(script) } });
  await daemon.watching();
  const routes = `${lab.directory}/routes`;
  // Of a kind that the kernel does not keep from the daemon, as it does with routes to single networks.
  const half = '0.0.0.0/1 dev lo table 77';
  writeFileSync(routes, `route add ${half}\nroute del ${half}\n`.repeat(20_000));
  await lab.namespace.run(['ip', 'link', 'set', 'lo', 'up']);

  // A monitor that gets no processor for a while.
  daemon.kill('SIGSTOP');
  await lab.namespace.run(['ip', '-batch', routes]);
  assert.ok(dropped(daemon) > 0, 'the flood was no overflow');
  await lab.takeLinkDown();
  assert.equal(daemon.entries('outage_begin').length, 0);
  daemon.kill('SIGCONT');

  const end = await daemon.entry('outage_end');
  assert.deepEqual(end.cause, { kind: 'link', what: 'interface_down', interface: 'tap0' });
  assert.equal(script.calls().length, 1);
});

const processes = 1000;

scenario(
  `${processes} processes that die at once: each is an outage, each is restarted, none is missed`,
  async lab => {
    const pids = `${lab.directory}/pids`;
    mkdirSync(pids);
    const pidOf = (n: number) => Number(readFileSync(`${pids}/p${n}`, 'utf8'));
    const numbers = Array.from({ length: processes }, (_, n) => n);
    // One parent, so that one SIGKILL of it ends the test's leftovers; each child in the group of the shell.
    const script = `${lab.directory}/start`;
    writeFileSync(
      script,
      `#!/bin/sh\nsleep 1000 </dev/null >/dev/null 2>&1 &\necho $! >'${pids}/'"$SOCKMON_RESOURCE"\n`,
      { mode: 0o755 },
    );
    const nursery = start(
      [
        'sh',
        '-c',
        `n=0; while [ $n -lt ${processes} ]; do sleep 1000 & echo $! >'${pids}'/p$n; n=$((n+1)); done; echo >'${pids}/all'; wait`,
      ],
      { stdio: 'ignore', detached: true },
    );
    lab.onClose(async () => {
      for (const n of numbers) signalIfAlive(pidOf(n), 'SIGKILL');
      nursery.child.kill('SIGKILL');
      await nursery.ended;
    });
    await until('the processes', () => existsSync(`${pids}/all`), { deadlineMs: 60_000 });
    const resources = Object.fromEntries(
      numbers.map(n => [
        `p${n}`,
        { watch: [{ process: { pidfile: `${pids}/p${n}` } }], restart: { script } },
      ]),
    );
    const daemon = lab.run({ resources }, ['prlimit', '--nofile=16384:']);
    // By the log: the journal of so much at once is compacted meanwhile.
    await until('all of them to be watched', () => timesInLog(daemon, /^.* is alive: pid/) === processes);
    const before = numbers.map(pidOf);
    for (const pid of before) process.kill(pid, 'SIGKILL');

    // One commit to the disk each, for five entries of each: that takes longer than the restarts do.
    await until('all of them to be back', () => timesInLog(daemon, / is back after /) >= processes, {
      deadlineMs: 150_000,
      pollMs: 500,
    });
    const died = daemon.log.match(/ p\d+ died: /g) ?? [];
    assert.equal(died.length, processes);
    assert.equal(new Set(died).size, processes);
    assert.equal(timesInLog(daemon, /: attempt 1 runs /), processes);
    assert.equal(timesInLog(daemon, /: attempt 2 runs /), 0);
    const attempts = daemon.entries('attempt');
    assert.ok(attempts.length > 0 && attempts.every(({ by }) => by === 'reflex'));
    assert.ok(numbers.every(n => pidOf(n) !== before[n]));
  },
);
