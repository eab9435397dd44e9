/** What an entity is, and what the table's parts share. Pure. */
import type { WatchedView } from '../report/views.js';

export const platforms = ['binary_sensor', 'sensor', 'event', 'button', 'switch', 'number'] as const;
export type Platform = (typeof platforms)[number];

/** What the table is made from. */
export type Watched = WatchedView;

export interface EntityTopics {
  readonly status: string;
  readonly state: string;
  readonly about: string;
  resource(id: string): string;
  readonly event: string;
  readonly lastOutage: string;
  readonly reboot: string;
  readonly run: string;
}

export interface Entity {
  /** Unique within the node. */
  readonly key: string;
  readonly platform: Platform;
  /** Without the device's: Home Assistant puts that in front. */
  readonly name: string;
  /** A sentence for docs/ENTITIES.md. */
  readonly about: string;
  /**
   * Whether it is unavailable while the node is offline. Facts about the past are not: they stay true; nor is the entity that
   * says whether the node lives, which would show `unavailable` in place of `off`.
   */
  readonly needsNode: boolean;
  readonly options: Readonly<Record<string, unknown>>;
}

export interface EntityContext {
  readonly topics: EntityTopics;
  readonly eventTypes: readonly string[];
  /** What the reboot button sends. */
  readonly press: string;
}

/** Home Assistant refuses longer states. */
const maxStateChars = 255;

/** null renders as `None`, which Home Assistant shows as unknown. */
export function shortText(field: string): string {
  return `{{ ${field}[:${maxStateChars}] if ${field} else none }}`;
}

/** A sensor that reads one field of a topic. */
export function fieldSensor(
  topic: string,
  key: string,
  name: string,
  about: string,
  template: string,
  options: Entity['options'],
  needsNode = true,
): Entity {
  const common = { state_topic: topic, value_template: template };
  return { key, platform: 'sensor', name, about, needsNode, options: { ...common, ...options } };
}

/**
 * An id that no other press has; a time, since a command without one is refused. Home Assistant allows no range above
 * 100,000, and NATS before 2.10 no dot in the topic of the result.
 */
const stamp = `"v":1,"id":"ha-{{ (now().timestamp() * 1000) | int }}-{{ range(10000, 99999) | random }}","issued_at":"{{ now().isoformat() }}"`;

/** A command for `…/cmd/run` as a template. @param fields JSON members, may hold templates. */
export function commandTemplate(fields: string): string {
  return `{${stamp},${fields}}`;
}
