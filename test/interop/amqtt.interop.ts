/** amqtt, a broker that programs in Python have inside; with everything in memory, which is its default. */
import { join } from 'node:path';
import { repository } from '../lab/paths.js';
import {
  folderOf,
  forbiddenTopics,
  type Maker,
  Program,
  password,
  pinnedVersion,
  username,
} from './broker.js';
import { play } from './story.js';

async function amqtt(folder: string, port: number): Promise<Maker> {
  const program = join(repository, 'test/interop/programs/amqtt/broker.py');
  const argv = ['python3', program, String(port), username, password, ...forbiddenTopics];
  return new Program(folder, port, argv, { PYTHONPATH: join(folderOf('amqtt'), 'packages') }, 'ready');
}

await play({
  name: 'amqtt',
  setting: 'auto',
  protocol: '3.1.1',
  username,
  retainsForWildcards: true,
  retainsOverRestart: false,
  retainsWill: true,
  dots: 'kept',
  forbidden: 'swallowed',
  forbiddenWill: 'taken',
  takeOver: 'both stay',
  programs: ['python3'],
  fetched: 'amqtt',
  version: () => pinnedVersion('amqtt', 'requirements.txt', /^amqtt==(\S+)$/m),
  make: amqtt,
});
