/** Telephones without a telephone: Home Assistant's app registers, and what it would be pushed arrives here. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { until } from '../lab/wait.js';
import type { HomeAssistant } from './instance.js';

export interface Button {
  readonly action: string;
  readonly title: string;
}

export interface Push {
  readonly title: string;
  readonly message: string;
  readonly data: {
    readonly tag: string;
    readonly actions?: readonly Button[];
    readonly push?: Record<string, unknown>;
    readonly [more: string]: unknown;
  };
}

export class Phone {
  readonly pushes: Push[] = [];
  readonly #server: Server;

  private constructor(
    private readonly home: HomeAssistant,
    server: Server,
    readonly name: string,
  ) {
    this.#server = server;
    server.on('request', async (request, response) => {
      this.pushes.push(JSON.parse(await text(request)));
      response.writeHead(201, { 'content-type': 'application/json' }).end('{}');
    });
  }

  /** Registered, and known by its device. */
  static async register(home: HomeAssistant, name: string): Promise<Phone & { readonly device: string }> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const phone = new Phone(home, server, name);
    const { port } = server.address() as AddressInfo;
    await home.rest('POST', '/api/mobile_app/registrations', {
      device_id: name,
      app_id: 'io.homeassistant.test',
      app_name: 'Home Assistant',
      app_version: '2026.11',
      device_name: name,
      manufacturer: 'Nobody',
      model: 'Telephone',
      os_name: 'Test',
      os_version: '1',
      supports_encryption: false,
      app_data: { push_token: name, push_url: `http://127.0.0.1:${port}/push` },
    });
    const device = await until(`the device of ${name}`, async () => {
      const devices = await home.call<{ id: string; name: string }[]>({
        type: 'config/device_registry/list',
      });
      return devices.find(one => one.name === name)?.id;
    });
    const service = `mobile_app_${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}`;
    await until(`notify.${service}`, async () => {
      const services = await home.rest<{ domain: string; services: object }[]>('GET', '/api/services');
      return services.some(one => one.domain === 'notify' && service in one.services);
    });
    return Object.assign(phone, { device });
  }

  /** The note that comes as the nth since the phone was made. */
  nth(n: number): Promise<Push> {
    const context = () => `it got ${JSON.stringify(this.pushes, null, 1)}\n${this.home.log()}`;
    return until(`note ${n} on ${this.name}`, () => this.pushes[n - 1], { context });
  }

  next(since: number): Promise<Push> {
    return this.nth(since + 1);
  }

  /** A finger on a button of a note. */
  press({ action }: Button): Promise<unknown> {
    return this.home.rest('POST', '/api/events/mobile_app_notification_action', { action });
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}
