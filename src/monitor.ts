/** The native monitor as the core's Watcher: translates its events, knows nothing of outages. */
import { constants } from 'node:os';
import type {
  ExitCause,
  Fault,
  Monitor,
  NativeEvent,
  SensorSpec as NativeSensorSpec,
  RunEnded,
  SensorReport,
} from '../native/index.js';
import type { Addon } from './addon.js';
import type { FaultOf } from './core/detection.js';
import { SockmonError } from './core/errors.js';
import type { Cause, RunResult } from './core/model.js';
import type { SensorSpec } from './core/policy.js';
import type { Run, Watcher } from './core/ports.js';
import type { Input } from './core/state.js';
import type { Early } from './early.js';

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name]),
);

export interface WatcherOptions {
  /** What the thread saw at once comes at once. */
  readonly onInputs: (inputs: readonly Input[]) => void;
  /** The environment of every script, before the run's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** The monitor thread has ended: nothing is watched any more. */
  readonly onEnd: (detail: string) => void;
  /** See Boot: the thread knows the kernel's clock alone. */
  readonly bootBeganMs: number;
  /** What was armed before this file was loaded. */
  readonly early: Early | null;
}

/**
 * Where one of these is, the machine is going down and is left alone. `/run/nologin` is made by shutdown(8) five minutes before a
 * shutdown for a set time. At "systemctl reboot" it comes after sockmon's own end: there the order of the units is the bound, see
 * docs/SYSTEMD.md. At boot it is there until logins are allowed: the unit starts sockmon after that. Not
 * `/run/systemd/shutdown/scheduled`: it is there for as long as a shutdown at night is planned.
 */
const signsOfShutdown = ['/run/nologin'];

/** @throws SockmonError MONITOR when the thread cannot be started. */
export function startWatcher(addon: Addon, options: WatcherOptions): Watcher {
  try {
    return new NativeWatcher(addon, options);
  } catch (error) {
    const words = `The native monitor cannot start: ${(error as Error).message}. It needs Linux 5.4 or newer and free file descriptors.`;
    throw new SockmonError('MONITOR', words, { cause: error });
  }
}

class NativeWatcher implements Watcher {
  private readonly monitor: Monitor;
  private readonly early = new Map<string, { specs: string; reports: SensorReport[] }>();
  /** What has come of them since, while the rest of the program was loaded; null: everything is delivered at once. */
  private held: NativeEvent[] | null = null;

  /** What has failed and has not been done since: `WHAT RESOURCE`. */
  private readonly failed = new Set<string>();
  private readonly bootTimeMs: () => number;

  constructor(
    addon: Addon,
    private readonly options: WatcherOptions,
  ) {
    this.bootTimeMs = addon.bootTimeMs;
    const { early } = options;
    if (early === null) {
      this.monitor = new addon.Monitor(events => this.deliver(events));
      return;
    }
    this.monitor = early.monitor;
    for (const { resource, sensors, reports } of early.watches) {
      this.early.set(resource, { specs: JSON.stringify(sensors), reports });
    }
    const held: NativeEvent[] = [];
    this.held = held;
    early.takeOver(events => (this.held === null ? this.deliver(events) : void held.push(...events)));
    setImmediate(() => {
      this.held = null;
      if (held.length > 0) this.deliver(held);
    });
  }

  watch(resource: string, sensors: readonly SensorSpec[]): void {
    this.give(this.reportsOf(resource, sensors));
  }

  /** How things are by now, in one: what a report of some time ago calls absent may be up. */
  private reportsOf(resource: string, sensors: readonly SensorSpec[]): Input[] {
    const early = this.early.get(resource);
    this.early.delete(resource);
    const since = early === undefined ? [] : this.takeHeld(resource);
    if (early?.specs === JSON.stringify(sensors))
      return [...early.reports.map(sensorInput), ...since.map(inputOf)];
    // What was given up after a time-out may have been carried out since.
    if (early !== undefined || this.failed.has(`watching ${resource}`)) this.monitor.unwatch(resource);
    let reports: SensorReport[];
    try {
      reports = this.monitor.watch(resource, sensors as NativeSensorSpec[]);
    } catch (error) {
      return this.failure('watching', resource, `it cannot be watched: ${(error as Error).message}`);
    }
    return [...reports.map(sensorInput), ...this.success('watching', resource)];
  }

  private takeHeld(resource: string): NativeEvent[] {
    const held = this.held ?? [];
    const own = held.filter(event => 'resource' in event && event.resource === resource);
    held.splice(0, held.length, ...held.filter(event => !own.includes(event)));
    return own;
  }

  unwatch(resource: string): void {
    this.failed.delete(`watching ${resource}`);
    this.failed.delete(`reflex ${resource}`);
    this.monitor.unwatch(resource);
  }

  armReflex(resource: string, run: Run | null): void {
    try {
      this.monitor.armReflex(resource, run === null ? null : this.nativeRun(run));
    } catch (error) {
      // It is restarted all the same, from the ladder, some milliseconds later.
      this.give(this.failure('reflex', resource, `its reflex cannot be armed: ${(error as Error).message}`));
      return;
    }
    // Disarming proves nothing.
    const works = run === null ? [] : this.success('reflex', resource);
    if (works.length > 0) this.give(works);
  }

