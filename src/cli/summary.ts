/** A configuration in plain words: what is watched, how, and what happens at its death. */
import { formatDuration } from '../base/duration.js';
import type { Config, ResourcePolicy, RestartStep } from '../core/policy.js';
import { sensorWords } from '../sensors/kinds.js';
import { rows } from './table.js';

export function summarize(config: Config): string {
  const resources = config.policy.resources.map(resource => resourceWords(resource, config));
  const machine = rows([
    ['node', config.node],
    ['broker', brokerWords(config)],
    ...(config.mqtt === null ? [] : [['commands', commandWords(config)]]),
    ['reboot', rebootWords(config)],
    ['state', config.stateDir],
    ['log', `${config.log.level} and worse, as ${config.log.format}`],
  ]);
  return `${[...resources, machine].join('\n')}`;
}

function resourceWords(resource: ResourcePolicy, config: Config): string {
  const title = `${resource.id} (${resource.role === 'network' ? 'the network' : 'a service'})`;
  const watched = resource.sensors.map((sensor, index) => [
    index === 0 ? 'watched by' : '',
    sensorWords(sensor),
  ]);
  const details = rows([
    ...watched,
    ['at its death', deathWords(resource)],
    ['then', thenWords(resource, config)],
    ...carefulRows(resource),
  ]);
  return `${title}\n${details.replace(/^/gm, '  ').trimEnd()}\n`;
}

/** What is as it usually is goes without saying, but for the budget. */
function carefulRows(policy: ResourcePolicy): string[][] {
  const { needs, fallMs, riseMs, settleMs, steps, restartBudget } = policy;
  const { max, perMs } = restartBudget;
  return [
    ...(steps.length === 0 ? [] : [['at most', `${max} attempts in ${formatDuration(perMs)}`]]),
    ...(needs.length === 0 ? [] : [['needs', `${needs.join(', ')}: while that is down it is left alone`]]),
    ...(fallMs === null ? [] : [['dead after', fallWords(fallMs)]]),
    ...(riseMs === 0 ? [] : [['back after', `${formatDuration(riseMs)} of being up`]]),
    ...(steps.length === 0 ? [] : [['verified', verifiedWords(settleMs)]]),
  ];
}

function fallWords(fallMs: number): string {
  return fallMs === 0 ? 'no time at all, whatever its loss' : `${formatDuration(fallMs)}; no reflex`;
}

function verifiedWords(settleMs: number): string {
  const when =
    settleMs === 0 ? 'when its script is over' : `alive for ${formatDuration(settleMs)} after its script`;
  return `${when}; what dies before belongs to the same outage`;
}

export function deathWords({ steps }: ResourcePolicy): string {
  if (steps.length === 0) return 'it is told; nothing is restarted';
  return steps.map(stepWords).join('; if that fails, ');
}

function stepWords({ argv, attempts, everyMs, backoff, timeoutMs }: RestartStep): string {
  const apart = `${formatDuration(everyMs)} apart${backoff === 1 ? '' : `, each wait ${backoff} times the one before`}`;
  const times = attempts === 1 ? 'once' : `at most ${attempts} times, ${apart}`;
  return `${argv.join(' ')} runs, ${times}, each for at most ${formatDuration(timeoutMs)}`;
}

function thenWords({ steps, rebootWhenFailed }: ResourcePolicy, config: Config): string {
  if (!rebootWhenFailed)
    return steps.length === 0 ? 'sockmon goes on watching' : 'sockmon gives up, tells, and goes on watching';
  return config.policy.reboot.allowed
    ? 'this machine is rebooted'
    : 'a reboot is asked for, and refused: rebooting is not allowed';
}

function brokerWords({ mqtt, embeddedBroker }: Config): string {
  if (mqtt === null) return 'none; nothing is published';
  const user = mqtt.username === null ? '' : ` as ${mqtt.username}`;
  const discovery =
    mqtt.discoveryPrefix === null ? 'no discovery' : `Home Assistant discovery under ${mqtt.discoveryPrefix}`;
  return `${embeddedBroker ? 'built in, ' : ''}${mqtt.url}${user}; topics under ${mqtt.base}/…; ${discovery}`;
}

function commandWords({ mqtt, policy: { commands } }: Config): string {
  if (!commands.enabled) return 'by the broker: all are refused';
  if (mqtt?.commands.key == null) return 'unsigned, from whoever may write them to the broker';
  return `signed ones only${commands.allowPress ? ', and what Home Assistant sends' : ''}`;
}

export function rebootWords({ policy: { reboot } }: Config): string {
  const { allowed, command, forceCommand, minUptimeMs, budget, holdOffMs } = reboot;
  if (!allowed) return 'not allowed (reboot.allowed: true or --allow-reboot would allow it)';
  const limits = `not before ${formatDuration(minUptimeMs)} after boot, at most ${budget.max} in ${formatDuration(budget.perMs)}`;
  const waits = holdOffMs.map(formatDuration).join(', ');
  const ways = `${command.join(' ')}; if it is still up 5m later, by force: ${forceCommand.join(' ')}`;
  return `allowed by: ${ways}; ${limits}${waits === '' ? '' : `, each waiting longer: ${waits}`}`;
}
