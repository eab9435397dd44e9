/** Restart scripts that fail: tried again, and in the end a reboot, once, after its record. */
import assert from 'node:assert/strict';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import { assertTold, eventsOf, scenario } from './scenario.js';

scenario('a script that fails twice and then works: three attempts, one outage', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const script = lab.restartScript({ failures: 2, failureStatus: 5 });
  const daemon = lab.run({
    resources: { tcpip: lab.resource(script) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();

  const kill = lab.killStack('SIGKILL');
  const recovered = await recorder.event('stack_recovered');

  assertTold(await recorder.event('stack_down'), recovered, kill);
  assert.equal(recovered.attempts, 3);
  assert.equal(script.calls().length, 3);
  const results = daemon
    .entries('attempt_end')
    .filter(({ result }) => result.kind === 'exit' && result.code === 5);
  assert.equal(results.length, 2);
  assert.match(
    results[0]?.output ?? '',
    /the lab makes this attempt fail/,
    'what a failed script said is in the journal',
  );
  assert.match(daemon.log, /the lab makes this attempt fail/, 'and in the log');
});

scenario(
  'a script that fails for ever: the reboot command runs once, after its intent is on disk',
  async lab => {
    const stub = rebootStub(lab);
    const script = lab.restartScript({ failures: Number.POSITIVE_INFINITY });
    const daemon = lab.run({
      resources: { tcpip: { ...lab.resource(script), reboot: true } },
      reboot: rebootBy(stub),
    });
    await daemon.watching();
    lab.killStack('SIGKILL');

    await daemon.until('the reboot command to run', () => stub.calls().length > 0);
    assert.equal((await daemon.stop()).code, 0);

    assert.deepEqual(stub.calls(), ['recorded']);
    assert.equal(script.calls().length, 3, 'all attempts came before');
    const [intent] = daemon.entries('reboot_intent');
    const failed = daemon.entries('recovery_failed');
    assert.equal(failed.length, 1);
    assert.equal(failed[0]?.next, 'reboot');
    assert.ok((intent?.seq ?? 0) > (daemon.entries('attempt').at(-1)?.seq ?? 0));
  },
);

scenario('with rebooting off, what would have happened is told and not done', async lab => {
  const stub = rebootStub(lab);
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const script = lab.restartScript({ failures: 3 });
  const daemon = lab.run({
    resources: { tcpip: { ...lab.resource(script), reboot: true } },
    reboot: { ...rebootBy(stub), allowed: false },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  lab.killStack('SIGKILL');
  await daemon.entry('reboot_refused');

  // Somebody repairs it by hand: the fourth call of the script works. The broker learns the whole story afterwards.
  await lab.namespace.run([script.path]);
  const refused = await recorder.event('reboot_refused');
  await recorder.event('stack_recovered');
  assert.match(refused.detail ?? '', /reboot/);
  assert.equal(eventsOf(recorder, 'reboot').length, 0);
  assert.deepEqual(stub.calls(), []);
});
