/** All kinds of sensors, in the order in which they are named to people. */
import type { SensorReport } from '../../native/index.js';
import type { NativeSensor, Sensor } from '../core/policy.js';
import { connectionSensor } from './connection.js';
import { linkSensor } from './link.js';
import { processSensor } from './process.js';
import type { AnySensorKind } from './sensor.js';
import { stackSensor } from './stack.js';
import { unitSensor } from './unit.js';
import { uplinkSensor } from './uplink.js';

export const sensorKinds: readonly AnySensorKind[] = [
  processSensor,
  unitSensor,
  connectionSensor,
  uplinkSensor,
  linkSensor,
  stackSensor,
];

const byName = new Map(sensorKinds.map(kind => [kind.kind, kind]));

/** undefined: there is no such kind. */
export function findSensorKind(kind: string): AnySensorKind | undefined {
  return byName.get(kind);
}

/** @throws TypeError for a kind that is not in the list: only settings that the schema has passed come here. */
export function sensorKindOf(sensor: Pick<Sensor, 'kind'>): AnySensorKind {
  const kind = findSensorKind(sensor.kind);
  if (kind === undefined) throw new TypeError(`There is no sensor of the kind ${sensor.kind}.`);
  return kind;
}

/** `check`'s words for what a sensor watches. */
export function sensorWords(sensor: Sensor): string {
  return sensorKindOf(sensor).words(sensor.fields);
}

/** What the monitor is given: the kind beside its fields. */
export function nativeSensor({ kind, fields }: Sensor): NativeSensor {
  return { kind, ...fields };
}

/** What a person wants to read beside a sensor's name. */
export function reportWords(report: SensorReport, sensor: Sensor): string {
  return report.state === 'up' ? sensorKindOf(sensor).alive(report) : (report.detail ?? '');
}
