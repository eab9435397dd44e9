/** `sockmon status` for people. */

import { printable } from '../base/printable.js';
import type { StatusAnswer } from '../control/protocol.js';
import { durationWords } from '../core/words.js';
import type { ConnectionView, OutageView, ResourceView, Snapshot } from '../report/views.js';
import type { LastKnown } from './journal-reader.js';
import { beganDoubtWords, lastedWords } from './story-text.js';
import { localTime, rows } from './table.js';

export function statusText({ snapshot, connection, pid, version }: StatusAnswer): string {
  const ranMs = Date.parse(snapshot.at) - Date.parse(snapshot.started_at);
  const head = `sockmon ${version} on ${snapshot.node}: ${snapshot.status}\n`;
  const resources = Object.entries(snapshot.resources).map(([id, view]) => resourceText(id, view));
  const machine = rows([
    ...(snapshot.pause === null
      ? []
      : [['pause', `everything is left alone until ${localTime(snapshot.pause)}`]]),
    ...snapshot.problems.map(problem => ['problem', printable(problem)]),
    ['last outage', snapshot.last_outage ? outageWords(snapshot.last_outage) : 'none'],
    ['outages', `${snapshot.outages_24h} in 24 h, ${snapshot.outages_total} in all`],
    ['uptime', uptimeWords(snapshot)],
    ['broker', connectionWords(connection)],
    ['detection', detectionWords(snapshot)],
    ['reboot', rebootWords(snapshot)],
    ['daemon', `pid ${pid}, running for ${durationWords(Math.max(0, ranMs))}`],
  ]);
  return [head, ...resources, machine].join('\n');
}

function resourceText(id: string, view: ResourceView): string {
  const head = `${id}: ${view.state} since ${localTime(view.since)}: ${printable(view.reason)}\n`;
  const sensors = view.sensors.map(sensor => [`  ${sensor.name}`, sensor.state, printable(sensor.detail)]);
  const marks = [
    ...(view.paused_until === null ? [] : [['  paused', `until ${localTime(view.paused_until)}`]]),
    ...(view.flapping ? [['  flapping', 'it keeps dying; told once, not death by death']] : []),
    ...(view.root === null ? [] : [['  part of', `the outage ${view.root} of something that it needs`]]),
  ];
  const restart = [
    ['  role', view.role === 'stack' ? 'the network' : 'a service'],
    ...marks,
    ['  at its death', view.restart === null ? 'told only' : printable(view.restart)],
  ];
  return head + rows(sensors) + rows(restart);
}

/** Of a journal that is too young there is nothing to tell. */
function uptimeWords({ uptime_24h_pct: day, uptime_30d_pct: month }: Snapshot): string {
  if (day === null) return 'not known before the journal is an hour old';
  return month === null ? `${day} % in 24 h` : `${day} % in 24 h, ${month} % in 30 days`;
}

function outageWords(outage: OutageView): string {
  const attempts = outage.attempts === 1 ? '1 attempt' : `${outage.attempts} attempts`;
  const when = `${localTime(outage.began_at)}${beganDoubtWords(outage)}`;
  return `${outage.resource}, ${when}, ${lastedWords(outage)}, ${attempts}: ${printable(outage.cause)}`;
}

function connectionWords(connection: ConnectionView): string {
  if (connection.state === 'none') return 'none configured';
  const waiting = connection.pending === 0 ? '' : `; ${connection.pending} entries not told yet`;
  const broker = connection.broker ?? 'the broker';
  if (connection.state === 'connected') {
    const since = connection.since === null ? '' : ` since ${localTime(connection.since)}`;
    return `connected to ${broker} by MQTT ${connection.protocol ?? '?'}${since}${waiting}`;
  }
  const why = connection.last_error === null ? '' : ` (${printable(connection.last_error)})`;
  return `trying to reach ${broker}${why}${waiting}`;
}

const levelWords = {
  command: 'by the command',
  force: 'by the forced command, after the first one did not help',
  kernel: 'by the kernel, after no command helped',
} as const;

function rebootWords({ reboot: { detail, pending } }: Snapshot): string {
  if (pending === null) return printable(detail);
  const how = levelWords[pending.level];
  return `ORDERED at ${localTime(pending.ordered_at)} ${how}, not there yet: ${printable(pending.reason)}`;
}

function detectionWords({ detection }: Snapshot): string {
  return detection.quality === 'full' ? 'full' : `degraded: ${detection.notes.map(printable).join('; ')}`;
}

export function lastKnownText(known: LastKnown): string {
  const head = `sockmon is not running on ${known.state_dir}. Nothing is watched.\n`;
  if (known.last_entry_at === null)
    return `${head}Its journal is empty. If sockmon runs with another state folder, name it: --state-dir FOLDER\n`;
  const end = known.stopped === null ? 'it did not say goodbye' : `it stopped: ${printable(known.stopped)}`;
  return `${head}\n${rows([
    ['last heard of', `${localTime(known.last_entry_at)}; ${end}`],
    ['last outage', known.last_outage ? outageWords(known.last_outage) : 'none'],
    ['outages', `${known.outages_total} in all`],
  ])}`;
}
