/** The unit as it is shipped, under a systemd that is really PID 1, and a reboot that really comes. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { StatusAnswer } from '../../src/control/protocol.js';
import { until } from '../lab/wait.js';
import { Box, noBox } from './box.js';

const obstacle = noBox();
if (obstacle !== false && process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(obstacle);

const files = {
  'etc/sockmon/sockmon.yaml': `node: box
# Settled at once, since each story stands for itself: a death soon after a recovery would belong to the same outage.
resources:
  nap:
    settle: 0s
    watch: {process: {pidfile: /run/nap.pid}}
    restart: {script: /usr/lib/sockmon/config/sockmon-step, args: [nap]}
  tcpip:
    watch: {link: {interface: wan0}}
    role: network
    restart: {script: /usr/lib/sockmon/config/sockmon-step, args: [wan], attempts: 2, every: 2s}
reboot: {allowed: true, min_uptime: 1s}
mqtt: {url: 'mqtt://127.0.0.1:1883'}
`,
  'etc/sockmon/steps/nap': `#!/bin/sh
touch /var/outside && echo >>/var/steps
if [ -e /var/slow ]; then
  touch /var/at-work
  while [ ! -e /var/go ]; do sleep 0.1; done
fi
systemctl restart nap
`,
  'etc/sockmon/steps/wan': '#!/bin/sh\nexit 3\n',
  'etc/systemd/system/nap.service': `[Service]
ExecStart=/usr/bin/sleep infinity
ExecStartPost=/bin/sh -c 'echo $MAINPID >/run/nap.pid'
`,
  'etc/systemd/system/wan.service': `[Unit]
Before=network.target
[Service]
Type=oneshot
ExecStart=/bin/sh -ec 'ip link add wan0 type veth peer name far; ip addr add 10.0.0.2/24 dev wan0; ip link set far up; ip link set wan0 up; ip route add default via 10.0.0.1'
`,
  // As docs/SYSTEMD.md says for what is watched; and a watchdog that does not take a minute.
  'etc/systemd/system/sockmon.service.d/test.conf': `[Unit]
After=nap.service
[Service]
WatchdogSec=6
Environment=SOCKMON_TEST_NO_REBOOT=1
`,
};

describe('sockmon.service under a real systemd', { skip: obstacle }, () => {
  const box = new Box(files);
  const status = async (): Promise<StatusAnswer> =>
    JSON.parse(
      await box.run(
        'node',
        '/usr/lib/sockmon/dist/src/arm.cjs',
        'status',
        '--json',
        '--state-dir',
        '/var/lib/sockmon',
      ),
    );
  const watching = () =>
    until(
      'everything to be up',
      async () => (await box.show('sockmon', 'StatusText')) === '2 resources are up',
    );

  before(async () => {
    box.enable('nap');
    box.enable('wan');
    await box.boot();
  });
  after(() => box.close());

  it('is ready, and says in a sentence how things are', async () => {
    await watching();
    assert.equal(await box.show('sockmon', 'ActiveState'), 'active');
    assert.equal(await box.show('sockmon', 'NRestarts'), '0');
  });

  it('restarts what has died by a step outside of its sandbox', async () => {
    assert.equal(box.has('var/outside'), false);
    await box.run('sh', '-c', 'kill -SEGV "$(cat /run/nap.pid)"');
    const end = await until('the recovery', () => box.entries('outage_end')[0]);
    assert.deepEqual([end.resource, end.outcome, end.attempts], ['nap', 'recovered', 1]);
    assert.equal(end.cause.kind === 'signal' && end.cause.signal, 'SIGSEGV');
    assert.ok(box.has('var/outside'));
    const log = await box.run('journalctl', '--unit=sockmon', '--priority=warning', '--output=cat');
    assert.match(log, /^nap died: killed by SIGSEGV \(outage=/m);
    assert.doesNotMatch(log, /is alive/);
  });

  it('is ended by the watchdog when it stands still, and started again', async () => {
    await box.run('systemctl', 'kill', '--signal=STOP', '--kill-whom=main', 'sockmon');
    await until('the next start', async () => (await box.show('sockmon', 'NRestarts')) === '1');
    await watching();
    assert.equal(box.entries('start').length, 2);
    assert.equal(box.entries('outage_begin').length, 1, 'nothing has died');
  });

  it('leaves a step at work alone when it is restarted itself, and takes it over', async () => {
    await box.run('touch', '/var/slow');
    await box.run('sh', '-c', 'kill -SEGV "$(cat /run/nap.pid)"');
    await until('the step to be at work', () => box.has('var/at-work'));
    await box.run('systemctl', 'restart', 'sockmon');
    await until('the next sockmon to take it over', () => box.entries('run_taken_over')[0]);
    assert.equal(box.entries('stop').at(-1)?.running?.[0]?.resource, 'nap');
    await box.run('touch', '/var/go');
    const end = await until('the recovery', () => box.entries('outage_end')[1]);
    assert.deepEqual([end.resource, end.outcome, end.attempts], ['nap', 'recovered', 1]);
    const result = await until('the end of the step', () => box.entries('attempt_end')[1]?.result);
    assert.deepEqual(result, { kind: 'exit', code: 0 });
    assert.equal((await box.run('cat', '/var/steps')).length, 2, 'it ran once for each of the two deaths');
    await watching();
  });

  it('reboots as the last resort, and knows in the next boot that it has', async () => {
    await box.run('ip', 'link', 'del', 'wan0');
    await box.rebooted();
    assert.equal(box.entries('reboot_intent').length, 1);
    assert.deepEqual(
      box.entries('outage_begin').map(({ resource }) => resource),
      ['nap', 'nap', 'tcpip'],
      'what went down with the machine has not died',
    );
    await box.boot();
    await watching();
    const [rebooted] = box.entries('rebooted');
    const end = box.entries('outage_end').at(-1);
    assert.deepEqual([end?.resource, end?.outcome, end?.attempts], ['tcpip', 'recovered', 2]);
    assert.match(rebooted?.reason ?? '', /^tcpip did not come back: interface wan0 disappeared/);
    assert.notEqual(rebooted?.bootId, box.entries('reboot_intent')[0]?.bootId);
  });

  it('tells that once, over one connection, and has nothing left to do', async () => {
    const told = await until('everything to be told', async () => {
      const answer = await status();
      return answer.connection.state === 'connected' && answer.connection.pending === 0 ? answer : null;
    });
    const { snapshot, connection } = told;
    assert.deepEqual([connection.connects, connection.last_error], [1, null]);
    assert.deepEqual([snapshot.boot.by, snapshot.reboot.pending, snapshot.problems], ['sockmon', null, []]);
    assert.equal(snapshot.reboot.left, 2);
    assert.equal(box.entries('reboot_intent').length, 1);
  });

  it('says good-bye when it is stopped', async () => {
    await box.run('systemctl', 'stop', 'sockmon');
    assert.equal(await box.show('sockmon', 'Result'), 'success');
    const last = await box.run('mosquitto_sub', '-h', '127.0.0.1', '-t', 'sockmon/box/status', '-C', '1');
    assert.equal(last.trim(), 'offline');
    assert.equal(box.entries('stop').at(-1)?.reason, 'SIGTERM');
  });
});
