/** moquette, which openHAB brings along. Its data lie in a folder. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  forbiddenTopics,
  javaCommand,
  type Maker,
  Program,
  password,
  pinnedVersion,
  username,
} from './broker.js';
import { play } from './story.js';

/** Its own limit is 8,092 bytes a packet, and discovery has 13 kB: what becomes of that is in test/mqtt/hang-ups.test.ts. */
const settings = ['netty.mqtt.message_size=65536'];

async function moquette(folder: string, port: number): Promise<Maker> {
  const data = join(folder, 'data');
  mkdirSync(data);
  const arguments_ = [String(port), data, username, password, ...forbiddenTopics, ...settings];
  return new Program(folder, port, [...javaCommand('moquette'), ...arguments_], {}, 'ready');
}

await play({
  name: 'moquette',
  setting: 'auto',
  protocol: '3.1.1',
  username,
  retainsForWildcards: true,
  retainsOverRestart: true,
  retainsWill: false,
  dots: 'kept',
  forbidden: 'never acknowledged',
  forbiddenWill: 'taken',
  takeOver: 'hangs up',
  programs: ['java'],
  fetched: 'moquette',
  version: () => pinnedVersion('moquette', 'pom.xml', /<artifactId>moquette-broker<.*\s+<version>([^<]+)/),
  make: moquette,
});
