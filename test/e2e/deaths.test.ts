/** Each way in which a stack can die: seen, restarted, told with its true cause and times. */
import assert from 'node:assert/strict';
import type { Death } from '../lab/stack.js';
import { until } from '../lab/wait.js';
import { assertTold, eventsOf, retainedMessages, scenario } from './scenario.js';

const deaths: readonly { readonly name: string; readonly death: Death; readonly cause: RegExp }[] = [
  { name: 'killed by SIGKILL', death: 'SIGKILL', cause: /^killed by SIGKILL$/ },
  { name: 'killed by SIGSEGV', death: 'SIGSEGV', cause: /^killed by SIGSEGV(, core dumped)?$/ },
  { name: 'exit with status 0', death: { exitStatus: 0 }, cause: /^exited with status 0$/ },
  { name: 'exit with status 3', death: { exitStatus: 3 }, cause: /^exited with status 3$/ },
];

for (const { name, death, cause } of deaths) {
  scenario(`stack ${name}: restarted at once, told to the broker with cause and times`, async lab => {
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const script = lab.restartScript();
    const daemon = lab.run({
      resources: { tcpip: lab.resource(script) },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    await recorder.until(
      'online',
      ({ topic, payload }) => topic === 'sockmon/lab/status' && payload === 'online',
    );

    const kill = lab.killStack(death);
    const recovered = await recorder.event('stack_recovered');
    const down = await recorder.event('stack_down');

    assertTold(down, recovered, kill);
    assert.match(recovered.cause ?? '', cause);
    assert.match(down.cause ?? '', cause);
    assert.equal(recovered.attempts, 1);
    assert.equal(script.calls().length, 1, 'one death seen by several sensors is one outage and one restart');
    assert.equal(eventsOf(recorder, 'stack_down').length, 1);
    assert.equal(daemon.entries('outage_begin').length, 1);

    const topics = [
      'homeassistant/device/sockmon_lab/config',
      'sockmon/lab/last_outage',
      'sockmon/lab/resource/tcpip',
      'sockmon/lab/state',
      'sockmon/lab/status',
    ];
    const retained = await retainedMessages(lab, broker.port, topics);
    assert.equal(retained.get('sockmon/lab/status'), 'online');
    assert.equal(JSON.parse(retained.get('sockmon/lab/last_outage') ?? '{}').id, down.outage);
    assert.equal(JSON.parse(retained.get('sockmon/lab/state') ?? '{}').last_outage, down.outage);
    assert.equal(JSON.parse(retained.get('sockmon/lab/resource/tcpip') ?? '{}').state, 'up');
    assert.ok(!retained.has('sockmon/lab/event'), 'events are never retained');
  });
}

scenario('the link taken down by somebody is a death of the stack too', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  // The stack's process lives on: the script of this story puts the interface up and its route back.
  const script = lab.restartScript({
    first: 'ip link set tap0 up && ip route replace default via 10.0.2.2 && exit 0',
  });
  const daemon = lab.run({
    resources: { tcpip: lab.resource(script) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  await lab.takeLinkDown();
  const recovered = await recorder.event('stack_recovered');
  assert.match(recovered.cause ?? '', /tap0/);
  assert.equal(script.calls().length, 1);
  assert.notEqual(lab.stack.pid(), null);
});

scenario('a lease renewed with another address is a note; one that is lost is an outage', async lab => {
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const script = lab.restartScript({
    first: 'ip address add 10.0.2.101/24 dev tap0; ip route replace default via 10.0.2.2 && exit 0',
  });
  const daemon = lab.run({
    resources: { tcpip: lab.resource(script) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  await daemon.watching();
  // What a DHCP client's script does when the server gives it another address.
  await lab.inGateway(
    'ip -4 address flush dev tap0; sleep 0.05; ip address add 10.0.2.100/24 dev tap0; ip route replace default via 10.0.2.2',
  );
  await until('the note', () => daemon.entries('notice').some(({ what }) => what === 'replaced'));
  assert.equal(daemon.entries('outage_begin').length, 0);
  assert.equal(script.calls().length, 0);

  await lab.inGateway('ip -4 address flush dev tap0');
  const recovered = await recorder.event('stack_recovered');
  assert.match(recovered.cause ?? '', /tap0 lost its address/);
  assert.equal(script.calls().length, 1);
});
