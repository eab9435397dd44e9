/** The last packet of a connection, and who closes after it. */
import type { MqttClient } from 'mqtt';

/** DISCONNECT of either version (MQTT 5, 3.14: without reason and properties it is normal): no will. */
const goodBye = Buffer.from([0xe0, 0]);

/**
 * Says it and leaves the closing to the broker. MQTT.js's end() closes with the good-bye in one, and waits for every PUBACK before it.
 * @param withinMs Then we close. Resolves when the connection is closed.
 */
export function leave({ stream }: MqttClient, withinMs: number): Promise<void> {
  return new Promise(resolve => {
    if (stream.destroyed) {
      resolve();
      return;
    }
    const timer = setTimeout(() => stream.destroy(), withinMs);
    stream.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    stream.write(goodBye);
  });
}
