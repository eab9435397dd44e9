/** Takes a node's retained messages away from the broker, and with them its device from Home Assistant. */
import { SockmonError } from '../base/errors.js';
import type { Announced } from '../core/announced.js';
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { Connection } from './connection.js';
import type { Ending } from './ending.js';
import { endpointName, endpointOf } from './endpoint.js';
import { inFlightLimit, Outbox } from './outbox.js';
import { Resolver } from './resolver.js';
import type { Topics } from './topics.js';
import type { Protocol } from './version.js';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** For the good-bye. */
const goodByeMs = 1000;

type Outcome =
  | { readonly done: true }
  | { readonly done: false; readonly ending: Ending; readonly words: string };

/**
 * @param told What has a topic of its own, as far as the journal and the configuration know.
 * @throws SockmonError BROKER when the broker cannot be reached or does not take it.
 */
export async function removeDevice(settings: MqttSettings, topics: Topics, told: Announced): Promise<void> {
  const retained = retainedBy(topics, told);
  const protocols: readonly Protocol[] =
    settings.protocol === 'auto' ? [5, 4] : [settings.protocol === '5' ? 5 : 4];
  let words = '';
  for (const protocol of protocols) {
    const outcome = await removeDeviceBy(protocol, settings, topics, retained);
    if (outcome.done) return;
    words = outcome.words;
    if (!['unsupported', 'closed_early', 'silent'].includes(outcome.ending)) break;
  }
  const broker = endpointName(endpointOf(settings.url));
  throw new SockmonError(
    'BROKER',
    `The device could not be taken from ${broker}: ${words}. Check the broker and the user's rights, and try again.`,
  );
}

function retainedBy(topics: Topics, { entities, each, resources }: Announced): readonly string[] {
  const singles = entities.map(entity => {
    const [key = '', platform = ''] = entity.split(' ');
    return topics.entity(platform, key);
  });
  return [
    ...(topics.discovery === null ? [] : [topics.discovery, ...(each ? singles : [])]),
    ...resources.map(topics.resource),
    ...[topics.status, topics.state, topics.about, topics.lastOutage],
  ];
}

function removeDeviceBy(
  protocol: Protocol,
  settings: MqttSettings,
  topics: Topics,
  retained: readonly string[],
): Promise<Outcome> {
  return new Promise(resolve => {
    const fail = (ending: Ending, words: string) => resolve({ done: false, ending, words });
    const clear = (connection: Connection): void => {
      const limit = inFlightLimit(connection.protocol, connection.receiveMaximum);
      const outbox = new Outbox((message, settled) => connection.publish(message, settled), limit);
      let waiting = retained.length;
      for (const topic of retained) {
        outbox.add(
          () => ({ topic, payload: '', retain: true }),
          error => {
            if (error !== null) {
              outbox.close();
              connection.close();
              fail('refused', error.message);
              return;
            }
            waiting -= 1;
            if (waiting === 0) void connection.disconnect(goodByeMs).then(() => resolve({ done: true }));
          },
        );
      }
    };
    new Connection(
      {
        // Not the daemon's own id: the broker would throw the daemon out.
        settings: { ...settings, clientId: `${settings.clientId}-remove` },
        endpoint: endpointOf(settings.url),
        resolver: new Resolver(),
        address: null,
        credentials: async () => settings,
        leftOut: { has: () => false },
        protocol,
        will: { topic: topics.status, payload: '', retain: true },
        log: silent,
      },
      { connected: clear, received: () => {}, ended: fail },
    );
  });
}
