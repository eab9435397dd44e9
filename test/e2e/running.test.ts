/** Start, stop, reload, and what the command line says meanwhile. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { program } from '../lab/paths.js';
import { retainedMessages, scenario } from './scenario.js';

function sockmon(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
}

scenario('SIGTERM: publishes offline, closes the journal, exits with 0', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await recorder.until('online', ({ payload }) => payload === 'online');
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  await recorder.until(
    'offline',
    ({ topic, payload }) => topic === 'sockmon/lab/status' && payload === 'offline',
  );
  assert.equal(
    (await retainedMessages(lab, broker.port, ['sockmon/lab/status'])).get('sockmon/lab/status'),
    'offline',
  );
  // What the broker acknowledges meanwhile is noted after it.
  const last = daemon.journal().findLast(({ type }) => type !== 'published' && type !== 'announced');
  assert.equal(last?.type, 'stop');
});

scenario(
  'a gateway that stands still is offline once the broker misses it, and online when it goes on',
  async lab => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const daemon = lab.run({
      resources: { tcpip: lab.resource(lab.restartScript()) },
      mqtt: { url: lab.brokerUrl(broker), keepalive: '1s' },
    });
    const isStatus = (word: string) => (message: { topic: string; payload: string }) =>
      message.topic === 'sockmon/lab/status' && message.payload === word;
    await daemon.watching();
    await recorder.until('online', isStatus('online'));
    // Its kernel goes on acknowledging bytes, and nobody closes the connection: only the silence is to be seen.
    daemon.kill('SIGSTOP');
    await recorder.until('offline', isStatus('offline'));
    recorder.messages.length = 0;
    daemon.kill('SIGCONT');
    await recorder.until('online again', isStatus('online'));
  },
);

scenario('SIGHUP: a resource that was added is watched, a faulty file changes nothing', async lab => {
  const resources = { tcpip: lab.resource(lab.restartScript()) };
  const daemon = lab.run({ resources });
  await daemon.watching();

  writeFileSync(`${lab.directory}/sockmon.yaml`, 'resources: [');
  daemon.kill('SIGHUP');
  await daemon.until('the fault to be logged', () => /sockmon\.yaml:1:/.test(daemon.log));

  lab.writeConfig({ resources: { ...resources, holder: { watch: { process: { name: 'sleep' } } } } });
  daemon.kill('SIGHUP');
  await daemon.watching('holder');
  assert.equal(daemon.entries('start').length, 1, 'it is the same process still');
});

scenario('status and history, while it runs and when it does not', async lab => {
  const daemon = lab.run({ resources: { tcpip: lab.resource(lab.restartScript()) } });
  await daemon.watching();
  lab.killStack('SIGKILL');
  const end = await daemon.entry('outage_end');
  const inState = ['--state-dir', lab.stateDir];

  const live = sockmon('status', '--json', ...inState);
  assert.equal(live.status, 0, live.stderr);
  const answer = JSON.parse(live.stdout);
  assert.equal(answer.running, true);
  assert.equal(answer.snapshot.resources.tcpip.state, 'up');
  assert.equal(answer.snapshot.outages_total, 1);
  assert.ok(answer.network.reads > 0 && answer.network.changes > 0);
  const nothing = { links: 0, addresses: 0, routes: 0, rules: 0, nexthops: 0 };
  assert.deepEqual([answer.network.refuted, answer.network.corrected], [nothing, nothing]);
  assert.match(sockmon('status', ...inState).stdout, /tcpip/);

  await daemon.stop();
  const dead = sockmon('status', '--json', ...inState);
  assert.equal(dead.status, 3, dead.stderr);
  assert.equal(JSON.parse(dead.stdout).running, false);
  const history = sockmon('history', '--json', ...inState);
  assert.equal(history.status, 0, history.stderr);
  const outages = JSON.parse(history.stdout);
  assert.equal((outages.outages ?? outages)[0].id, end.outage);
});

scenario(
  "the seed's form: `sockmon SCRIPT` watches the stack of its namespace and restarts it",
  async lab => {
    const script = lab.restartScript();
    const daemon = lab.start([script.path, '--state-dir', lab.stateDir]);
    await daemon.watching();
    lab.killStack('SIGKILL');
    const end = await daemon.entry('outage_end');
    assert.equal(end.attempts, 1);
    assert.equal(script.calls().length, 1);
  },
);

scenario("the seed's form refuses a script that is missing or not executable", async lab => {
  const plain = `${lab.directory}/plain`;
  writeFileSync(plain, '#!/bin/sh\n');
  chmodSync(plain, 0o644);
  for (const path of [`${lab.directory}/nothing`, plain, lab.directory]) {
    const { status, stderr } = sockmon(path, '--state-dir', lab.stateDir);
    assert.equal(status, 66, stderr);
    assert.match(stderr, new RegExp(path));
    assert.doesNotMatch(stderr, /\n\s+at /, 'a sentence, not a stack trace');
  }
});