  private failure(what: 'watching' | 'reflex', resource: string, detail: string): Input[] {
    this.failed.add(`${what} ${resource}`);
    return [{ kind: 'fault', of: { what, resource }, detail, active: true }];
  }

  private success(what: 'watching' | 'reflex', resource: string): Input[] {
    if (!this.failed.delete(`${what} ${resource}`)) return [];
    return [{ kind: 'fault', of: { what, resource }, detail: '', active: false }];
  }

  run(run: Run): void {
    try {
      this.monitor.run(this.nativeRun(run));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const result = { kind: 'not_started', error: code ?? message } as const;
      this.give([{ kind: 'run_ended', run: run.id, atMs: this.bootTimeMs(), result, output: '' }]);
    }
  }

  endRun(id: string): void {
    this.monitor.endRun(id);
  }

  kill(resource: string): string | null {
    try {
      return this.monitor.kill(resource) ? null : `no process of ${resource} is being watched now`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  ping(): Promise<void> {
    return this.monitor.ping();
  }

  close(): void {
    this.monitor.close();
  }

  private give(inputs: readonly Input[]): void {
    const { onInputs, bootBeganMs } = this.options;
    onInputs(inputs.map(input => ('atMs' in input ? { ...input, atMs: input.atMs - bootBeganMs } : input)));
  }

  private nativeRun(run: Run) {
    const { id, timeoutMs, graceMs } = run;
    const env = { ...this.options.environment, ...run.env };
    return { id, argv: [...run.argv], env, timeoutMs, graceMs, unlessExists: signsOfShutdown };
  }

  private deliver(events: NativeEvent[]): void {
    const isEnd = (event: NativeEvent): event is Fault =>
      event.type === 'fault' && event.code === 'ESHUTDOWN';
    this.give(events.filter(event => !isEnd(event)).map(inputOf));
    const end = events.find(isEnd);
    if (end !== undefined) this.options.onEnd(end.detail);
  }
}

function inputOf(event: NativeEvent): Input {
  switch (event.type) {
    case 'sensor':
      return sensorInput(event);
    case 'cause':
      return { kind: 'cause', resource: event.resource, sensor: event.sensor, cause: causeOf(event.cause) };
    case 'run_started':
      return { kind: 'run_started', run: event.id, atMs: event.atMs };
    case 'run_ended':
      return {
        kind: 'run_ended',
        run: event.id,
        atMs: event.atMs,
        result: resultOf(event),
        output: event.output,
      };
    case 'fault':
      return { kind: 'fault', of: faultOf(event), detail: event.detail, active: event.active ?? true };
  }
}

function faultOf({ resource, sensor, code }: Fault): FaultOf {
  return resource === undefined || sensor === undefined
    ? { what: 'monitor', code }
    : { what: 'sensor', resource, sensor };
}

function sensorInput(report: SensorReport): Input {
  return {
    kind: 'sensor',
    resource: report.resource,
    sensor: report.sensor,
    state: report.state,
    atMs: report.atMs,
    cause: report.state === 'down' || report.reason !== undefined ? downCause(report) : null,
    detail: reportWords(report),
    carrier: report.carrier ?? null,
    interface: report.interface ?? null,
    reflex: report.reflex ?? null,
  };
}

function downCause(report: SensorReport): Cause {
  switch (report.reason) {
    case undefined:
      return { kind: 'unknown' };
    case 'process_exit':
      return report.cause === undefined ? { kind: 'unknown' } : causeOf(report.cause);
    case 'probe_failed':
      return { kind: 'probe', error: report.detail ?? 'no answer' };
    default:
      return { kind: 'link', what: report.reason, interface: report.interface ?? '?' };
  }
}

/** What a person wants to read beside a sensor's name. */
export function reportWords(report: SensorReport): string {
  const extra = report.detail ?? '';
  if (report.state !== 'up') return extra;
  if (report.pid !== undefined) return `pid ${report.pid}`;
  if (report.interface !== undefined) {
    const carrier = report.carrier === false ? 'no carrier' : '';
    return [report.interface, ...(report.addresses ?? []), carrier, extra]
      .filter(word => word !== '')
      .join(' ');
  }
  return extra === '' ? 'datagrams pass' : extra;
}

function causeOf(cause: ExitCause): Cause {
  return cause.kind === 'signal'
    ? { kind: 'signal', signal: signalName(cause.signal), coreDumped: cause.coreDumped }
    : cause;
}

function resultOf(event: RunEnded): RunResult {
  if (event.spawnError !== undefined) return { kind: 'not_started', error: event.spawnError };
  if (event.timedOut) return { kind: 'timeout' };
  if (event.exit === undefined) return { kind: 'unknown' };
  return event.exit.kind === 'signal'
    ? { kind: 'signal', signal: signalName(event.exit.signal) }
    : event.exit;
}

function signalName(signal: number): string {
  return signalNames.get(signal) ?? `signal ${signal}`;
}
