/** Messages as MQTT.js wants them, and as long as they will be. Pure. */
import type { Message } from './outbox.js';
import type { Protocol } from './version.js';

/** At most: the fixed header, the lengths, the packet id and the heads of the properties that we send. */
const headerBytes = 20;
/** The user property of status and will: docs/MQTT.md. */
const sessionName = 'session';

export function willOf(will: Message, protocol: Protocol) {
  const { topic, payload, retain } = will;
  return { topic, payload: Buffer.from(payload), qos: 1 as const, retain, ...propertiesOf(will, protocol) };
}

export function packetBytes({ topic, payload, correlationData, session }: Message): number {
  const sessionBytes = session === undefined ? 0 : sessionName.length + session.length;
  return Buffer.byteLength(topic + payload) + (correlationData?.length ?? 0) + sessionBytes + headerBytes;
}

export function propertiesOf({ expiryS, correlationData, session }: Message, protocol: Protocol) {
  if (protocol === 4) return {};
  return {
    properties: {
      ...(expiryS !== undefined && { messageExpiryInterval: expiryS }),
      ...(correlationData !== undefined && { correlationData }),
      // Of a will's properties every broker seen keeps these.
      ...(session !== undefined && { userProperties: { [sessionName]: session } }),
    },
  };
}
