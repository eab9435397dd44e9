/**
 * What stands on our discovery topic and is not from this start of sockmon: an earlier one's message, which names entities that the journal
 * may have lost, or the empty one by which Home Assistant deletes the device. Lives as long as the reporter. Pure.
 */
import { type Platform, platforms } from '../homeassistant/entity.js';

/** Some brokers hang up at a subscription that the user has no right to: then the topic is left alone. */
const maxUnanswered = 2;

export type Heard =
  /** Somebody has deleted the device. */
  | { readonly what: 'deleted' }
  /** Entities of an earlier message, by key. */
  | { readonly what: 'entities'; readonly entities: ReadonlyMap<string, Platform> }
  /** Our own, or nobody's. */
  | { readonly what: 'nothing' };

const nothing: Heard = { what: 'nothing' };

export class DiscoveryTopic {
  #isDeleted = false;
  #unanswered = 0;
  #isRead = false;
  #isEmptied = false;
  #wasTold = false;

  /** An earlier sockmon has announced the device in one message, whatever the journal knows of it. */
  get wasTold(): boolean {
    return this.#wasTold;
  }

  /** Deleted since this start: it is not announced until the next one. */
  get isDeleted(): boolean {
    return this.#isDeleted;
  }

  /**
   * How a new connection shall subscribe. `read`: what is stored there is wanted too, before it is overwritten. `listen`: only what comes from
   * now on, since what is stored there is ours. `leave`: not at all.
   */
  asking(): 'read' | 'listen' | 'leave' {
    if (this.#unanswered >= maxUnanswered) return 'leave';
    this.#unanswered += 1;
    return this.#isRead ? 'listen' : 'read';
  }

  /** The broker has granted the subscription or refused it. */
  answered(): void {
    this.#unanswered = 0;
  }

  /** It is asked once more, whatever it has not answered. */
  mayAnswer(): void {
    this.#unanswered = 0;
  }

  /** What was stored has been heard, or there was nothing. */
  read(): void {
    this.#isRead = true;
  }

  /** By ourselves: each entity has a topic of its own now. 3.1.1 lets everybody hear what he says. */
  willBeEmptied(): void {
    this.#isEmptied = true;
  }

  /** @param stored The broker had it before the subscription. */
  heard(payload: string, stored: boolean): Heard {
    if (payload === '') {
      if (this.#isDeleted || this.#isEmptied) return nothing;
      this.#isDeleted = true;
      return { what: 'deleted' };
    }
    if (!stored) return nothing;
    const entities = entitiesIn(payload);
    if (entities.size === 0) return nothing;
    this.#wasTold = true;
    return { what: 'entities', entities };
  }
}

/** Of a message of sockmon's, whichever version wrote it. What stands there only to be removed is not counted. */
export function entitiesIn(payload: string): Map<string, Platform> {
  const found = new Map<string, Platform>();
  const message = objectIn(payload);
  if (message === null || !isObject(message.origin) || message.origin.name !== 'sockmon') return found;
  if (!isObject(message.components)) return found;
  for (const [key, component] of Object.entries(message.components)) {
    if (!isObject(component) || component.unique_id === undefined) continue;
    const platform = platforms.find(known => known === component.platform);
    if (platform !== undefined && /^[\w-]+$/.test(key)) found.set(key, platform);
  }
  return found;
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    // SyntaxError: no JSON, so it is not ours.
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
