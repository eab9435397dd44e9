/** The gateway in a running Home Assistant: the stack of the lab dies, a person presses, brokers and houses restart. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Broker } from '../lab/broker.js';
import type { Daemon } from '../lab/daemon.js';
import { Lab } from '../lab/lab.js';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import type { Recorder } from '../lab/recorder.js';
import type { RestartScript } from '../lab/restart-script.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { HomeAssistant, type State } from './instance.js';

await becomeRoot();

interface Registered {
  readonly entity_id: string;
  readonly unique_id: string;
  readonly entity_category: string | null;
}
interface Component {
  readonly platform: string;
  readonly unique_id: string;
  readonly default_entity_id: string;
  readonly device_class?: string;
  readonly unit_of_measurement?: string;
  readonly state_class?: string;
  readonly icon?: string;
  readonly entity_category?: string;
  readonly name: string;
}

const alive = 'binary_sensor.lab_stack_alive';
const event = 'event.lab_stack_event';
const lastOutage = 'sensor.lab_last_outage';
/** What Home Assistant says of a broker that goes away, which it does here on purpose. */
const brokerGone =
  /Disconnected from MQTT server|Failed to connect to MQTT server|failed to receive on socket|The connection was lost|Connection refused/;
/** What has no state before something has happened or enough is known, or none at all. */
const stateless = /^(button|event)\.|last_outage|last_boot_reason|uptime/;

function birthsOf(recorder: Recorder): number {
  return recorder.messages.filter(
    ({ topic, payload }) => topic === 'homeassistant/status' && payload === 'online',
  ).length;
}

