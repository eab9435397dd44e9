/** Nothing is lost while nobody can be told, and nothing is told twice. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { assertTold, eventsOf, scenario } from './scenario.js';

scenario('broker away during the whole outage: told afterwards, with the original times, once', async lab => {
  const { broker, recorder } = await lab.startLastingBroker();
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await recorder.until('online', ({ payload }) => payload === 'online');
  await broker.stop();

  const kill = lab.killStack('SIGKILL');
  const end = await daemon.entry('outage_end');
  await broker.start();

  const recovered = await recorder.event('stack_recovered');
  assertTold(await recorder.event('stack_down'), recovered, kill);
  assert.ok(Math.abs(Date.parse(recovered.ended_at ?? '') - end.endedWallMs) < 1000);
  await daemon.until('the broker to have acknowledged it', () =>
    daemon.entries('published').some(({ upTo }) => upTo >= end.seq),
  );
  assert.equal(eventsOf(recorder, 'stack_down').length, 1);
  assert.equal(eventsOf(recorder, 'stack_recovered').length, 1);
});

scenario(
  'sockmon killed with -9 in the middle of an outage: one outage, one recovery, with the first times',
  async lab => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const gate = `${lab.directory}/gate`;
    // Attempts fail until the test opens the gate, so that the kill falls into the outage for certain.
    const script = lab.restartScript({ first: `[ -e '${gate}' ] || exit 9` });
    const config = {
      resources: { tcpip: lab.resource(script, { attempts: 50 }) },
      mqtt: { url: lab.brokerUrl(broker) },
    };
    const first = lab.run(config);
    await first.watching();
    const kill = lab.killStack('SIGKILL');
    await first.entry('attempt_end');
    first.kill('SIGKILL');
    assert.equal((await first.ended).signal, 'SIGKILL');

    const second = lab.run(config);
    await second.until('the second sockmon to start', () =>
      second.entries('start').some(({ pid }) => pid === second.pid),
    );
    writeFileSync(gate, '');

    const recovered = await recorder.event('stack_recovered');
    assertTold(await recorder.event('stack_down'), recovered, kill);
    assert.equal(second.entries('outage_begin').length, 1);
    assert.equal(second.entries('outage_end').length, 1);
    assert.ok((recovered.attempts ?? 0) >= 2, 'the attempts of both are counted together');
    await second.until('everything to be acknowledged', () => {
      const { seq } = second.entries('outage_end')[0] ?? { seq: Number.POSITIVE_INFINITY };
      return second.entries('published').some(({ upTo }) => upTo >= seq);
    });
    assert.equal(eventsOf(recorder, 'stack_down').length, 1);
    assert.equal(eventsOf(recorder, 'stack_recovered').length, 1);
  },
);

scenario(
  'back before sockmon is there again: told at its first connection, which stays the only one',
  async lab => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const script = lab.restartScript({ failures: Number.POSITIVE_INFINITY });
    const config = { resources: { tcpip: lab.resource(script) }, mqtt: { url: lab.brokerUrl(broker) } };
    const first = lab.run(config);
    await first.watching();
    lab.killStack('SIGKILL');
    await first.entry('attempt_end');
    first.kill('SIGKILL');
    await first.ended;
    await lab.stack.start();

    const told = recorder.messages.length;
    const second = lab.run(config);
    await recorder.event('stack_recovered');
    await recorder.publish('sockmon/lab/cmd/reboot', 'no press');
    await recorder.until('an answer', ({ topic }) => topic.startsWith('sockmon/lab/result/'));
    assert.doesNotMatch(second.log, /is lost/);
    const abouts = recorder.messages.slice(told).filter(({ topic }) => topic === 'sockmon/lab/about');
    const connects = abouts.map(({ payload }) => JSON.parse(payload).connection.connects);
    assert.deepEqual([...new Set(connects)], [1]);
  },
);
