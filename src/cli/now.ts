/** What there is of each resource at this moment. A monitor of its own looks once and is closed: nothing is armed, nothing written. */
import { readFileSync } from 'node:fs';
import { type Addon, loadAddon } from '../addon.js';
import { SockmonError } from '../core/errors.js';
import type { Config, ResourcePolicy } from '../core/policy.js';
import { printable } from '../printable.js';
import { nativeSensor, reportWords } from '../sensors/kinds.js';
import { rows } from './table.js';

type Monitor = InstanceType<Addon['Monitor']>;

export interface SensorNow {
  readonly name: string;
  readonly state: 'up' | 'absent' | 'down' | 'unknown';
  readonly detail: string;
  /** The process that was found; null: none, or the sensor is of another kind. */
  readonly pid: number | null;
}

export interface ResourceNow {
  readonly id: string;
  readonly sensors: readonly SensorNow[];
  /** Why it cannot be watched; null: it can. */
  readonly why: string | null;
}

/** `why`: nothing can be seen from here at all, in a sentence. */
export type Now = { readonly resources: readonly ResourceNow[] } | { readonly why: string };

export function lookNow({ policy }: Config): Now {
  const monitor = openMonitor();
  if ('why' in monitor) return monitor;
  try {
    return { resources: policy.resources.map(resource => resourceNow(monitor.opened, resource)) };
  } finally {
    monitor.opened.close();
  }
}

function openMonitor(): { readonly opened: Monitor } | { readonly why: string } {
  let addon: Addon;
  try {
    addon = loadAddon();
  } catch (error) {
    if (!(error instanceof SockmonError)) throw error;
    return { why: error.message };
  }
  try {
    return { opened: new addon.Monitor(() => {}) };
  } catch (error) {
    return { why: `The native monitor cannot start: ${(error as Error).message}.` };
  }
}

function resourceNow(monitor: Monitor, { id, sensors }: ResourcePolicy): ResourceNow {
  let reports: ReturnType<Monitor['watch']>;
  try {
    reports = monitor.watch(id, sensors.map(nativeSensor));
  } catch (error) {
    return { id, sensors: [], why: (error as Error).message };
  }
  const seen = sensors.flatMap((sensor, index): SensorNow[] => {
    const report = reports[index];
    if (report === undefined) return [];
    const { state, pid = null } = report;
    const detail = reportWords(report, sensor);
    return [{ name: sensor.name, state, detail, pid: state === 'up' ? pid : null }];
  });
  return { id, sensors: seen, why: null };
}

/** For `check`. */
export function nowText(now: Now): string {
  if ('why' in now)
    return `Now: unknown, nothing can be looked at. ${printable(now.why)} The file has been checked all the same.\n`;
  const lines = now.resources.map(({ id, sensors, why }) => {
    if (why !== null) return [`  ${id}`, 'unknown', `it cannot be watched: ${printable(why)}`];
    const isUp = sensors.every(({ state }) => state === 'up');
    const words = sensors.map(sensor => printable(sensorText(sensor, isUp)));
    return [`  ${id}`, isUp ? 'up' : 'absent', words.join('; ')];
  });
  return `Now:\n${rows(lines)}`;
}

function sensorText({ name, state, detail, pid }: SensorNow, isUp: boolean): string {
  const words = [isUp ? '' : state, detail, pid === null ? '' : commandLine(pid)];
  return `${name}: ${words.filter(word => word !== '').join(', ')}`;
}

/** So much of a command line is enough to know a process by. */
const longestCommand = 100;

/** '' when the process has gone, or has none (a zombie, a thread of the kernel's). */
function commandLine(pid: number): string {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // ENOENT, ESRCH: it has ended meanwhile. Without its command line the pid still says which process it was.
    return '';
  }
  const words = line.split('\0').join(' ').trim();
  return words.length > longestCommand ? `${words.slice(0, longestCommand)}…` : words;
}
