/**
 * An installation of sockmon 0.1.0 that somebody has made his own, and this build on the same journal: installation-0.1.0.json is what that
 * build had told the broker and written into its journal, an outage among it, two days before.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { JournalEntry } from '../../src/core/records.js';
import { encodeLine } from '../../src/journal/lines.js';
import type { Daemon } from '../lab/daemon.js';
import { Lab } from '../lab/lab.js';
import { repository } from '../lab/paths.js';
import type { Recorder } from '../lab/recorder.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { HomeAssistant, type State } from './instance.js';
import { devices, type Registered, registered } from './registry.js';

await becomeRoot();

interface Component {
  readonly unique_id: string;
  readonly default_entity_id: string;
}
interface Installation {
  readonly retained: Readonly<Record<string, unknown>>;
  readonly journal: readonly JournalEntry[];
}

const file = join(repository, 'test', 'homeassistant', 'installation-0.1.0.json');
const old: Installation = JSON.parse(readFileSync(file, 'utf8'));
const discovery = 'homeassistant/device/sockmon_lab/config';
const oldComponents = Object.values(
  (old.retained[discovery] as { components: Record<string, Component> }).components,
);

const status = 'sockmon/lab/status';
const alive = 'binary_sensor.the_house_is_online';
const event = 'event.lab_stack_event';
/** Nobody has pressed it. */
const pressless = /^button\./;

describe('an upgrade from 0.1.0', { skip: skipWithoutLab() }, () => {
  let lab: Lab;
  let recorder: Recorder;
  let home: HomeAssistant;
  let daemon: Daemon;
  let port: number;
  let entries: Map<string, Registered>;
  let device: string | undefined;

  const retain = (topic: string, message: unknown) => {
    const payload = typeof message === 'string' ? message : JSON.stringify(message);
    return recorder.publish(topic, payload, { retain: true });
  };
  const update = (entity_id: string, changes: object) =>
    home.call({ type: 'config/entity_registry/update', entity_id, ...changes });
  /** The values that an entity has had, in their order. A change of the entity itself repeats the last one. */
  const history = async (entity: string): Promise<string[]> => {
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const path = `/api/history/period/${since}?filter_entity_id=${entity}`;
    const [states = []] = await home.rest<State[][]>('GET', path);
    const values = states.map(({ state }) => state).filter(state => !/^un(available|known)$/.test(state));
    return values.filter((value, i) => value !== values[i - 1]);
  };
  /** Every entity of the old build that is switched on has a value. */
  const allHaveValues = async () => {
    for (const { entity_id, disabled_by } of entries.values()) {
      if (disabled_by !== null || pressless.test(entity_id)) continue;
      await home.waitForState(entity_id, ({ state }) => state !== 'unknown' && state !== 'unavailable');
    }
  };

  before(async () => {
    lab = await Lab.open();
    const started = await lab.startLastingBroker();
    ({ recorder } = started);
    ({ port } = started.broker);
    home = await HomeAssistant.start({ mqttPort: port });
    for (const [topic, message] of Object.entries(old.retained)) await retain(topic, message);
  });

  after(async () => {
    await home?.stop();
    await lab?.close();
  });

  it('finds entities that somebody has renamed, switched off, hidden and moved', async () => {
    for (const { default_entity_id } of oldComponents) await home.waitForState(default_entity_id, () => true);
    await home.waitForState('binary_sensor.lab_stack_alive', 'on');
    const fired = { event_type: 'service_down', seq: 1, at: '2026-11-28T09:11:33.266Z', resource: 'clock' };
    await recorder.publish('sockmon/lab/event', JSON.stringify(fired));
    await home.waitForState(event, ({ attributes }) => attributes.event_type === 'service_down');
    await update('binary_sensor.lab_stack_alive', { new_entity_id: alive, name: 'The house is online' });
    await update('sensor.lab_connects', { disabled_by: 'user' });
    await update('sensor.lab_last_outage_cause', { hidden_by: 'user', icon: 'mdi:skull' });
    await update('button.lab_restart_clock', { name: 'Wind the clock' });
    device = (await devices(home)).find(({ name }) => name === 'lab')?.id;
    await home.call({
      ...{ type: 'config/device_registry/update', device_id: device },
      name_by_user: 'Cellar',
    });
    await home.waitForState(alive, 'on');
    entries = await registered(home, 'lab');
    assert.equal(entries.size, oldComponents.length);
    await until('the beginning of a history', async () => (await history(alive)).includes('on'));
  });

  it('keeps their ids and all that was chosen when this build starts on the old journal', async () => {
    await retain(status, 'offline');
    await home.waitForState(alive, 'off');
    mkdirSync(lab.stateDir, { recursive: true });
    writeFileSync(join(lab.stateDir, 'journal'), old.journal.map(encodeLine).join(''));
    daemon = lab.run({
      resources: {
        tcpip: lab.resource(lab.restartScript()),
        clock: {
          watch: { process: { pidfile: `/run/sockmon-test-${process.pid}.pid` } },
          restart: '/bin/true',
        },
      },
      mqtt: { url: `mqtt://10.0.2.2:${port}`, suggested_area: 'Attic' },
    });
    await daemon.watching();
    await home.waitForState(alive, 'on');
    await home.waitForState('sensor.lab_recovery', 'absent');
    await until('the new entities', async () => {
      const now = await registered(home, 'lab');
      return [...now.values()].every(async ({ entity_id }) => (await home.state(entity_id)) !== undefined);
    });
    const now = await registered(home, 'lab');
    for (const [unique, entry] of entries) {
      const { id, entity_id, device_id, name, icon, disabled_by, hidden_by } = entry;
      const kept = now.get(unique);
      const expected = { id, entity_id, device_id, name, icon, disabled_by, hidden_by };
      assert.deepEqual(kept && { ...expected, ...pick(kept, Object.keys(expected)) }, expected, unique);
    }
    // A second entity beside an old one would have a number at its end.
    for (const { entity_id, unique_id } of now.values())
      if (!entries.has(unique_id)) assert.doesNotMatch(entity_id, /_\d+$/);
    const [ours, ...others] = (await devices(home)).filter(({ name }) => /^(lab|Cellar)$/.test(name));
    assert.deepEqual([ours?.id, ours?.name_by_user, others], [device, 'Cellar', []]);
  });

  it('has a value for each of them, and goes on with its history and its counters', async () => {
    await allHaveValues();
    assert.equal((await home.state('sensor.lab_outages_total'))?.state, '1');
    assert.equal((await home.state('sensor.lab_last_outage_cause'))?.state, 'killed by SIGKILL');
    assert.equal((await home.state(event))?.attributes.event_type, 'service_down');
    let seen: string[] = [];
    const isWhole = async () => {
      seen = await history(alive);
      return /^on,off,on$/.test(seen.join());
    };
    await until('on, off and on again', isWhole, { context: () => seen.join() });
  });

  it('goes on after a restart of Home Assistant', async () => {
    await home.restart();
    await home.waitForState(alive, 'on');
    await allHaveValues();
    const now = await registered(home, 'lab');
    for (const [unique, { entity_id }] of entries) assert.equal(now.get(unique)?.entity_id, entity_id);
  });

  it('is nothing that Home Assistant would complain about', () => {
    assert.deepEqual(home.complaints(), []);
  });
});

function pick(from: object, keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(from).filter(([key]) => keys.includes(key)));
}
