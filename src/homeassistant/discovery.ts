/** Home Assistant's device discovery: one retained message for all entities of a node (Home Assistant 2025.10 or newer). Pure. */

import { entitiesOf } from './entities.js';
import type { Entity, EntityContext, Platform, Watched } from './entity.js';
import { slug } from './slug.js';

export interface DiscoveryInput extends EntityContext {
  readonly node: string;
  readonly version: string;
  readonly watched: readonly Watched[];
  /** Where Home Assistant puts the device when it meets it first; null = nowhere. */
  readonly area?: string | null;
  /** Entities told before that are gone now: leaving one out does not remove it. */
  readonly gone?: ReadonlyMap<string, Platform>;
}

type Component = Readonly<Record<string, unknown>>;

export interface Discovery {
  readonly device: Readonly<Record<string, unknown>>;
  readonly origin: Readonly<Record<string, unknown>>;
  readonly components: Readonly<Record<string, Component>>;
}

export function discoveryOf(input: DiscoveryInput): Discovery {
  const entities = entitiesOf(input.watched, input);
  const removals = [...(input.gone ?? [])].map(([key, platform]) => [key, { platform }] as const);
  return {
    device: {
      identifiers: [`sockmon_${input.node}`],
      name: input.node,
      manufacturer: 'sockmon',
      model: 'Linux gateway',
      sw_version: input.version,
      ...(input.area ? { suggested_area: input.area } : {}),
    },
    origin: { name: 'sockmon', sw_version: input.version },
    components: Object.fromEntries([
      ...removals,
      ...entities.map(entity => [entity.key, componentOf(entity, input)] as const),
    ]),
  };
}

/** The entities of a table by key: what a later discovery must remove if it has them no more. */
export function platformsOf(watched: readonly Watched[], context: EntityContext): Map<string, Platform> {
  return new Map(entitiesOf(watched, context).map(entity => [entity.key, entity.platform]));
}

function componentOf(entity: Entity, { node, topics }: DiscoveryInput): Component {
  return {
    platform: entity.platform,
    unique_id: `sockmon_${node}_${entity.key}`,
    default_entity_id: `${entity.platform}.${slug(`${node}_${idKey(entity)}`)}`,
    name: entity.name,
    ...entity.options,
    ...(entity.needsNode ? { availability: availabilityOf(topics.status) } : {}),
    // At the root, qos is silently ignored by some versions.
    qos: 1,
  };
}

/** `recovering` is available: only the will says that nobody is there. */
function availabilityOf(statusTopic: string): readonly Component[] {
  return [
    {
      topic: statusTopic,
      value_template: "{{ 'offline' if value == 'offline' else 'online' }}",
      payload_available: 'online',
      payload_not_available: 'offline',
    },
  ];
}

function idKey({ key }: Entity): string {
  return key === 'alive' ? 'stack_alive' : key === 'event' ? 'stack_event' : key;
}
