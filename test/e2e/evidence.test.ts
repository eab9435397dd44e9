/** What is left of an outage for the next morning. */
import assert from 'node:assert/strict';
import { retainedMessages, scenario } from './scenario.js';

scenario('the outage of a killed stack has address and default route of before and of after', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const daemon = lab.run({
    resources: { tcpip: lab.resource(lab.restartScript()) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  lab.killStack('SIGKILL');
  await recorder.event('stack_recovered');
  await daemon.entry('evidence', 2);
  const [before, after] = daemon.entries('evidence');
  assert.deepEqual([before?.when, after?.when], ['before', 'after']);
  for (const evidence of [before, after]) {
    assert.ok(evidence?.addresses.includes('tap0 10.0.2.100/24'), JSON.stringify(evidence));
    assert.equal(evidence?.routes[0], 'default via 10.0.2.2 dev tap0');
    assert.ok(evidence?.routes.includes('10.0.2.0/24 dev tap0'), JSON.stringify(evidence));
  }
  assert.equal(before?.outage, daemon.entries('outage_begin')[0]?.outage);

  const topic = 'sockmon/lab/last_outage';
  await recorder.until(
    'the evidence of after to be told',
    message => message.topic === topic && JSON.parse(message.payload).evidence?.routes_after === null,
  );
  const payload = (await retainedMessages(lab, broker.port, [topic])).get(topic) ?? '';
  const told = JSON.parse(payload).evidence;
  assert.ok(told.addresses_before.includes('tap0 10.0.2.100/24'));
  assert.ok(told.addresses_after.includes('tap0 10.0.2.100/24'), 'tap0 has another IPv6 address');
  assert.equal(told.routes_before[0], 'default via 10.0.2.2 dev tap0');
  assert.ok(payload.length < 4096);
});
