/** What of ours stays at the broker. Pure. */
import type { RecordOf } from './records.js';

/** What stays at the broker until it is taken away. */
export interface Announced {
  /** Home Assistant's entities, as `key platform`. */
  readonly entities: readonly string[];
  /** Each on a topic of its own, where the broker takes no message for the whole device. */
  readonly each: boolean;
  /** Resources that have a topic. */
  readonly resources: readonly string[];
  /** The device's discovery topic; null = not known, or nothing has ever been announced. */
  readonly topic: string | null;
}

export const nothingAnnounced: Announced = { entities: [], each: false, resources: [], topic: null };

export function announcedIn(entry: RecordOf<'announced'>): Announced {
  const { entities, each = false, resources = [], topic = null } = entry;
  return { entities, each, resources, topic };
}