describe('the gateway in Home Assistant', { skip: skipWithoutLab() }, () => {
  let lab: Lab;
  let broker: Broker;
  let recorder: Recorder;
  let home: HomeAssistant;
  let script: RestartScript;
  let stub: ReturnType<typeof rebootStub>;
  let daemon: Daemon;
  let blocker: string;

  const config = () => ({
    resources: {
      // Home Assistant hears of the death before the script may go on.
      tcpip: lab.resource(script, { timeout: '60s' }),
      clock: { watch: { process: { pidfile: `/run/sockmon-test-${process.pid}.pid` } } },
    },
    reboot: rebootBy(stub),
    mqtt: { url: lab.brokerUrl(broker), suggested_area: 'Basement' },
  });
  const components = async (): Promise<Component[]> => {
    const topic = 'homeassistant/device/sockmon_lab/config';
    const message = await recorder.until('discovery', one => one.topic === topic);
    return Object.values(JSON.parse(message.payload).components);
  };
  /** Every event that the event entity has shown, by its type. */
  const shown = async (types: readonly string[]): Promise<string[]> => {
    const seen = recorder.events().map(({ event_type }) => event_type);
    return seen.filter(type => types.includes(type));
  };

  before(async () => {
    lab = await Lab.open();
    ({ broker, recorder } = await lab.startLastingBroker());
    home = await HomeAssistant.start({ mqttPort: broker.port });
    blocker = `${lab.directory}/blocker`;
    script = lab.restartScript({ first: `while [ -e '${blocker}' ]; do sleep 0.05; done` });
    stub = rebootStub(lab);
    daemon = lab.run(config());
    await daemon.watching();
  });

  after(async () => {
    await home?.stop();
    await lab?.close();
  });

  it('shows every entity under its id, with its class, unit, category and icon, and a state', async () => {
    await home.waitForState(alive, 'on');
    // Each kind of entity is set up on its own.
    for (const { default_entity_id } of await components())
      await home.waitForState(default_entity_id, () => true);
    const registered = await home.call<Registered[]>({ type: 'config/entity_registry/list' });
    for (const component of await components()) {
      const id = component.default_entity_id;
      const entry = registered.find(({ unique_id }) => unique_id === component.unique_id);
      assert.equal(entry?.entity_id, id);
      assert.equal(entry?.entity_category ?? undefined, component.entity_category, id);
      const { state, attributes } = await home.waitForState(id, one => one.state !== 'unavailable');
      if (!stateless.test(id)) assert.notEqual(state, 'unknown', id);
      for (const key of ['device_class', 'unit_of_measurement', 'state_class', 'icon'] as const)
        assert.equal(attributes[key], component[key], `${id} ${key}`);
      assert.equal(attributes.friendly_name, `lab ${component.name}`);
    }
  });

  it('is one device, in its area', async () => {
    const [devices, areas] = await Promise.all([
      home.call<{ name: string; area_id: string; manufacturer: string }[]>({
        type: 'config/device_registry/list',
      }),
      home.call<{ area_id: string; name: string }[]>({ type: 'config/area_registry/list' }),
    ]);
    const device = devices.find(({ name }) => name === 'lab');
    assert.equal(device?.manufacturer, 'sockmon');
    assert.equal(areas.find(({ area_id }) => area_id === device?.area_id)?.name, 'Basement');
  });

  it('goes off while the stack is dead, and on when it is back; the event fires once each', async () => {
    const changes = await home.subscribeEvents<{ entity_id: string; old_state: State; new_state: State }>(
      'state_changed',
    );
    writeFileSync(blocker, '');
    const kill = lab.killStack('SIGKILL');
    await home.waitForState(alive, 'off');
    rmSync(blocker);
    await home.waitForState(alive, 'on');
    const outage = await home.waitForState(
      lastOutage,
      ({ attributes }) => typeof attributes.ended_at === 'string',
    );
    await home.waitForState(event, ({ attributes }) => attributes.event_type === 'stack_recovered');

    const { began_at, ended_at, duration_s, cause, attempts, outcome } = outage.attributes;
    const beganMs = Date.parse(String(began_at));
    assert.ok(Math.abs(beganMs - kill.wallMs) < 2000, String(began_at));
    // Home Assistant shows whole seconds, rounded down.
    assert.equal(Date.parse(outage.state), Math.floor(beganMs / 1000) * 1000);
    const lasted = Date.parse(String(ended_at)) - beganMs;
    assert.ok(Math.abs(Number(duration_s) * 1000 - lasted) < 1000);
    assert.deepEqual([cause, attempts, outcome], ['killed by SIGKILL', 1, 'recovered']);
    assert.equal((await home.state('sensor.lab_last_outage_cause'))?.state, 'killed by SIGKILL');
    assert.equal((await home.waitForState('sensor.lab_outages_24h', '1')).state, '1');
    const fired = () =>
      changes
        .filter(({ data }) => data.entity_id === event)
        .map(({ data }) => data.new_state.attributes.event_type);
    await until('both events', () => fired().length >= 2);
    assert.deepEqual(fired(), ['stack_down', 'stack_recovered']);
    // An attribute of it changes as well.
    const lived = changes
      .filter(({ data }) => data.entity_id === alive && data.old_state.state !== data.new_state.state)
      .map(({ data }) => data.new_state.state);
    assert.deepEqual(lived, ['off', 'on']);
  });

  it('goes off when sockmon is killed, and on when it is there again', async () => {
    daemon.kill('SIGKILL');
    await daemon.ended;
    await home.waitForState(alive, 'off');
    await home.waitForState('sensor.lab_recovery', 'unavailable');
    daemon = lab.run(config());
    await home.waitForState(alive, 'on');
    await home.waitForState('sensor.lab_recovery', one => one.state === 'watching' || one.state === 'absent');
  });

  it('restarts a resource by its button', async () => {
    const before = script.calls().length;
    await home.callService('button', 'press', {}, { entity_id: 'button.lab_restart_tcpip' });
    await until('the script to run', () => script.calls().length > before);
    const result = (status: RegExp) =>
      recorder.until(`the result ${status}`, ({ topic, payload }) => {
        if (!topic.startsWith('sockmon/lab/result/ha-')) return false;
        return JSON.parse(payload).action === 'restart' && status.test(JSON.parse(payload).status);
      });
    await result(/^accepted$/);
    // The lab's script starts a second stack beside a living one, which fails: nothing was lost, the connection least of all.
    await result(/^failed$/);
    await recorder.until('the recovery', ({ topic, payload }) => {
      if (topic !== 'sockmon/lab/event') return false;
      const { event_type, cause } = JSON.parse(payload);
      return event_type === 'stack_recovered' && cause === 'restart commanded';
    });
    await home.waitForState(alive, 'on');
    await home.waitForState('sensor.lab_connects', '1');
  });

  it('pauses for as long as is set, and the switch goes off by itself', async () => {
    await home.callService('number', 'set_value', { value: 25 }, { entity_id: 'number.lab_pause_time' });
    await home.waitForState('number.lab_pause_time', '25');
    await home.callService('switch', 'turn_on', {}, { entity_id: 'switch.lab_pause' });
    const paused = await home.waitForState('switch.lab_pause', 'on');
    const leftMs = Date.parse(String(paused.attributes.until)) - Date.now();
    assert.ok(leftMs > 20 * 60_000 && leftMs <= 25 * 60_000, String(paused.attributes.until));
    await home.waitForState('sensor.lab_recovery', 'paused');
    await home.callService('switch', 'turn_off', {}, { entity_id: 'switch.lab_pause' });
    await home.waitForState('switch.lab_pause', 'off');

    const issued_at = new Date().toISOString();
    const short = { v: 1, id: 'a-short-pause', action: 'pause', for_s: 10, issued_at };
    await recorder.publish('sockmon/lab/cmd/run', JSON.stringify(short));
    await home.waitForState('switch.lab_pause', 'on');
    await home.waitForState('switch.lab_pause', 'off');
  });

  it('does not reboot by a retained press, and once by a pressed button', async () => {
    await recorder.publish('sockmon/lab/cmd/reboot', 'PRESS', { retain: true });
    const refused = ({ topic, payload }: { topic: string; payload: string }) =>
      topic.startsWith('sockmon/lab/result/') && JSON.parse(payload).code === 'retained';
    const refusal = await recorder.until('the refusal', refused);
    // Home Assistant shows whole seconds, rounded down.
    const isQuietOver = ({ state }: State) => Date.now() - Date.parse(state) > 11_500;
    await home.waitForState('sensor.lab_connected_since', isQuietOver);
    await home.callService('button', 'press', {}, { entity_id: 'button.lab_reboot' });
    const { payload } = await recorder.until(
      'an answer',
      ({ topic }) => topic.startsWith('sockmon/lab/result/press-') && topic !== refusal.topic,
    );
    assert.equal(JSON.parse(payload).status, 'accepted', payload);
    await until('the reboot', () => stub.calls().length > 0);
    await home.waitForState(event, ({ attributes }) => attributes.event_type === 'reboot');
    assert.equal(stub.calls().length, 1);
    assert.equal(daemon.entries('reboot_intent').length, 1);
  });

  it('fires nothing again and stays available when Home Assistant restarts', async () => {
    const before = await home.state(event);
    const events = recorder.events().length;
    const births = birthsOf(recorder);
    await home.restart();
    await home.waitForState(alive, 'on');
    await everythingAvailable();
    // Said some seconds after the start; a broker that goes away before is its own trouble.
    await until('the birth message', () => birthsOf(recorder) > births);
    assert.equal((await home.state(event))?.state, before?.state);
    assert.equal(recorder.events().length, events);
    assert.equal(stub.calls().length, 1);
    assert.deepEqual(home.complaints(), []);
  });

  it('fires nothing again and stays available when the broker restarts, also one that forgets', async () => {
    const before = await home.state(event);
    const events = (await shown(['stack_down', 'stack_recovered', 'reboot'])).length;
    const complaints = home.complaints().length;
    await broker.stop();
    rmSync(`${lab.directory}/broker/mosquitto.db`, { force: true });
    await home.waitForState(alive, 'unavailable');
    await broker.start();
    await home.waitForState(alive, 'on');
    await everythingAvailable();
    assert.equal((await home.state(event))?.state, before?.state);
    assert.equal((await shown(['stack_down', 'stack_recovered', 'reboot'])).length, events);
    assert.equal(stub.calls().length, 1);
    const others = home
      .complaints()
      .slice(complaints)
      .filter(line => !brokerGone.test(line));
    assert.deepEqual(others, []);
  });

  it('forgets a resource that is taken out of the configuration while sockmon does not run', async () => {
    assert.ok(await home.state('binary_sensor.lab_running_clock'), 'it was there');
    await daemon.stop();
    const { clock: _, ...resources } = config().resources;
    daemon = lab.run({ ...config(), resources });
    await until(
      'its entity to be gone',
      async () => (await home.state('binary_sensor.lab_running_clock')) === undefined,
    );
    await home.waitForState(alive, 'on');
  });

  const everythingAvailable = async (): Promise<void> => {
    for (const { default_entity_id } of await components())
      await home.waitForState(default_entity_id, ({ state }) => state !== 'unavailable');
  };

  it('was never a reason for Home Assistant to complain', () => {
    const about = /mqtt|discovery|sockmon/i;
    const complaints = home.complaints().filter(line => about.test(line) && !brokerGone.test(line));
    assert.deepEqual(complaints, []);
    assert.equal(existsSync(blocker), false);
  });
});
