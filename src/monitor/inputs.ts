/** What the native monitor tells, as the core's inputs. */
import type { Fault, NativeEvent, Question, RunEnded, SensorReport } from '../../native/index.js';
import type { FaultOf } from '../core/detection.js';
import type { Input } from '../core/input.js';
import type { Sensor } from '../core/policy.js';
import type { RunResult } from '../core/records.js';
import { causeOf, signalName } from '../sensors/exit-cause.js';
import { reportWords, sensorKindOf } from '../sensors/kinds.js';

/** Of everything but a sensor's report. */
export function inputOf(event: Exclude<NativeEvent, SensorReport | Question>): Input {
  switch (event.type) {
    case 'cause':
      return { kind: 'cause', resource: event.resource, sensor: event.sensor, cause: causeOf(event.cause) };
    case 'run_started':
      return {
        kind: 'run_started',
        run: event.id,
        atMs: event.atMs,
        pid: event.pid,
        startTicks: event.startTicks,
      };
    case 'run_ended':
      return {
        kind: 'run_ended',
        run: event.id,
        atMs: event.atMs,
        result: resultOf(event),
        output: event.output,
      };
    case 'fault':
      return { kind: 'fault', of: faultOf(event), detail: event.detail, active: event.active };
  }
}

function faultOf({ resource, sensor, code }: Fault): FaultOf {
  return resource === undefined || sensor === undefined
    ? { what: 'monitor', code }
    : { what: 'sensor', resource, sensor };
}

/** None, where the sensor does not know yet. */
export function sensorInput(report: SensorReport, sensor: Sensor): Input[] {
  const kind = sensorKindOf(sensor);
  const { state, reason } = report;
  // Not even an absence, which would be a death of what was alive before sockmon was restarted.
  if (state === 'unknown') return [];
  const unexplained = state === 'down' ? ({ kind: 'unknown' } as const) : null;
  const input: Input = {
    kind: 'sensor',
    resource: report.resource,
    sensor: report.sensor,
    state,
    atMs: report.atMs,
    cause: reason === undefined ? unexplained : kind.cause({ ...report, reason }),
    nature: report.nature ?? null,
    detail: reportWords(report, sensor),
    carrier: report.carrier ?? null,
    interface: report.interface ?? null,
    ...(report.interfaceIndex !== undefined && { interfaceIndex: report.interfaceIndex }),
    ...(report.standby !== undefined && { standby: report.standby }),
    ...(report.families !== undefined && { families: report.families }),
    ownRun: report.ownRun ?? false,
    reflex: report.reflex ?? null,
    replaced: report.replaced ?? null,
    ...(report.servedBy !== undefined && { servedBy: report.servedBy }),
    ...(report.byOrder !== undefined && { byOrder: report.byOrder }),
    ...(report.graceMs !== undefined && { grace: { ms: report.graceMs, by: kind.restarter ?? null } }),
  };
  return [input];
}

function resultOf(event: RunEnded): RunResult {
  if (event.notNeeded) return { kind: 'not_needed' };
  if (event.spawnError !== undefined) return { kind: 'not_started', error: event.spawnError };
  if (event.timedOut) return { kind: 'timeout' };
  if (event.exit === undefined) return { kind: 'unknown' };
  return event.exit.kind === 'signal'
    ? { kind: 'signal', signal: signalName(event.exit.signal) }
    : event.exit;
}
