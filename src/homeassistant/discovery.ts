/**
 * Home Assistant's discovery (2025.10 or newer): one retained message for all entities of a node or, where a broker takes no message of that
 * size, one for each. To Home Assistant an entity is the same in both: the node and its key are its discovery id. Pure.
 */

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
    device: deviceOf(input),
    origin: originOf(input),
    components: Object.fromEntries([
      ...removals,
      ...entities.map(entity => {
        const { key, platform } = entity;
        return [key, { platform, ...componentOf(entity, input) }] as const;
      }),
    ]),
  };
}

interface EntityDiscovery {
  readonly key: string;
  readonly platform: Platform;
  readonly payload: Component;
}

/** For topics `PREFIX/PLATFORM/sockmon_NODE/KEY/config`. What is gone is taken away by an empty message there. */
export function* entityDiscoveryOf(input: DiscoveryInput): Iterable<EntityDiscovery> {
  const device = deviceOf(input);
  const origin = originOf(input);
  for (const entity of entitiesOf(input.watched, input)) {
    const { key, platform } = entity;
    yield { key, platform, payload: { ...componentOf(entity, input), device, origin } };
  }
}

/** Lets an entity go to another discovery topic with its history: Home Assistant unloads it, and waits for the other one. */
export const migration = JSON.stringify({ migrate_discovery: true });

function deviceOf({ node, version, area }: DiscoveryInput): Component {
  return {
    identifiers: [`sockmon_${node}`],
    name: node,
    manufacturer: 'sockmon',
    model: 'Linux gateway',
    sw_version: version,
    ...(area ? { suggested_area: area } : {}),
  };
}

function originOf({ version }: DiscoveryInput): Component {
  return { name: 'sockmon', sw_version: version };
}

/** The entities of a table by key: what a later discovery must remove if it has them no more. */
export function platformsOf(watched: readonly Watched[], context: EntityContext): Map<string, Platform> {
  return new Map(entitiesOf(watched, context).map(entity => [entity.key, entity.platform]));
}

function componentOf(entity: Entity, { node, topics }: DiscoveryInput): Component {
  return {
    unique_id: `sockmon_${node}_${entity.key}`,
    default_entity_id: entityIdOf(entity, node),
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

/** As it is before its owner changes it. */
function entityIdOf(entity: Entity, node: string): string {
  return `${entity.platform}.${slug(`${node}_${idKey(entity)}`)}`;
}

function idKey({ key }: Entity): string {
  return key === 'alive' ? 'stack_alive' : key === 'event' ? 'stack_event' : key;
}
