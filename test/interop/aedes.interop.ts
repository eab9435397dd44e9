/** The built-in broker: everybody on loopback may come, and do everything. */
import { readFileSync } from 'node:fs';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../src/mqtt/embedded-broker.js';
import { repository } from '../lab/paths.js';
import type { Maker } from './broker.js';
import { play } from './story.js';

async function aedes(_folder: string, port: number): Promise<Maker> {
  let running: EmbeddedBroker | null = null;
  return {
    async start() {
      running = await startEmbeddedBroker({ host: '127.0.0.1', port });
    },
    async stop() {
      await running?.stop();
      running = null;
    },
  };
}

await play({
  name: 'the built-in broker (aedes)',
  setting: 'auto',
  protocol: '3.1.1',
  username: null,
  retainsForWildcards: true,
  retainsOverRestart: false,
  retainsWill: true,
  dots: 'kept',
  forbidden: null,
  forbiddenWill: 'taken',
  takeOver: 'hangs up',
  programs: [],
  version: () => JSON.parse(readFileSync(`${repository}node_modules/aedes/package.json`, 'utf8')).version,
  make: aedes,
});
