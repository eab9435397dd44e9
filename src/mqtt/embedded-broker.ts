/** A broker in this process for those who have none: MQTT 3.1.1, in memory. Costs nothing until it is started. */
import { createServer } from 'node:net';
import { SockmonError } from '../base/errors.js';

export interface EmbeddedBroker {
  readonly host: string;
  /** The real one, also where 0 was asked for. */
  readonly port: number;
  stop(): Promise<void>;
}

/** @throws SockmonError BROKER when the address is in use or not ours. */
export async function startEmbeddedBroker(where: { host: string; port: number }): Promise<EmbeddedBroker> {
  const { Aedes } = await import('aedes');
  const broker = await Aedes.createBroker();
  const server = createServer(broker.handle);
  const close = (): Promise<void> => new Promise(resolve => broker.close(resolve));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where.port, where.host, resolve);
    });
  } catch (cause) {
    await close();
    throw new SockmonError('BROKER', failure(where, cause), { cause });
  }
  const address = server.address();
  return {
    host: where.host,
    port: typeof address === 'object' && address !== null ? address.port : where.port,
    stop: async () => {
      const closed = new Promise<void>(resolve => server.close(() => resolve()));
      await close();
      await closed;
    },
  };
}

function failure({ host, port }: { host: string; port: number }, cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const why = code === 'EADDRINUSE' ? 'the port is in use' : cause instanceof Error ? cause.message : code;
  return `The embedded MQTT broker cannot listen on ${host}:${port}: ${why}. Choose another port, or name your own broker in mqtt.url.`;
}
