/** NATS with JetStream, which has MQTT's levels as its own: `sockmon/lab` is its `sockmon.lab`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../mqtt/mosquitto.js';
import { forbiddenTopics, type Maker, Program, password, username, versionOf, withSbin } from './broker.js';
import { play } from './story.js';

async function nats(folder: string, port: number): Promise<Maker> {
  const file = join(folder, 'nats.conf');
  const deny = forbiddenTopics.map(topic => topic.replaceAll('/', '.'));
  // JSON is a part of its configuration's language. MQTT needs JetStream, and that a name for the server.
  const configuration = {
    server_name: 'sockmon-test',
    listen: `127.0.0.1:${await freePort()}`,
    jetstream: { store_dir: join(folder, 'jetstream') },
    mqtt: { listen: `127.0.0.1:${port}` },
    authorization: { users: [{ user: username, password, permissions: { publish: { deny } } }] },
  };
  writeFileSync(file, JSON.stringify(configuration));
  return new Program(folder, port, ['nats-server', '-c', file], withSbin());
}

await play({
  name: 'NATS with JetStream',
  setting: 'auto',
  protocol: '3.1.1',
  username,
  retainsForWildcards: true,
  retainsOverRestart: true,
  retainsWill: true,
  dots: 'hangs up',
  forbidden: 'swallowed',
  forbiddenWill: 'taken',
  takeOver: 'hangs up',
  programs: ['nats-server'],
  version: () => versionOf(['nats-server', '--version']),
  make: nats,
});
