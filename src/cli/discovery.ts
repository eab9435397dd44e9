/** `sockmon discovery`: what Home Assistant is told, and how it forgets the device again. */

import { SockmonError } from '../base/errors.js';
import { loadConfig } from '../config/load.js';
import { ask } from '../control/client.js';
import { wholeHistory } from '../core/history.js';
import type { Config, MqttSettings } from '../core/policy.js';
import { discoveryOf } from '../homeassistant/discovery.js';
import { readJournal } from '../journal/file.js';
import { press } from '../mqtt/commands.js';
import { eventTypes } from '../mqtt/events.js';
import { topicsOf } from '../mqtt/topics.js';
import { viewRole } from '../report/views.js';
import { version } from '../system/version.js';
import type { Io } from './io.js';

export interface DiscoveryOptions {
  readonly config: readonly string[];
  readonly print?: true;
  readonly remove?: true;
  /** With remove: a former name of this machine. */
  readonly node?: string;
}

const answerMs = 5000;

/** @throws SockmonError USAGE, BROKER; ConfigError. */
export async function discovery(options: DiscoveryOptions, io: Io): Promise<number> {
  if (options.print && options.remove)
    throw new SockmonError('USAGE', '--print and --remove do not go together; choose one.');
  if (options.node !== undefined && !options.remove)
    throw new SockmonError(
      'USAGE',
      '--node goes with --remove only: another name is announced by the configuration.',
    );
  if (options.node !== undefined && !/^[\w-]{1,64}$/.test(options.node))
    throw new SockmonError(
      'USAGE',
      '--node is no node name; expected letters, digits, "_" and "-", at most 64.',
    );
  const config = loadConfig({
    files: options.config,
    env: io.env,
    cwd: io.cwd,
    checkOnly: options.remove !== true,
  });
  const { mqtt } = config;
  if (mqtt === null)
    throw new SockmonError('USAGE', 'The configuration names no broker (mqtt.url), so nothing is announced.');
  return options.remove ? remove(config, mqtt, options.node ?? null, io) : print(config, mqtt, io);
}

function print({ node, policy }: Config, mqtt: MqttSettings, io: Io): number {
  const topics = topicsOf(mqtt.base, node, mqtt.discoveryPrefix);
  if (topics.discovery === null)
    throw new SockmonError('USAGE', 'mqtt.discovery_prefix is false, so nothing is announced.');
  const watched = policy.resources.map(resource => ({
    id: resource.id,
    role: viewRole(resource.role),
    restartable: resource.steps.length > 0,
  }));
  const area = mqtt.suggestedArea;
  const payload = discoveryOf({ node, version, topics, eventTypes, press, watched, area });
  io.err(`${topics.discovery} (retained):\n`);
  io.out(`${JSON.stringify(payload, null, 2)}\n`);
  return 0;
}

async function remove(config: Config, mqtt: MqttSettings, former: string | null, io: Io): Promise<number> {
  const node = former ?? config.node;
  const running = await runningNode(config.stateDir);
  // Under its new name it does not touch what it has left under the former one.
  if (running !== null && (former === null || running === node || running === '')) {
    const words =
      'sockmon is running and would announce the device again. Stop it first: systemctl stop sockmon';
    throw new SockmonError('USAGE', words);
  }
  const { removeDevice } = await import('../mqtt/remove-device.js');
  const { announced } = wholeHistory(readJournal(config.stateDir));
  const resources = new Set([...announced.resources, ...config.policy.resources.map(({ id }) => id)]);
  await removeDevice(mqtt, topicsOf(mqtt.base, node, mqtt.discoveryPrefix), {
    ...announced,
    resources: [...resources],
  });
  io.out(`The device ${node} is gone from the broker and from Home Assistant. The journal stays.\n`);
  return 0;
}

/** Of the sockmon that runs; null = none does, '' = one that does not answer. */
async function runningNode(stateDir: string): Promise<string | null> {
  try {
    return (await ask(stateDir, { v: 1, request: 'status' }, answerMs)).snapshot.node;
  } catch (error) {
    return error instanceof SockmonError && error.code === 'NOT_RUNNING' ? null : '';
  }
}
