/** The real Home Assistant that the other tests rely on: it starts, finds a device over a real broker and knows it after a restart. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Broker } from '../lab/broker.js';
import { Listener } from '../mqtt/listener.js';
import { HomeAssistant } from './instance.js';

const payload = {
  device: { identifiers: ['probe'], name: 'Probe', manufacturer: 'sockmon' },
  origin: { name: 'sockmon' },
  components: {
    alive: {
      platform: 'binary_sensor',
      unique_id: 'probe_alive',
      default_entity_id: 'binary_sensor.probe_alive',
      name: 'Alive',
      device_class: 'connectivity',
      state_topic: 'probe/status',
      payload_on: 'online',
      payload_off: 'offline',
    },
    reboot: {
      platform: 'button',
      unique_id: 'probe_reboot',
      default_entity_id: 'button.probe_reboot',
      name: 'Reboot',
      device_class: 'restart',
      command_topic: 'probe/cmd',
      payload_press: 'reboot',
    },
  },
};

describe('a real Home Assistant', () => {
  let broker: Broker;
  let listener: Listener;
  let home: HomeAssistant;

  before(async () => {
    broker = await Broker.start();
    listener = await Listener.on({ host: '127.0.0.1', port: broker.port });
    home = await HomeAssistant.start({ mqttPort: broker.port });
  });

  after(async () => {
    await home?.stop();
    await listener?.close();
    await broker?.stop();
  });

  it('is online at the broker', async () => {
    await listener.untilLast('homeassistant/status', 'online');
  });

  it('makes the entities of a discovery payload', async () => {
    const retained = { retain: true, qos: 1 } as const;
    await listener.client.publishAsync(
      'homeassistant/device/probe/config',
      JSON.stringify(payload),
      retained,
    );
    await home.waitForState('binary_sensor.probe_alive', 'unknown');
    await listener.publish('probe/status', 'online', true);
    const { attributes } = await home.waitForState('binary_sensor.probe_alive', 'on');
    assert.equal(attributes.friendly_name, 'Probe Alive');
    await home.waitForState('button.probe_reboot', 'unknown');
  });

  it('sends the command of a pressed button', async () => {
    const pressed = await home.subscribeEvents<{ entity_id: string }>('state_changed');
    await home.callService('button', 'press', {}, { entity_id: 'button.probe_reboot' });
    await listener.untilLast('probe/cmd', 'reboot');
    await home.waitForState('button.probe_reboot', state => state.state !== 'unknown');
    assert(pressed.some(({ data }) => data.entity_id === 'button.probe_reboot'));
  });

  it('knows the device after a restart', async () => {
    await home.restart();
    await home.waitForState('binary_sensor.probe_alive', 'on');
    const devices = await home.call<{ name: string }[]>({ type: 'config/device_registry/list' });
    assert(devices.some(({ name }) => name === 'Probe'));
  });

  it('has nothing to complain about', () => {
    assert.deepEqual(home.complaints(), []);
  });
});
