/** What there is of each resource at this moment. A monitor of its own looks once and is closed: nothing is armed, nothing written. */
import { readFileSync } from 'node:fs';
import { SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import type { Config, ResourcePolicy, Sensor } from '../core/policy.js';
import { nativeSensor, reportWords } from '../sensors/kinds.js';
import { type Addon, loadAddon } from '../system/addon.js';
import { rows } from './table.js';

type Monitor = InstanceType<Addon['Monitor']>;
type Report = ReturnType<Monitor['watch']>[number];
type NativeEvent = Parameters<ConstructorParameters<Addon['Monitor']>[0]>[0][number];
type Fault = Extract<NativeEvent, { type: 'fault' }>;

export interface SensorNow {
  readonly kind: string;
  readonly name: string;
  /** unknown: the first look has taken too long. */
  readonly state: Report['state'];
  readonly detail: string;
  /** The process that was found; null: none, or the sensor is of another kind. */
  readonly pid: number | null;
  /** The unit of the system's systemd that is watched; null: none, or one of a user's, which its session stops. */
  readonly unit: string | null;
}

export interface ResourceNow {
  readonly id: string;
  readonly sensors: readonly SensorNow[];
  /** Why it cannot be watched; null: it can. */
  readonly why: string | null;
  /** What keeps a sensor from seeing all of it, each as a sentence that says what helps. */
  readonly limits: readonly string[];
}

/** `why`: nothing can be seen from here at all, in a sentence. */
export type Now = { readonly resources: readonly ResourceNow[] } | { readonly why: string };

/** So long the first look may take: a connection to another machine has 3 s by default. */
const longestLookMs = 4000;

export async function lookNow({ policy }: Config): Promise<Now> {
  const latest = new Latest();
  const monitor = openMonitor(latest);
  if ('why' in monitor) return monitor;
  try {
    const whys = policy.resources.map(
      resource => [resource, watch(monitor.opened, resource, latest)] as const,
    );
    await latest.known(longestLookMs);
    // What a sensor lacks is told beside its report: it has come when this is answered.
    await monitor.opened.ping();
    return { resources: whys.map(([resource, why]) => resourceNow(resource, why, latest)) };
  } finally {
    monitor.opened.close();
  }
}

/** The latest report of each sensor, and what it lacks. */
class Latest {
  private readonly reports = new Map<string, Report>();
  private readonly faults: Fault[] = [];
  private whenKnown = (): void => {};

  add(report: Report): void {
    this.reports.set(`${report.sensor} ${report.resource}`, report);
    if (this.isKnown()) this.whenKnown();
  }

  addFault(fault: Fault): void {
    if (fault.active) this.faults.push(fault);
  }

  limits(resource: string): readonly string[] {
    return [...new Set(this.faults.filter(fault => fault.resource === resource).map(({ detail }) => detail))];
  }

  of(resource: string, sensor: number): Report | undefined {
    return this.reports.get(`${sensor} ${resource}`);
  }

  /** Resolves when nothing is unknown any more, or after `withinMs`. */
  async known(withinMs: number): Promise<void> {
    if (this.isKnown()) return;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, withinMs);
      this.whenKnown = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private isKnown(): boolean {
    return ![...this.reports.values()].some(({ state }) => state === 'unknown');
  }
}

function openMonitor(latest: Latest): { readonly opened: Monitor } | { readonly why: string } {
  let addon: Addon;
  try {
    addon = loadAddon();
  } catch (error) {
    if (!(error instanceof SockmonError)) throw error;
    return { why: error.message };
  }
  try {
    const opened = new addon.Monitor(events => {
      for (const event of events) {
        if (event.type === 'sensor') latest.add(event);
        else if (event.type === 'fault') latest.addFault(event);
      }
    });
    return { opened };
  } catch (error) {
    return { why: `The native monitor cannot start: ${(error as Error).message}.` };
  }
}

/** Why it cannot be watched; null: it can. */
function watch(monitor: Monitor, { id, sensors }: ResourcePolicy, latest: Latest): string | null {
  let reports: readonly Report[];
  try {
    reports = monitor.watch(id, sensors.map(nativeSensor));
  } catch (error) {
    return (error as Error).message;
  }
  for (const report of reports) latest.add(report);
  return null;
}

function resourceNow({ id, sensors }: ResourcePolicy, why: string | null, latest: Latest): ResourceNow {
  const seen = sensors.flatMap((sensor, index) => {
    const report = latest.of(id, index);
    return report === undefined ? [] : [sensorNow(sensor, report)];
  });
  return { id, sensors: seen, why, limits: latest.limits(id) };
}

function sensorNow(sensor: Sensor, report: Report): SensorNow {
  const { state, pid = null } = report;
  const { kind, name, fields } = sensor;
  const unit = kind === 'unit' && fields.manager === 'system' ? String(fields.name) : null;
  const detail = reportWords(report, sensor);
  return { kind, name, state, detail, pid: state === 'up' ? pid : null, unit };
}

/** For `check`. */
export function nowText(now: Now): string {
  if ('why' in now)
    return `Now: unknown, nothing can be looked at. ${printable(now.why)} The file has been checked all the same.\n`;
  const lines = now.resources.map(({ id, sensors, why }) => {
    if (why !== null) return [`  ${id}`, 'unknown', `it cannot be watched: ${printable(why)}`];
    const states = sensors.map(({ state }) => state);
    const state = states.find(one => one === 'absent') ?? states.find(one => one !== 'up') ?? 'up';
    const words = sensors.map(sensor => printable(sensorText(sensor, state === 'up')));
    return [`  ${id}`, state, words.join('; ')];
  });
  const limits = now.resources.flatMap(({ id, limits }) =>
    limits.map(limit => `  ${id}: degraded detection: ${printable(limit)}\n`),
  );
  return `Now:\n${rows(lines)}${limits.join('')}`;
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
