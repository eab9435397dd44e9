/** The interface of a VPN dies beside a living network: as a service, and as what the owner calls the network. */
import assert from 'node:assert/strict';
import type { Lab } from '../lab/lab.js';
import { eventsOf, scenario } from './scenario.js';

async function addVpn(lab: Lab): Promise<void> {
  for (const line of [
    'ip link add wg0 type veth peer name wg0-peer',
    'ip addr add 10.9.0.1/24 dev wg0',
    'ip link set wg0-peer up',
    'ip link set wg0 up',
  ])
    await lab.namespace.run(line.split(' '));
}

/** Its provider is down: the restart never helps. */
const vpn = {
  watch: { link: 'wg0' },
  restart: { script: '/bin/false', attempts: 1, every: '1s' },
};

const roles = [
  { role: 'service', down: 'service_down', back: 'service_recovered', isNetwork: false },
  { role: 'network', down: 'stack_down', back: 'stack_recovered', isNetwork: true },
] as const;

for (const { role, down, back, isNetwork } of roles)
  scenario(`a VPN of role ${role} dies and its restart does not help`, async lab => {
    await addVpn(lab);
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const daemon = lab.run({
      resources: { tcpip: lab.resource(lab.restartScript()), vpn: { ...vpn, role } },
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    await daemon.watching('vpn');
    await recorder.until('online', ({ payload }) => payload === 'online');

    await lab.namespace.run(['ip', 'link', 'set', 'wg0', 'down']);
    const begun = await recorder.event(down);
    await recorder.event('recovery_failed');
    await lab.namespace.run(['ip', 'link', 'set', 'wg0', 'up']);
    await recorder.event(back);
    const state = await recorder.until('the state with it back', ({ topic, payload }) => {
      if (topic !== 'sockmon/lab/state') return false;
      const { resources, last_outage } = JSON.parse(payload);
      return resources.not_up.vpn === undefined && last_outage === begun.outage;
    });
    const resource = recorder.messages.findLast(({ topic }) => topic === 'sockmon/lab/resource/vpn');
    const about = recorder.messages.findLast(({ topic }) => topic === 'sockmon/lab/about');

    const statuses = recorder.messages
      .filter(({ topic, payload }) => topic === 'sockmon/lab/status' && payload !== '')
      .map(({ payload }) => payload);
    const { resources, last_stack_outage } = JSON.parse(state.payload);
    assert.equal(statuses.includes('recovering'), isNetwork);
    assert.equal(eventsOf(recorder, 'reboot_refused').length, isNetwork ? 1 : 0);
    assert.equal(daemon.entries('reboot_refused').length, isNetwork ? 1 : 0);
    assert.equal(JSON.parse(resource?.payload ?? '{}').role, isNetwork ? 'stack' : 'service');
    assert.equal('vpn' in resources.network, isNetwork);
    assert.equal(last_stack_outage !== null, isNetwork);
    if (!isNetwork) {
      assert.ok(!statuses.includes('offline'), 'the broker never missed us');
      assert.equal(JSON.parse(about?.payload ?? '{}').connection.connects, 1);
    }
  });
