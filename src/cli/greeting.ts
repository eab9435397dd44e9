/** The first lines of a daemon at work: what it watches, how, and what to try next. */

import type { Config } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import type { Snapshot } from '../report/views.js';
import { sensorWords } from '../sensors/kinds.js';
import { defaultStateDir } from '../system/folders.js';
import type { Io } from './io.js';
import { deathWords, rebootWords } from './summary.js';

export function greet(config: Config, broker: string | null, log: Log, io: Io): void {
  for (const resource of config.policy.resources) {
    log.info({}, `watching ${resource.id}: ${resource.sensors.map(sensorWords).join('; ')}`);
    log.info({}, `when ${resource.id} dies: ${deathWords(resource)}`);
  }
  log.info({}, `reboot: ${rebootWords(config)}`);
  log.info({}, brokerWords(config, broker));
  for (const hint of hints(config, broker, io)) log.info({}, `try next: ${hint}`);
}

/** What was not there at the first look: nothing else is said of a misspelt interface until it has been missed for five minutes. */
export function tellAbsent({ resources }: Snapshot, log: Log): void {
  for (const [id, { state, sensors }] of Object.entries(resources)) {
    if (state !== 'absent') continue;
    const missing = sensors.filter(sensor => sensor.state !== 'up');
    const words = missing.map(({ name, detail }) => (detail === '' ? name : `${name}: ${detail}`)).join('; ');
    log.info({}, `${id} is not there yet (${words}); it is watched from the moment it appears`);
  }
}

function brokerWords(config: Config, broker: string | null): string {
  if (broker === null) return 'broker: none; nothing is published';
  return `broker: ${broker}${config.embeddedBroker === null ? '' : ', built in, for trying out'}`;
}

function hints(config: Config, broker: string | null, io: Io): string[] {
  const isTrial = io.env.npm_lifecycle_event === 'start';
  const program = isTrial ? 'npm start --' : 'sockmon';
  const found = io.env.SOCKMON_STATE_DIR ?? defaultStateDir(io.env, process.getuid?.() ?? 0);
  const place = found === config.stateDir ? '' : ` --state-dir ${config.stateDir}`;
  const hints = [`${program} status${place}`];
  const url = broker !== null && config.embeddedBroker !== null ? new URL(broker) : null;
  if (url && config.mqtt)
    hints.push(`mosquitto_sub -h ${url.hostname} -p ${url.port} -v -t '${config.mqtt.base}/#'`);
  if (isTrial) hints.push('npm run demo, which kills a stack in a network of its own and shows the story');
  return hints;
}
