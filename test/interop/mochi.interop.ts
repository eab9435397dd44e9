/** mochi, a broker that programs in Go have inside; with everything in memory, which is its default. */
import { join } from 'node:path';
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

async function mochi(folder: string, port: number): Promise<Maker> {
  const program = join(folderOf('mochi'), 'broker');
  return new Program(
    folder,
    port,
    [program, String(port), username, password, ...forbiddenTopics],
    {},
    'ready',
  );
}

await play({
  name: 'mochi',
  setting: 'auto',
  protocol: '5',
  username,
  retainsForWildcards: true,
  retainsOverRestart: false,
  retainsWill: true,
  dots: 'kept',
  forbidden: 'said',
  forbiddenWill: 'taken',
  takeOver: 'said',
  programs: [],
  fetched: 'mochi',
  version: () => pinnedVersion('mochi', 'go.mod', /mochi-mqtt\/server\/v2 v(\S+)/),
  make: mochi,
});
