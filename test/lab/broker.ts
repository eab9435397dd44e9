/** A real mosquitto outside of the lab, on a free loopback port; it can go away and come back on the same port. */
import { openSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { type Started, start } from './proc.js';
import { until } from './wait.js';

export class Broker {
  private process: Started | null = null;

  private constructor(
    private readonly directory: string,
    readonly port: number,
  ) {}

  static async start(directory: string): Promise<Broker> {
    const broker = new Broker(directory, await freePort());
    await broker.start();
    return broker;
  }

  async start(): Promise<void> {
    const configFile = `${this.directory}/mosquitto.conf`;
    // `user root`: mosquitto would change to a user that a user namespace does not have.
    writeFileSync(
      configFile,
      `listener ${this.port} 127.0.0.1\nallow_anonymous true\nuser root\nset_tcp_nodelay true\n`,
    );
    const log = openSync(`${this.directory}/mosquitto.log`, 'a');
    const path = `${process.env.PATH}:/usr/sbin`;
    this.process = start(['mosquitto', '-c', configFile], {
      stdio: ['ignore', log, log],
      env: { ...process.env, PATH: path },
    });
    await until('mosquitto to listen', () => canConnect(this.port));
  }

  async stop(): Promise<void> {
    this.process?.child.kill('SIGTERM');
    await this.process?.ended;
    this.process = null;
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}

export function canConnect(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, host);
    const finish = (isOpen: boolean) => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
