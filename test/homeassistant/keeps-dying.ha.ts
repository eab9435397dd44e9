/** The blueprint that reboots a gateway that keeps dying. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { isoTime } from '../../src/core/time.js';
import { Broker } from '../lab/broker.js';
import { until } from '../lab/wait.js';
import { Automation, blueprintFiles, takeDeviceAway } from './blueprints.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';

const alive = 'binary_sensor.gw1_stack_alive';
const total = 'sensor.gw1_outages_total';
const pause = 'switch.gw1_pause';

describe('the blueprint that reboots', () => {
  let broker: Broker;
  let home: HomeAssistant;
  let gateway: Gateway;
  let automation: Automation;
  let count = 0;

  const make = async (more: object = {}) => {
    await automation?.remove();
    automation = await Automation.from(
      home,
      'reboot_when_it_keeps_dying',
      {
        gateway: total,
        outages: 3,
        window: { hours: 1 },
        lock_out: { seconds: 0 },
        quiet_from: '00:00:00',
        quiet_to: '00:00:00',
        settle: { seconds: 0 },
        ...more,
      },
      `keeps dying ${++count}`,
    );
  };

  /** Home Assistant knows of it. */
  const outages = async (n: number) => {
    for (let i = 0; i < n; i += 1) {
      await gateway.diesBriefly({ durationMs: 20 });
      await home.waitForState(total, String(gateway.telling.snapshotNow.outages_total));
    }
  };

  /** Three outages, told at once after a while out of reach. */
  const outagesUnheard = async () => {
    await gateway.cut();
    await home.waitForState(alive, 'off');
    const { outages_total } = gateway.telling.snapshotNow;
    gateway.change({ outages_total: outages_total + 3 });
    await gateway.reconnect();
  };

  const reboots = () => gateway.commands.filter(({ action }) => action === 'reboot').length;
  const pressed = (n: number) => until(`press ${n}`, () => reboots() === n, { context: () => home.log() });
  /** As Home Assistant reads it. */
  const timeIn = (hours: number) => isoTime(Date.now() + hours * 3_600_000).slice(11, 19);
  /** The first run has counted enough, and has ended without a press. */
  const refused = async () => {
    await until('the end of a run', async () => (await automation.endings()).length === 1);
    assert.deepEqual(await automation.endings(), ['aborted']);
  };

  before(async () => {
    broker = await Broker.start();
    home = await HomeAssistant.start({ mqttPort: broker.port, files: blueprintFiles() });
    gateway = await Gateway.start(broker);
    await home.waitForState(alive, 'on');
    await home.waitForState(total, '0');
  });

  after(async () => {
    await home?.stop();
    await gateway?.stop();
    await broker?.stop();
  });

  beforeEach(() => {
    if (gateway) gateway.commands.length = 0;
  });

  it('reboots at the third outage, and says why', async () => {
    await make({ then_do: [{ event: 'rebooting', event_data: { reason: '{{ reason }}' } }] });
    const said = await home.subscribeEvents<{ reason: string }>('rebooting');
    await outages(2);
    assert.equal(reboots(), 0);
    await outages(1);
    await pressed(1);
    await until('what else there is to do', () => said.length === 1);
    assert.equal(said[0]?.data.reason, 'gw1 reboots: 3 outages within 60 min');
  });

  it('counts what was told at once, after a while out of reach', async () => {
    await make();
    await outagesUnheard();
    await pressed(1);
  });

  it('waits before the press, which the gateway would refuse so soon after it has connected', async () => {
    await make({ settle: { seconds: 11 } });
    await outagesUnheard();
    await pressed(1);
    const { sinceConnectMs } = gateway.commands.find(({ action }) => action === 'reboot') ?? {};
    assert.ok((sinceConnectMs ?? 0) >= 10_000, String(sinceConnectMs));
  });

  it('forgets what is longer ago', async () => {
    await make({ window: { seconds: 8 } });
    await outages(2);
    await automation.rest();
    await outages(2);
    await automation.rest();
    assert.equal(reboots(), 0);
    await outages(3);
    await pressed(1);
    await automation.rest();
  });

  it('locks itself out after a press, and after any boot', async () => {
    await make({ lock_out: { hours: 12 } });
    await outages(3);
    await refused();
    assert.equal(reboots(), 0, 'pressed a moment ago, by the last test');
    await make({ lock_out: { hours: 48 } });
    await outages(3);
    await refused();
    assert.equal(reboots(), 0, 'booted a day ago');
  });

  it('keeps quiet hours', async () => {
    await make({ quiet_from: timeIn(-1), quiet_to: timeIn(1) });
    await outages(3);
    await refused();
    assert.equal(reboots(), 0);
    await make({ quiet_from: timeIn(1), quiet_to: timeIn(-1) });
    await outages(3);
    await pressed(1);
  });

  it('leaves a gateway alone that is paused', async () => {
    await make();
    gateway.change({ pause: isoTime(Date.now() + 600_000) });
    await gateway.reconnect();
    await home.waitForState(pause, 'on');
    await outages(3);
    await refused();
    gateway.change({ pause: null });
    await gateway.reconnect();
    await home.waitForState(pause, 'off');
    assert.equal(reboots(), 0);
  });

  it('takes no restart of Home Assistant, and no silence, for an outage', async () => {
    await make({ outages: 1 });
    await home.restart();
    await home.waitForState(total, String(gateway.telling.snapshotNow.outages_total));
    await automation.rest();
    assert.equal(reboots(), 0);
    await gateway.cut();
    await home.waitForState(alive, 'off');
    await gateway.reconnect();
    await home.waitForState(alive, 'on');
    await automation.rest();
    assert.equal(reboots(), 0);
    await outages(1);
    await pressed(1);
  });

  it('says nothing when the device is taken away', async () => {
    await gateway.stop();
    await takeDeviceAway(home, broker.port, total);
    await automation.rest();
  });

  it('leaves nothing in the log', () => {
    assert.deepEqual(home.complaints(), []);
  });
});
