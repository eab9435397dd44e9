/** The blueprint that switches the gateway's plug off and, whatever happens, on. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Broker } from '../lab/broker.js';
import { until } from '../lab/wait.js';
import { Automation, blueprintFiles, takeDeviceAway } from './blueprints.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';
import { Plug } from './plug.js';

const alive = 'binary_sensor.gw1_stack_alive';
const never = { hours: 10 };

describe('the blueprint that power-cycles', () => {
  let broker: Broker;
  let home: HomeAssistant;
  let gateway: Gateway;
  let plug: Plug;
  let automation: Automation;
  let count = 0;

  /** A new one each time, without the lock-out that the last test has left. */
  const make = async (more: object = {}) => {
    await automation?.remove();
    automation = await Automation.from(
      home,
      'power_cycle_by_smart_plug',
      {
        gateway: alive,
        plug: plug.entity,
        away: { seconds: 0 },
        off_time: { seconds: 0 },
        again_after: { seconds: 5 },
        lock_out: { seconds: 0 },
        then_do: [{ event: 'power_cycled', event_data: { on: '{{ plug_is_on }}' } }],
        ...more,
      },
      `power cycle ${++count}`,
    );
  };

  const comesBack = async () => {
    await gateway.reconnect();
    await home.waitForState(alive, 'on');
    await automation.rest();
  };

  before(async () => {
    broker = await Broker.start();
    home = await HomeAssistant.start({ mqttPort: broker.port, files: blueprintFiles() });
    gateway = await Gateway.start(broker);
    plug = await Plug.at(broker.port);
    await home.waitForState(alive, 'on');
    await home.waitForState(plug.entity, 'on');
  });

  after(async () => {
    await home?.stop();
    await gateway?.stop();
    await plug?.close();
    await broker?.stop();
  });

  beforeEach(() => {
    if (plug) plug.told.length = 0;
  });

  it('switches off and on when the gateway stays away, and says so', async () => {
    await make();
    const cycled = await home.subscribeEvents<{ on: boolean }>('power_cycled');
    await gateway.cut();
    await until('the power-cycle', () => cycled.length === 1);
    assert.deepEqual(plug.told, ['OFF', 'ON']);
    assert.equal(cycled[0]?.data.on, true);
    await comesBack();
  });

  it('waits as long as is wanted, and not when the gateway comes back', async () => {
    await make({ away: { seconds: 10 } });
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await comesBack();
    await gateway.cut();
    await until('the power-cycle', () => plug.told.length === 2);
    const { last_changed } = (await home.state(alive)) ?? {};
    const { last_triggered } = (await home.state(automation.entity))?.attributes ?? {};
    assert(Date.parse(String(last_triggered)) - Date.parse(String(last_changed)) >= 10_000);
    await comesBack();
    assert.deepEqual(plug.told, ['OFF', 'ON']);
  });

  it('switches on again and again when the plug does not hear', async () => {
    await make();
    const cycled = await home.subscribeEvents('power_cycled');
    plug.deaf = 2;
    await gateway.cut();
    await until('the power-cycle', () => cycled.length === 1);
    assert.deepEqual(plug.told, ['OFF', 'ON', 'ON', 'ON']);
    await home.waitForState(plug.entity, 'on');
    await comesBack();
  });

  it('locks itself out', async () => {
    await make({ lock_out: never });
    await gateway.cut();
    await until('the power-cycle', () => plug.told.length === 2);
    await comesBack();
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await automation.rest();
    await comesBack();
    assert.deepEqual(plug.told, ['OFF', 'ON']);
  });

  it('acts once the lock-out is over, on a gateway that is still away', async () => {
    await make({ lock_out: { seconds: 5 } });
    await gateway.cut();
    await until('the power-cycle', () => plug.told.length === 2);
    await comesBack();
    await gateway.cut();
    // Looked at every other minute.
    await until('the next one', () => plug.told.length === 4, { deadlineMs: 180_000 });
    assert.deepEqual(plug.told, ['OFF', 'ON', 'OFF', 'ON']);
    await comesBack();
  });

  it('leaves a gateway alone that can still be reached, and acts when it cannot any more', async () => {
    await make();
    await gateway.dies({}, { reachable: true });
    await home.waitForState(alive, 'off');
    await automation.rest();
    assert.deepEqual(plug.told, []);
    await gateway.cut();
    await until('the power-cycle', () => plug.told.length === 2);
    await gateway.recovers({ durationMs: 1000 });
    await comesBack();
  });

  it('leaves a plug alone that it cannot see', async () => {
    await make();
    await plug.reach('offline');
    await home.waitForState(plug.entity, 'unavailable');
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await automation.rest();
    await comesBack();
    await plug.reach('online');
    await home.waitForState(plug.entity, 'on');
    await automation.rest();
    assert.deepEqual(plug.told, []);
  });

  it('is started by hand, as the note on the phone does it', async () => {
    await make({ lock_out: never });
    const target = { entity_id: automation.entity };
    await home.callService('automation', 'trigger', { skip_condition: true }, target);
    assert.deepEqual(plug.told, ['OFF', 'ON']);
  });

  it('leaves a plug off that somebody has switched off', async () => {
    await make();
    await home.callService('switch', 'turn_off', {}, { entity_id: plug.entity });
    await home.waitForState(plug.entity, 'off');
    await automation.rest();
    assert.deepEqual(plug.told, ['OFF']);
    await plug.is('ON');
    await home.waitForState(plug.entity, 'on');
  });

  it('switches on after the plug has lost its power, or the automation was edited, while it was off', async () => {
    await make({ off_time: never });
    await gateway.cut();
    await home.waitForState(plug.entity, 'off');
    await make();
    await home.waitForState(plug.entity, 'on');
    await automation.rest();
    await plug.reach('offline');
    await plug.is('OFF');
    await home.waitForState(plug.entity, 'unavailable');
    await plug.reach('online');
    await home.waitForState(plug.entity, 'on');
    await comesBack();
    assert.deepEqual(plug.told, ['OFF', 'ON', 'ON']);
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`switches on when Home Assistant has ended by ${signal} while it was off, and does not begin again`, async () => {
      await make({ off_time: never, lock_out: never });
      await gateway.cut();
      await home.waitForState(plug.entity, 'off');
      await home.restart(signal);
      await home.waitForState(plug.entity, 'on');
      await home.waitForState(alive, 'off');
      await automation.rest();
      assert.deepEqual(plug.told, ['OFF', 'ON']);
      await comesBack();
    });
  }

  it('fires nothing when Home Assistant restarts', async () => {
    await home.restart();
    await home.waitForState(alive, 'on');
    await home.waitForState(plug.entity, 'on');
    await automation.rest();
    assert.deepEqual(plug.told, []);
  });

  it('counts anew when Home Assistant starts while the gateway is away', async () => {
    await make({ away: { seconds: 2 } });
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await home.restart();
    await until('the power-cycle', () => plug.told.length === 2);
    assert.deepEqual(plug.told, ['OFF', 'ON']);
    await comesBack();
  });

  it('says nothing when the device is taken away', async () => {
    await gateway.stop();
    await takeDeviceAway(home, broker.port, alive);
    await automation.rest();
  });

  it('leaves nothing in the log', () => {
    const ours = home.complaints().filter(line => !/recorder/.test(line));
    assert.deepEqual(ours, []);
  });
});
