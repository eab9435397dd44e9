/** A smart plug by MQTT: it does what it is told, unless it is jammed or out of reach. */
import { Listener } from '../mqtt/listener.js';

export class Plug {
  readonly entity = 'switch.plug';
  /** What it was told, in order. */
  readonly told: string[] = [];
  /** How many times it will not hear that it shall go on. */
  deaf = 0;

  private constructor(private readonly listener: Listener) {
    listener.client.on('message', (topic: string, payload: Buffer) => {
      if (topic === 'plug/set') this.#take(payload.toString());
    });
  }

  static async at(port: number): Promise<Plug> {
    const listener = await Listener.on({ host: '127.0.0.1', port }, {}, 'plug/set');
    const plug = new Plug(listener);
    const payload = {
      device: { identifiers: ['plug'], name: 'Plug' },
      origin: { name: 'test' },
      components: {
        plug: {
          platform: 'switch',
          unique_id: 'plug',
          name: null,
          default_entity_id: plug.entity,
          command_topic: 'plug/set',
          state_topic: 'plug/state',
          availability: [{ topic: 'plug/available' }],
        },
      },
    };
    await listener.publish('homeassistant/device/plug/config', JSON.stringify(payload), true);
    await plug.reach('online');
    await plug.is('ON');
    return plug;
  }

  reach(available: 'online' | 'offline'): Promise<void> {
    return this.listener.publish('plug/available', available, true);
  }

  is(state: 'ON' | 'OFF'): Promise<void> {
    return this.listener.publish('plug/state', state, true);
  }

  close(): Promise<void> {
    return this.listener.close();
  }

  #take(command: string): void {
    this.told.push(command);
    if (command === 'ON' && this.deaf > 0) this.deaf -= 1;
    else void this.is(command === 'ON' ? 'ON' : 'OFF');
  }
}
