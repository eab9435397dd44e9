/** Where mosquitto is not installed: a broker in the demo's own process, which sees every message itself. */
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { bootTimeMs } from '../test/lab/paths.js';
import type { Message } from '../test/lab/recorder.js';
import { until } from '../test/lab/wait.js';
import type { Elapsed } from './story.js';

export interface EmbeddedBroker extends Elapsed {
  close(): Promise<void>;
}

export async function startEmbeddedBroker(): Promise<EmbeddedBroker> {
  const broker = await Aedes.createBroker();
  const messages: Message[] = [];
  broker.on('publish', ({ topic, retain, payload }) => {
    if (topic.startsWith('$SYS/')) return;
    messages.push({ bootMs: bootTimeMs(), topic, retain, payload: payload.toString('utf8') });
  });
  const server = createServer(broker.handle);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the embedded broker has no port');
  return {
    port: address.port,
    messages,
    until: (what, matches) => until(what, () => messages.find(matches)),
    close: async () => {
      await new Promise<void>(resolve => broker.close(resolve));
      await new Promise(resolve => server.close(resolve));
    },
  };
}
