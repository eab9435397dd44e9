/** Messages for a broker that takes only so many bytes: each has shorter forms, and the longest that it takes is told. Pure. */
import type { About, OutageView, Overview, ResourceView } from '../report/views.js';
import type { EventMessage } from './events.js';
import type { Message } from './outbox.js';
import { propertyBytes } from './packets.js';

/** At most: the fixed header, the lengths, the packet id and the heads of the properties that we send. */
const headerBytes = 20;

export function packetBytes(message: Message): number {
  const { topic, payload } = message;
  return Buffer.byteLength(topic) + Buffer.byteLength(payload) + propertyBytes(message) + headerBytes;
}

/** From the whole to the shortest, each made only when it is needed. */
type Forms = readonly (() => object)[];

/**
 * What is told becomes attributes of entities, of which Home Assistant's recorder keeps no state whose attributes have more than 16,384 bytes
 * (MAX_STATE_ATTRS_BYTES in `components/recorder/db_schema.py` of 2026.11). The rest is for what it adds itself: name, icon, class.
 */
export const attributesAtMostBytes = 15_000;

/** The longest that fits; the shortest where none does, so that its refusal is told. */
export function fitting(forms: Forms, topic: string, maximumBytes: number): string {
  let payload = '';
  for (const make of forms) {
    payload = JSON.stringify(make());
    const isTaken = packetBytes({ topic, payload, retain: true }) <= maximumBytes;
    if (isTaken && Buffer.byteLength(payload) <= attributesAtMostBytes) break;
  }
  return payload;
}

/** Words that are cut, so that nobody takes what is left for all. */
const shortChars = 120;
const shortened = { shortened: true } as const;
const someSensors = 20;

export function outageForms(view: OutageView): Forms {
  const { cause_detail: _, evidence: __, cause, ...rest } = view;
  return [
    () => view,
    () => ({ ...view, evidence: null, ...shortened }),
    () => ({ ...rest, cause: cut(cause), ...shortened }),
  ];
}

export function stateForms(view: Overview): Forms {
  const { detection, reboot, resources, problems, held } = view;
  const shorter = (count: number, chars: number) => () => ({
    ...view,
    problems: problems.slice(0, count).map(words => cut(words, chars)),
    held: held.slice(0, count),
    detection: { ...detection, notes: detection.notes.slice(0, count).map(words => cut(words, chars)) },
    resources: {
      ...resources,
      not_up: first(resources.not_up, count),
      network: first(resources.network, count),
    },
    reboot: { ...reboot, detail: cut(reboot.detail, chars) },
    ...shortened,
  });
  return [() => view, shorter(5, shortChars), shorter(1, 20)];
}

export function aboutForms(view: About): Forms {
  const { boot, connection } = view;
  const shorter = {
    ...view,
    boot: { ...boot, reason: boot.reason && cut(boot.reason) },
    connection: { ...connection, last_error: null, problem: connection.problem && cut(connection.problem) },
  };
  return [() => view, () => ({ ...shorter, ...shortened })];
}

/** As in an event, what does not apply is left out. */
export function resourceForms(view: ResourceView): Forms {
  const whole = Object.fromEntries(
    Object.entries(view).filter(([, value]) => value !== null && value !== false),
  );
  const { reason, restart, sensors } = view;
  const shorter = { reason: cut(reason), ...(restart !== null && { restart: cut(restart) }), sensors: [] };
  return [
    () => whole,
    () => ({ ...whole, sensors: sensors.slice(0, someSensors), ...shortened }),
    () => ({ ...whole, sensors: [], ...shortened }),
    () => ({ ...whole, ...shorter, ...shortened }),
  ];
}

export function eventForms(event: EventMessage): Forms {
  const { cause_detail: _, cause, detail, ...rest } = event;
  return [
    () => event,
    () => ({
      ...rest,
      ...(cause !== undefined && { cause: cut(cause) }),
      ...(detail !== undefined && { detail: cut(detail) }),
      ...shortened,
    }),
    () => ({ ...rest, ...shortened }),
  ];
}

function first<T>(record: Readonly<Record<string, T>>, count: number): Record<string, T> {
  return Object.fromEntries(Object.entries(record).slice(0, count));
}

function cut(words: string, chars: number = shortChars): string {
  return words.length <= chars ? words : `${words.slice(0, chars - 1)}…`;
}
