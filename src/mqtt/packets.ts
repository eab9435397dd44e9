/** Messages as MQTT.js wants them. Pure. */
import type { Message } from './outbox.js';
import type { Protocol } from './version.js';

/** The user property of status and will: docs/MQTT.md. */
const sessionName = 'session';

export function willOf(will: Message, protocol: Protocol) {
  const { topic, payload, retain } = will;
  return { topic, payload: Buffer.from(payload), qos: 1 as const, retain, ...propertiesOf(will, protocol) };
}

/** Bytes of the properties, but for their heads. */
export function propertyBytes({ correlationData, session }: Message): number {
  return (correlationData?.length ?? 0) + (session === undefined ? 0 : sessionName.length + session.length);
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
