/** The device as a whole in a running Home Assistant: what may be pressed, what is taken out, deleted and given another name. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import type { Broker } from '../lab/broker.js';
import type { Daemon } from '../lab/daemon.js';
import { type ConfigFile, Lab } from '../lab/lab.js';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import type { Message, Recorder } from '../lab/recorder.js';
import type { RestartScript } from '../lab/restart-script.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { HomeAssistant, type State } from './instance.js';
import { deleteDevice, devices, type Registered, registered, untilGone } from './registry.js';

await becomeRoot();

const alive = 'binary_sensor.lab_stack_alive';
const event = 'event.lab_stack_event';
const reboot = 'button.lab_reboot';
const discovery = 'homeassistant/device/sockmon_lab/config';
/** HA's own: it sends the empty message once per entity, and finds the device gone at the second. */
const deleting = /mqtt.*(discovery|device)/i;

describe('the device in Home Assistant', { skip: skipWithoutLab() }, () => {
  let lab: Lab;
  let broker: Broker;
  let recorder: Recorder;
  let home: HomeAssistant;
  let script: RestartScript;
  let stub: ReturnType<typeof rebootStub>;
  let daemon: Daemon;
  let owned: Map<string, Registered>;

  const config = (more: ConfigFile = {}): ConfigFile => ({
    resources: {
      tcpip: lab.resource(script),
      clock: { watch: { process: { pidfile: `/run/sockmon-test-${process.pid}.pid` } } },
    },
    mqtt: { url: lab.brokerUrl(broker) },
    ...more,
  });
  const start = async (more?: ConfigFile) => {
    daemon = lab.run(config(more));
    await daemon.watching();
  };
  const press = () => home.callService('button', 'press', {}, { entity_id: reboot });
  const refusedBy = (words: RegExp) =>
    home.waitForState(event, ({ attributes }) => {
      return attributes.event_type === 'reboot_refused' && words.test(String(attributes.detail));
    });
  const heard = (matches: (message: Message) => boolean) => recorder.messages.filter(matches).length;
  const states = () => heard(({ topic }) => topic === 'sockmon/lab/state');
  const connects = async () => Number((await home.state('sensor.lab_connects'))?.state);

  before(async () => {
    lab = await Lab.open();
    ({ broker, recorder } = await lab.startLastingBroker());
    home = await HomeAssistant.start({ mqttPort: broker.port });
    script = lab.restartScript();
    stub = rebootStub(lab);
    await start();
  });

  after(async () => {
    await home?.stop();
    await lab?.close();
  });

  it('says why when Reboot is pressed and nothing happens: so soon after the connection, and while it is not allowed', async () => {
    await home.waitForState(alive, 'on');
    owned = await registered(home, 'lab');
    await press();
    await refusedBy(/press again/);
    const isQuietOver = ({ state }: State) => Date.now() - Date.parse(state) > 11_500;
    await home.waitForState('sensor.lab_connected_since', isQuietOver);
    await press();
    await refusedBy(/rebooting is off; set reboot.allowed/);
    // Blueprints take a gateway for out of reach without it.
    assert.notEqual((await home.state(reboot))?.state, 'unavailable');
  });

  it('says so as well when the guard refuses, and nothing of the kind when it reboots', async () => {
    lab.writeConfig(config({ reboot: rebootBy(stub) }));
    daemon.kill('SIGHUP');
    await home.waitForState('sensor.lab_reboots_left', '3');
    await home.callService('switch', 'turn_on', {}, { entity_id: 'switch.lab_pause' });
    await home.waitForState('switch.lab_pause', 'on');
    await press();
    await refusedBy(/recovery is paused/);
    await home.callService('button', 'press', {}, { entity_id: 'button.lab_restart_tcpip' });
    const restart = await home.waitForState(event, one => one.attributes.event_type === 'restart_refused');
    assert.equal(restart.attributes.resource, 'tcpip');
    assert.equal(stub.calls().length, 0);
    await home.callService('switch', 'turn_off', {}, { entity_id: 'switch.lab_pause' });
    await home.waitForState('switch.lab_pause', 'off');
    const refusals = () =>
      recorder.events().filter(({ event_type }) => event_type === 'reboot_refused').length;
    const before = refusals();
    await press();
    await home.waitForState(event, ({ attributes }) => attributes.event_type === 'reboot');
    await until('the reboot', () => stub.calls().length === 1);
    assert.equal(refusals(), before);
  });

  it('loses what is taken out of the configuration, although the journal is lost as well', async () => {
    assert.ok(await home.state('binary_sensor.lab_running_clock'), 'it was there');
    await daemon.stop();
    rmSync(lab.stateDir, { recursive: true });
    const { clock: _, ...resources } = config().resources as Record<string, unknown>;
    await start({ resources });
    await untilGone(home, 'binary_sensor.lab_running_clock');
    await home.waitForState(alive, 'on');
    const now = await registered(home, 'lab');
    assert.equal(now.has('sockmon_lab_running_clock'), false);
    for (const [unique, { id }] of owned)
      if (!/clock/.test(unique)) assert.equal(now.get(unique)?.id, id, unique);
    assert.doesNotMatch(daemon.log, /deleted the device/);
  });

  it('has given Home Assistant nothing to complain about', () => {
    assert.deepEqual(home.complaints(), []);
  });

  it('stays away when it is deleted there: over a restart of Home Assistant and a new connection', async () => {
    await deleteDevice(home, 'lab');
    await untilGone(home, alive);
    await daemon.until('sockmon to know', () => /deleted the device/.test(daemon.log));
    const announced = () => heard(({ topic, payload }) => topic === discovery && payload !== '');
    const before = announced();
    const told = states();
    await home.restart();
    // Discovery would come first, then the state.
    await until('the answer to the birth message', () => states() > told, { deadlineMs: 60_000 });
    lab.killStack('SIGKILL');
    await recorder.event('stack_recovered');
    await until('a new connection to be told', () =>
      recorder.messages.some(
        ({ topic, payload }) => topic === 'sockmon/lab/about' && JSON.parse(payload).connection.connects > 1,
      ),
    );
    assert.equal(announced(), before);
    assert.equal(await home.state(alive), undefined);
    assert.equal(
      (await devices(home)).find(({ name }) => name === 'lab'),
      undefined,
    );
  });

  it('is back under the same ids when sockmon is started again', async () => {
    await daemon.stop();
    await start();
    await home.waitForState(alive, 'on');
    for (const { entity_id } of owned.values()) await home.waitForState(entity_id, () => true);
    const now = await registered(home, 'lab');
    for (const [unique, { entity_id }] of owned) assert.equal(now.get(unique)?.entity_id, entity_id);
    assert.ok((await connects()) > 0);
  });

  it('can be taken away under its former name while sockmon runs under another', async () => {
    await daemon.stop();
    await home.waitForState(alive, 'off');
    await start({ node: 'attic' });
    await home.waitForState('binary_sensor.attic_stack_alive', 'on');
    await daemon.until('the command to be named', () => /--remove --node lab/.test(daemon.log));
    const file = `${lab.directory}/sockmon.yaml`;
    const refused = await lab.start(['discovery', '--config', file, '--remove']).ended;
    assert.notEqual(refused.code, 0);
    const removed = await lab.start(['discovery', '--config', file, '--remove', '--node', 'lab']).ended;
    assert.equal(removed.code, 0, daemon.log);
    await untilGone(home, alive);
    assert.equal((await registered(home, 'lab')).size, 0);
    assert.equal((await home.state('binary_sensor.attic_stack_alive'))?.state, 'on');
    await daemon.stop();
    await start({ node: 'attic' });
    assert.equal(daemon.log.match(/--remove --node lab/g)?.length, 1, 'said once');
  });

  it('has given it nothing to complain about but its own deleting', () => {
    const others = home.complaints().filter(line => !deleting.test(line));
    assert.deepEqual(others, []);
  });
});
