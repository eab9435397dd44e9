/**
 * mqtt-packet, which mqtt.js writes its packets with, makes a Buffer of each of the 65,536 packet identifiers at the first packet: 6.3 MB of
 * the heap for as long as the process lives (mqtt-packet 9.0.2, README: cacheNumbers). A gateway sends some packets a minute.
 */
import { createRequire } from 'node:module';

interface MqttPacket {
  readonly writeToStream: { cacheNumbers: boolean };
}

/** To be called before the first packet. */
export function doWithoutNumberCache(): void {
  // The very module that mqtt.js uses, wherever it is installed.
  const ofMqtt = createRequire(createRequire(import.meta.url).resolve('mqtt'));
  const { writeToStream } = ofMqtt('mqtt-packet') as MqttPacket;
  writeToStream.cacheNumbers = false;
}
