/**
 * Lets every PUBACK through, whatever its reason code is. MQTT.js drops one whose code the specification does not list (mqtt-packet 9,
 * _parseConfirmation), and mochi 2.7.9 sends 0x01 for a publish with user properties, as our status is: it would seem never acknowledged.
 * What a code means is said by acknowledgementOf.
 */
import { createRequire } from 'node:module';

interface Constants {
  /** Words by code. */
  readonly MQTT5_PUBACK_PUBREC_CODES: Record<number, string>;
}

/** To be called once, before anything is read. */
export function takeEveryAcknowledgement(): void {
  const ofMqttJs = createRequire(createRequire(import.meta.url).resolve('mqtt'));
  const { MQTT5_PUBACK_PUBREC_CODES: known } = ofMqttJs('mqtt-packet/constants') as Constants;
  for (let code = 0; code <= 0xff; code++) known[code] ??= 'unlisted';
}
