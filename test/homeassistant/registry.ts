/** What Home Assistant keeps of an entity beside its state: its id, and what the owner has chosen. */
import { until } from '../lab/wait.js';
import type { HomeAssistant } from './instance.js';

export interface Registered {
  /** Of Home Assistant's own; another one is another entity, though it had the same entity id. */
  readonly id: string;
  readonly entity_id: string;
  readonly unique_id: string;
  readonly device_id: string;
  readonly name: string | null;
  readonly icon: string | null;
  readonly disabled_by: string | null;
  readonly hidden_by: string | null;
}

export interface Device {
  readonly id: string;
  readonly name: string;
  readonly name_by_user: string | null;
  readonly area_id: string | null;
  readonly config_entries: readonly string[];
}

export async function devices(home: HomeAssistant): Promise<Device[]> {
  return home.call({ type: 'config/device_registry/list' });
}

/** Of a gateway's entities, by their unique ids. */
export async function registered(home: HomeAssistant, node: string): Promise<Map<string, Registered>> {
  const all = await home.call<Registered[]>({ type: 'config/entity_registry/list' });
  const ours = all.filter(({ unique_id }) => String(unique_id).startsWith(`sockmon_${node}_`));
  return new Map(ours.map(entry => [entry.unique_id, entry]));
}

export function untilGone(home: HomeAssistant, entity: string): Promise<true> {
  const isGone = async () => (await home.state(entity)) === undefined;
  return until(`${entity} to be gone`, isGone, { pollMs: 50, context: () => home.log() });
}

/** As the owner does on the device's page. */
export async function deleteDevice(home: HomeAssistant, name: string): Promise<void> {
  const device = (await devices(home)).find(one => one.name === name);
  const device_id = device?.id;
  const config_entry_id = device?.config_entries[0];
  // The command of 2025 is deprecated since, with a warning.
  await home.call(
    home.release.startsWith('2025.')
      ? { type: 'config/device_registry/remove_config_entry', device_id, config_entry_id }
      : { type: 'config/device_registry/remove', device_id },
  );
}
