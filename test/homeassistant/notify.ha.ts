/** The blueprint that tells the phones. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Broker } from '../lab/broker.js';
import { until } from '../lab/wait.js';
import { Listener } from '../mqtt/listener.js';
import { Automation, blueprintFiles, takeDeviceAway } from './blueprints.js';
import { Gateway } from './gateway.js';
import { HomeAssistant } from './instance.js';
import { Phone, type Push } from './phone.js';

const alive = 'binary_sensor.gw1_stack_alive';
const events = 'event.gw1_stack_event';

describe('the blueprint that tells the phones', () => {
  let broker: Broker;
  let listener: Listener;
  let home: HomeAssistant;
  let gateway: Gateway;
  let phone: Awaited<ReturnType<typeof Phone.register>>;
  let other: Awaited<ReturnType<typeof Phone.register>>;
  let automation: Automation;
  /** How many notes there were when the test began. */
  let told = 0;

  const make = (more: object = {}) =>
    Automation.from(
      home,
      'notify_on_crash',
      {
        gateway: alive,
        events,
        phones: [phone.device, other.device],
        patience: { seconds: 0 },
        settle: { seconds: 5 },
        ...more,
      },
      'tell the phones',
    );

  /** What has come since the test began, once nothing more is under way. */
  const notes = async () => {
    await automation.rest();
    return phone.pushes.slice(told);
  };

  before(async () => {
    broker = await Broker.start();
    listener = await Listener.on({ host: '127.0.0.1', port: broker.port }, {}, 'sockmon/#');
    home = await HomeAssistant.start({ mqttPort: broker.port, files: blueprintFiles() });
    gateway = await Gateway.start(broker);
    await home.waitForState(alive, 'on');
    phone = await Phone.register(home, 'Pixel of Ada');
    other = await Phone.register(home, 'iPhone');
    automation = await make();
  });

  after(async () => {
    await home?.stop();
    await gateway?.stop();
    await Promise.all([phone?.close(), other?.close()]);
    await listener?.close();
    await broker?.stop();
  });

  beforeEach(() => {
    told = phone?.pushes.length ?? 0;
  });

  it('turns one note from "is down" into "recovered", on every phone', async () => {
    await gateway.dies();
    const down = await phone.next(told);
    assert.equal(down.title, 'gw1 is down');
    assert.match(down.message, /^No sign of life since \d\d:\d\d:\d\d\./);
    assert.equal(down.data.actions, undefined, 'nothing could arrive');
    await gateway.recovers({ durationMs: 12_000 });
    const back = await phone.next(told + 1);
    assert.equal(back.title, 'gw1 recovered after 12 s');
    assert.match(back.message, /^Died at \d\d:\d\d:\d\d: killed by SIGKILL\. Back at the first attempt\.$/);
    assert.equal(back.data.tag, down.data.tag);
    assert.deepEqual(
      (await notes()).map(note => note.title),
      [down.title, back.title],
    );
    const essence = ({ title, message, data }: Push) => ({ title, message, data });
    assert.deepEqual(other.pushes.map(essence), phone.pushes.map(essence));
  });

  it('gives the second outage a note of its own', async () => {
    const tags = new Set<string>();
    for (const durationMs of [125_000, 600]) {
      const before = phone.pushes.length;
      await gateway.dies({ cause: { kind: 'exit', code: 3 } });
      const down = await phone.next(before);
      await gateway.recovers({ durationMs, attempts: 2 });
      const back = await phone.next(before + 1);
      assert.equal(back.data.tag, down.data.tag);
      assert.match(back.message, /exited with status 3\. Back after 2 attempts\.$/);
      tags.add(down.data.tag);
    }
    const titles = (await notes()).map(note => note.title);
    assert.deepEqual(titles, [
      'gw1 is down',
      'gw1 recovered after 2 min 5 s',
      'gw1 is down',
      'gw1 recovered after 600 ms',
    ]);
    assert.equal(tags.size, 2);
  });

  it('offers a reboot when it can arrive, and presses the button', async () => {
    await gateway.dies();
    await phone.next(told);
    await gateway.recovers({ durationMs: 3200 });
    const { data, title } = await phone.next(told + 1);
    assert.equal(title, 'gw1 recovered after 3.2 s');
    const [reboot] = data.actions ?? [];
    assert(reboot);
    assert.deepEqual(data.actions, [
      { action: `SOCKMON_REBOOT_${alive}`, title: 'Reboot', destructive: true, authenticationRequired: true },
    ]);
    const before = gateway.commands.length;
    await phone.press(reboot);
    assert.equal((await phone.next(told + 2)).title, 'gw1 is told to reboot');
    await until('the command', () => gateway.commands.length > before);
    assert.deepEqual(
      gateway.commands.slice(before).map(({ action }) => action),
      ['reboot'],
    );
  });

  it('does not press a button that nobody would feel', async () => {
    await gateway.dies();
    await phone.next(told);
    const before = gateway.commands.length;
    await phone.press({ action: `SOCKMON_REBOOT_${alive}`, title: 'Reboot' });
    assert.equal((await phone.next(told + 1)).title, 'gw1 cannot be reached');
    assert.equal(gateway.commands.length, before);
    await gateway.recovers({ durationMs: 1000 });
    await phone.next(told + 2);
    await notes();
  });

  it('tells the cause at once while the gateway can still be reached, then how it goes on', async () => {
    const outage = await gateway.dies({}, { reachable: true });
    const down = await phone.next(told);
    assert.match(down.message, /^Since \d\d:\d\d:\d\d: killed by SIGKILL\. sockmon is at work on it/);
    assert.equal(down.data.actions?.[0]?.title, 'Reboot');
    const atMs = gateway.telling.now().bootMs;
    const detail = '6 attempts in 3 min';
    gateway.tell({
      ...{ type: 'recovery_failed', outage, resource: 'tcpip', atMs, attempts: 6 },
      ...{ next: 'stay_down', detail },
    });
    const failed = await phone.next(told + 1);
    assert.equal(failed.title, 'gw1: tcpip does not come back');
    assert.equal(failed.message, detail);
    await gateway.recovers({ durationMs: 300_000, attempts: 7 });
    const back = await phone.next(told + 2);
    assert.equal(back.title, 'gw1 recovered after 5 min 0 s');
    assert.equal(new Set((await notes()).map(note => note.data.tag)).size, 1);
  });

  it('tells afterwards of what nobody could notice, once', async () => {
    const id = await gateway.diesBriefly({ durationMs: 12_000 });
    assert.equal((await phone.next(told)).title, 'gw1 recovered after 12 s');
    await home.waitForState('sensor.gw1_last_outage', ({ attributes }) => attributes.id === id);
    const said = listener.heard.filter(({ topic }) => /\/(event|last_outage)$/.test(topic)).slice(-3);
    for (const { topic, payload } of said) await listener.publish(topic, payload, !topic.endsWith('/event'));
    await listener.publish('sockmon/gw1/status', 'online', true);
    await gateway.diesBriefly({ durationMs: 13_000 });
    assert.equal((await phone.next(told + 1)).title, 'gw1 recovered after 13 s');
    const [first, second, ...more] = await notes();
    assert.notEqual(first?.data.tag, second?.data.tag);
    assert.deepEqual(more, []);
  });

  it('says so when the gateway has nothing to tell', async () => {
    await gateway.cut();
    const down = await phone.next(told);
    await gateway.reconnect();
    const back = await phone.next(told + 1);
    assert.match(back.title, /^gw1 is back after \d+/);
    assert.match(back.message, /no outage of its own/);
    assert.equal(back.data.tag, down.data.tag);
  });

  it('is not fooled by a service that dies while the gateway is out of reach', async () => {
    await gateway.cut();
    const down = await phone.next(told);
    await gateway.dies({ resource: 'dnsmasq' }, { reachable: true });
    await gateway.recovers({ durationMs: 40 });
    const titles = new Map<string, string>();
    await until('it to be told that it is back', async () => {
      for (const { title, data } of await notes()) titles.set(data.tag, title);
      return titles.get(down.data.tag)?.startsWith('gw1 is back');
    });
    assert.deepEqual([...titles.values()].slice(1), ['gw1: dnsmasq recovered after 40 ms']);
  });

  it('keeps its note while it is down, whatever else comes back meanwhile', async () => {
    const id = await gateway.dies({}, { reachable: true });
    const down = await phone.next(told);
    gateway.diesMeanwhile('dnsmasq');
    const other = await phone.next(told + 1);
    assert.equal(other.title, 'gw1: dnsmasq recovered after 50 ms');
    assert.notEqual(other.data.tag, down.data.tag);
    await home.waitForState('sensor.gw1_last_outage', ({ attributes }) => attributes.resource === 'dnsmasq');
    await gateway.recovers({ durationMs: 300_000 });
    await home.waitForState('sensor.gw1_last_outage', ({ attributes }) => attributes.id === id);
    const back = await phone.next(told + 2);
    assert.deepEqual([back.title, back.data.tag], ['gw1 recovered after 5 min 0 s', down.data.tag]);
    assert.equal((await notes()).length, 3);
  });

  it('tells of a reboot as of a reboot', async () => {
    gateway.tell({ type: 'reboot_intent', intent: 'i', reason: 'the button was pressed' });
    const notice = await phone.next(told);
    assert.deepEqual([notice.title, notice.message], ['gw1 reboots', 'the button was pressed']);
    await gateway.cut();
    const down = await phone.next(told + 1);
    assert.deepEqual([down.title, down.message], ['gw1 reboots', 'the button was pressed']);
    gateway.telling.append({
      type: 'rebooted',
      intent: 'i',
      reason: 'the button was pressed',
      tookMs: 42_000,
    });
    await gateway.reconnect();
    const back = await phone.next(told + 2);
    assert.equal(back.message, 'It has rebooted: the button was pressed');
    assert.equal(new Set((await notes()).map(note => note.data.tag)).size, 1);
  });

  it('tells of the other services, but not of what fell with the stack', async () => {
    await gateway.dies({ resource: 'dnsmasq' }, { reachable: true });
    await gateway.recovers({ durationMs: 40 });
    assert.equal((await phone.next(told)).title, 'gw1: dnsmasq recovered after 40 ms');
    await gateway.dies({ resource: 'dnsmasq', root: 'tcpip-0' }, { reachable: true });
    await gateway.recovers({ durationMs: 50 });
    await gateway.dies({ resource: 'dnsmasq', cause: { kind: 'commanded' } }, { reachable: true });
    await gateway.recovers({ durationMs: 55 });
    await gateway.dies({ resource: 'dnsmasq' }, { reachable: true });
    await gateway.recovers({ durationMs: 60 });
    assert.equal((await phone.next(told + 1)).title, 'gw1: dnsmasq recovered after 60 ms');
    assert.equal((await notes()).length, 2);
  });

  it('knows its note again when Home Assistant restarts while the gateway is down', async () => {
    await gateway.dies();
    const down = await phone.next(told);
    await home.restart();
    await home.waitForState(alive, 'off');
    assert.equal((await notes()).length, 1, 'it was told already');
    await gateway.recovers({ durationMs: 90_000 });
    const back = await phone.next(told + 1);
    assert.equal(back.title, 'gw1 recovered after 1 min 30 s');
    assert.equal(back.data.tag, down.data.tag);
    assert.equal((await notes()).length, 2);
  });

  it('rings even when the phone is silent, and offers a power-cycle, where that is wanted', async () => {
    const target = await Automation.make(home, 'cycle', {
      triggers: [],
      actions: [{ event: 'power_cycled' }],
    });
    automation = await make({ critical: true, power_cycle: [target.entity], page: '/sockmon-gateway/0' });
    const cycled = await home.subscribeEvents('power_cycled');
    await gateway.dies();
    const { data } = await phone.next(told);
    assert.equal(data.push?.['interruption-level'], 'critical');
    assert.equal(data.channel, 'alarm_stream');
    assert.equal(data.url, '/sockmon-gateway/0');
    assert.deepEqual(data.actions, [
      {
        ...{ action: `SOCKMON_POWER_CYCLE_${alive}`, title: 'Power-cycle' },
        ...{ destructive: true, authenticationRequired: true },
      },
    ]);
    const [button] = data.actions ?? [];
    assert(button);
    await phone.press(button);
    assert.equal((await phone.next(told + 1)).title, 'gw1 is power-cycled');
    await until('the power-cycle', () => cycled.length === 1);
    await gateway.recovers({ durationMs: 60_000 });
    assert.equal((await phone.next(told + 2)).data.push?.['interruption-level'], 'active');
    await phone.press(button);
    const late = await phone.next(told + 3);
    assert.deepEqual(
      [late.title, late.message],
      ['gw1 is there', 'It is back already: nothing was switched.'],
    );
    await notes();
    assert.equal(cycled.length, 1);
  });

  it('rings after all when the gateway does not come back from its reboot', async () => {
    const target = await Automation.make(home, 'cycle', {
      triggers: [],
      actions: [{ event: 'power_cycled' }],
    });
    automation = await make({ reboot_time: { seconds: 1 }, power_cycle: [target.entity] });
    gateway.tell({ type: 'reboot_intent', intent: 'i', reason: 'the last resort' });
    await phone.next(told);
    await gateway.cut();
    const down = await phone.next(told + 1);
    assert.equal(down.title, 'gw1 reboots');
    const overdue = await phone.next(told + 2);
    assert.equal(overdue.title, 'gw1 does not come back from its reboot');
    assert.match(overdue.message, /: the last resort$/);
    assert.equal(overdue.data.tag, down.data.tag);
    assert.equal(overdue.data.push?.['interruption-level'], 'time-sensitive');
    assert.deepEqual(
      overdue.data.actions?.map(({ title }) => title),
      ['Power-cycle'],
    );
    await gateway.reconnect();
    const back = await phone.next(told + 3);
    assert.equal(back.data.tag, down.data.tag);
    await automation.rest();
  });

  it('has patience, and keeps silent about what is brief, where that is wanted', async () => {
    automation = await make({ patience: { minutes: 1 }, brief: false, services: false });
    await gateway.dies();
    await home.waitForState(alive, 'off');
    await gateway.recovers({ durationMs: 59_000 });
    await home.waitForState(alive, 'on');
    await gateway.dies({ resource: 'dnsmasq' }, { reachable: true });
    await gateway.recovers({ durationMs: 90_000 });
    assert.deepEqual(await notes(), []);
    await gateway.dies();
    await home.waitForState(alive, 'off');
    await gateway.recovers({ durationMs: 61_000 });
    assert.equal((await phone.next(told)).title, 'gw1 recovered after 1 min 1 s');
    assert.equal((await notes()).length, 1);
    // Away for longer than its network was down: the note "is down" must not stay.
    automation = await make({ patience: { seconds: 1 }, brief: false });
    await gateway.dies();
    const down = await phone.next(told + 1);
    await gateway.recovers({ durationMs: 900 });
    const back = await phone.next(told + 2);
    assert.equal(back.data.tag, down.data.tag);
    assert.match(back.message, /Its network was down for 0\.9 s of that: killed by SIGKILL\./);
  });

  it('fires nothing when Home Assistant or the broker restarts', async () => {
    automation = await make({ patience: { seconds: 10 } });
    assert.deepEqual(home.complaints(), []);
    await home.restart();
    await home.waitForState(alive, 'on');
    await automation.rest();
    assert.deepEqual(home.complaints(), []);
    await broker.stop();
    await home.waitForState(alive, 'unavailable');
    await broker.start();
    await home.waitForState(alive, ({ state }) => state !== 'unavailable');
    await gateway.reconnect();
    await home.waitForState(alive, 'on');
    assert.deepEqual(await notes(), []);
  });

  it('says nothing when the device is taken away', async () => {
    await takeDeviceAway(home, broker.port, events);
    assert.deepEqual(await notes(), []);
  });

  it('leaves nothing in the log', () => {
    // What else it says is about the broker that was away.
    const ours = home.complaints().filter(line => /automation|blueprint|script|template|sockmon/.test(line));
    assert.deepEqual(ours, []);
  });
});
