/** The native monitor as the core's Watcher: translates its events, knows nothing of outages. */
import type { Monitor, NativeEvent, RunEnded, SensorReport } from '../native/index.js';
import type { Addon } from './addon.js';
import { SockmonError } from './core/errors.js';
import type { RunResult } from './core/model.js';
import type { Sensor } from './core/policy.js';
import type { Run, Watcher } from './core/ports.js';
import type { Input } from './core/state.js';
import type { Early } from './early.js';
import { causeOf, signalName } from './sensors/exit-cause.js';
import { nativeSensor, sensorKindOf } from './sensors/kinds.js';

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
  /** Which sensor a report is of. */
  private readonly watched = new Map<string, readonly Sensor[]>();
  /** What has come of them since, while the rest of the program was loaded; null: everything is delivered at once. */
  private held: NativeEvent[] | null = null;

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

  watch(resource: string, sensors: readonly Sensor[]): void {
    this.watched.set(resource, sensors);
    this.give(this.reportsOf(resource, sensors));
  }

  /** How things are by now, in one: what a report of some time ago calls absent may be up. */
  private reportsOf(resource: string, sensors: readonly Sensor[]): Input[] {
    const early = this.early.get(resource);
    this.early.delete(resource);
    const since = early === undefined ? [] : this.takeHeld(resource);
    const native = sensors.map(nativeSensor);
    if (early?.specs === JSON.stringify(native)) return this.inputsOf([...early.reports, ...since]);
    if (early !== undefined) this.monitor.unwatch(resource);
    try {
      return this.inputsOf(this.monitor.watch(resource, native));
    } catch (error) {
      const detail = `it cannot be watched: ${(error as Error).message}`;
      this.give([{ kind: 'fault', resource, sensor: null, detail }]);
      return [];
    }
  }

  private takeHeld(resource: string): NativeEvent[] {
    const held = this.held ?? [];
    const own = held.filter(event => 'resource' in event && event.resource === resource);
    held.splice(0, held.length, ...held.filter(event => !own.includes(event)));
    return own;
  }

  unwatch(resource: string): void {
    this.watched.delete(resource);
    this.monitor.unwatch(resource);
  }

  armReflex(resource: string, run: Run | null): void {
    try {
      this.monitor.armReflex(resource, run === null ? null : this.nativeRun(run));
    } catch (error) {
      // It is restarted all the same, from the ladder, some milliseconds later.
      const detail = `its reflex cannot be armed: ${(error as Error).message}`;
      this.give([{ kind: 'fault', resource, sensor: null, detail }]);
    }
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

  private inputsOf(events: readonly NativeEvent[]): Input[] {
    return events.flatMap(event => {
      if (event.type !== 'sensor') return [inputOf(event)];
      const sensor = this.watched.get(event.resource)?.[event.sensor];
      // Of what is not watched any more: it was on its way when that was decided.
      return sensor === undefined ? [] : [sensorInput(event, sensor)];
    });
  }

  private nativeRun(run: Run) {
    const { id, timeoutMs, graceMs } = run;
    const env = { ...this.options.environment, ...run.env };
    return { id, argv: [...run.argv], env, timeoutMs, graceMs, unlessExists: signsOfShutdown };
  }

  private deliver(events: NativeEvent[]): void {
    this.give(this.inputsOf(events));
    const end = events.find(event => event.type === 'fault' && event.code === 'ESHUTDOWN');
    if (end?.type === 'fault') this.options.onEnd(end.detail);
  }
}

function inputOf(event: Exclude<NativeEvent, SensorReport>): Input {
  switch (event.type) {
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
      return {
        kind: 'fault',
        resource: event.resource ?? null,
        sensor: event.sensor ?? null,
        detail: event.detail,
      };
  }
}

function sensorInput(report: SensorReport, sensor: Sensor): Input {
  const kind = sensorKindOf(sensor);
  const { reason, detail = '' } = report;
  const unexplained = report.state === 'down' ? ({ kind: 'unknown' } as const) : null;
  return {
    kind: 'sensor',
    resource: report.resource,
    sensor: report.sensor,
    state: report.state,
    atMs: report.atMs,
    cause: reason === undefined ? unexplained : kind.cause({ ...report, reason }),
    detail: report.state === 'up' ? kind.alive(report) : detail,
    carrier: report.carrier ?? null,
    interface: report.interface ?? null,
    replaced: report.replaced ?? null,
    reflex: report.reflex ?? null,
  };
}

function resultOf(event: RunEnded): RunResult {
  if (event.spawnError !== undefined) return { kind: 'not_started', error: event.spawnError };
  if (event.timedOut) return { kind: 'timeout' };
  if (event.exit === undefined) return { kind: 'unknown' };
  return event.exit.kind === 'signal'
    ? { kind: 'signal', signal: signalName(event.exit.signal) }
    : event.exit;
}
