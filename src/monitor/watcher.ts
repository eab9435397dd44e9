/** The native monitor as the core's Watcher: translates its events, knows nothing of outages. */
import type {
  AdoptedRun,
  Fault,
  Monitor,
  NativeEvent,
  RunEnded,
  SensorReport,
  WatchOutcome,
  WatchRequest,
} from '../../native/index.js';
import { SockmonError } from '../base/errors.js';
import type { Input } from '../core/input.js';
import type { NativeSensor, Nature, Sensor } from '../core/policy.js';
import type { Adviser, EarlierRun, Log, NetworkCounters, Run, Wanted, Watcher } from '../core/ports.js';
import type { RunResult } from '../core/records.js';
import { nativeSensor } from '../sensors/kinds.js';
import type { Addon } from '../system/addon.js';
import { Consultations } from './consultations.js';
import type { Early } from './handed-over.js';
import { inputOf, sensorInput } from './inputs.js';
import { adoptedRun, type RunFile } from './run-files.cjs';
import type { RunFolder } from './run-folder.js';
import { RunScripts } from './run-scripts.js';

export interface WatcherOptions {
  /** What the thread saw at once comes at once. */
  readonly onInputs: (inputs: readonly Input[]) => void;
  /** The environment of every script, before the run's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** The monitor thread has ended: nothing is watched any more. */
  readonly onEnd: (detail: string) => void;
  /** See Boot: the thread knows the kernel's clock alone. */
  readonly bootBeganMs: number;
  /** By the kind of sensor whose questions they answer. */
  readonly advisers: Readonly<Record<string, Adviser>>;
  /** What was armed before this file was loaded. */
  readonly early: Early | null;
  readonly runFolder: RunFolder;
  readonly log: Log;
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

  /** What has failed and has not been done since: `WHAT RESOURCE`. */
  private readonly failed = new Set<string>();
  private readonly scripts = new RunScripts();
  private readonly consultations: Consultations;

  private readonly bootTimeMs: () => number;

  constructor(
    addon: Addon,
    private readonly options: WatcherOptions,
  ) {
    this.bootTimeMs = addon.bootTimeMs;
    const { early } = options;
    this.consultations = new Consultations(options.advisers, (resource, sensor, advice) =>
      this.monitor.advise(resource, sensor, advice),
    );
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

  takeOver(recorded: readonly EarlierRun[]): readonly EarlierRun[] {
    const { early, runFolder } = this.options;
    // Those of the early start are taken over already; one that has ended since has left its end among what is held.
    const runs = new Map((early?.runs ?? []).map(file => [file.run, this.earlierRun(file)]));
    const note = (run: EarlierRun, isAdopted: boolean | null) => {
      if (isAdopted !== null) runs.set(run.run, isAdopted ? run : { ...run, isOver: true });
    };
    for (const file of runFolder.read()) {
      if (runs.has(file.run)) continue;
      const isAdopted = this.adopt(adoptedRun(file));
      note(this.earlierRun(file), isAdopted);
      if (isAdopted === false) runFolder.remove(file.path);
    }
    for (const run of recorded) {
      const { run: id, resource, pid, startTicks, graceMs } = run;
      if (!runs.has(id)) note(run, this.adopt({ id, resource, pid, startTicks, graceMs }));
    }
    return [...runs.values()];
  }

  /** null: it is not known whether it lives. */
  private adopt(run: AdoptedRun): boolean | null {
    try {
      return this.monitor.adoptRun(run);
    } catch (error) {
      const words = `the script of an earlier sockmon (${run.id}, pid ${run.pid}) cannot be taken over: ${(error as Error).message}`;
      this.options.log.error({ err: error }, words);
      return null;
    }
  }

  /** In the time of this boot. */
  private earlierRun({
    path: _,
    outputInode: __,
    timeoutMs,
    startedMs: kernelMs,
    ...run
  }: RunFile): EarlierRun {
    const startedMs = kernelMs - this.options.bootBeganMs;
    return { ...run, startedMs, deadlineMs: startedMs + timeoutMs };
  }

  watch(wanted: readonly Wanted[]): void {
    const early = new Map<string, NativeEvent[]>();
    const requests: WatchRequest[] = [];
    for (const { resource, sensors } of wanted) {
      this.watched.set(resource, sensors);
      const native = sensors.map(nativeSensor);
      const events = this.takeEarly(resource, native);
      if (events === null) requests.push({ resource, sensors: native });
      else early.set(resource, events);
    }
    const begun = this.watchAll(requests);
    this.give(
      wanted.flatMap(({ resource }) => begun.get(resource) ?? this.inputsOf(early.get(resource) ?? [])),
    );
  }

  /** How things are by now, in one: what a report of some time ago calls absent may be up. null: it is to be watched anew. */
  private takeEarly(resource: string, native: readonly NativeSensor[]): NativeEvent[] | null {
    const early = this.early.get(resource);
    this.early.delete(resource);
    const since = early === undefined ? [] : this.takeHeld(resource);
    if (early?.specs === JSON.stringify(native)) return [...early.reports, ...since];
    // What was given up after a time-out may have been carried out since.
    if (early !== undefined || this.failed.has(`watching ${resource}`)) this.monitor.unwatch(resource);
    return null;
  }

  private watchAll(requests: readonly WatchRequest[]): Map<string, Input[]> {
    const outcomes = requests.length === 0 ? [] : this.monitor.watchAll(requests);
    return new Map(
      requests.map(({ resource }, i) => {
        const { reports, error } = outcomes[i] as WatchOutcome;
        const inputs =
          error === null
            ? [...this.inputsOf(reports), ...this.success('watching', resource)]
            : this.failure('watching', resource, `it cannot be watched: ${error.message}`);
        return [resource, inputs];
      }),
    );
  }

  private takeHeld(resource: string): NativeEvent[] {
    const held = this.held ?? [];
    const own = held.filter(event => 'resource' in event && event.resource === resource);
    held.splice(0, held.length, ...held.filter(event => !own.includes(event)));
    return own;
  }

  unwatch(resource: string): void {
    this.watched.delete(resource);
    this.failed.delete(`watching ${resource}`);
    this.failed.delete(`reflex ${resource}`);
    this.scripts.arm(resource, null);
    this.consultations.end(resource);
    this.monitor.unwatch(resource);
  }

  armReflex(resource: string, run: Run | null, natures: readonly Nature[]): void {
    this.scripts.arm(resource, run?.id ?? null);
    try {
      this.monitor.armReflex(resource, run === null ? null : this.nativeRun(run), natures);
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

  run(run: Run, unlessAlive: boolean): void {
    const result = this.start(run, unlessAlive);
    if (result !== null)
      this.give([{ kind: 'run_ended', run: run.id, atMs: this.bootTimeMs(), result, output: '' }]);
  }

  /** Why nothing was started; null: it was. */
  private start(run: Run, unlessAlive: boolean): RunResult | null {
    try {
      const native = this.nativeRun(run);
      const isStarted = this.monitor.run(
        unlessAlive ? { ...native, unlessAlive: run.purpose.resource } : native,
      );
      return isStarted ? null : { kind: 'not_needed' };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { kind: 'not_started', error: code ?? message };
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

  network(): NetworkCounters {
    return this.monitor.network();
  }

  addresses(): readonly string[] {
    return this.monitor.addresses();
  }

  ping(): Promise<void> {
    return this.monitor.ping();
  }

  close(): void {
    this.consultations.endAll();
    this.monitor.close();
    this.options.runFolder.close();
  }

  private give(inputs: readonly Input[]): void {
    const { onInputs, bootBeganMs } = this.options;
    onInputs(inputs.map(input => ('atMs' in input ? { ...input, atMs: input.atMs - bootBeganMs } : input)));
  }

  private inputsOf(events: readonly NativeEvent[]): Input[] {
    return events.flatMap(event => {
      if (event.type === 'question') {
        const asking = this.watched.get(event.resource)?.[event.sensor];
        if (asking !== undefined) this.consultations.consult(event, asking);
        return [];
      }
      if (event.type === 'run_ended') return [this.runEnded(event)];
      if (event.type !== 'sensor') return [inputOf(event)];
      const sensor = this.watched.get(event.resource)?.[event.sensor];
      // Of what is not watched any more: it was on its way when that was decided.
      return sensor === undefined ? [] : sensorInput(event, sensor);
    });
  }

  /** What could not be started has said nothing: why, is said in its place. */
  private runEnded(event: RunEnded): Input {
    const words = this.scripts.end(event.id, event.spawnError);
    return inputOf(words === null ? event : { ...event, output: words });
  }

  private nativeRun(run: Run) {
    const { id, graceMs } = run;
    const { environment, runFolder } = this.options;
    const runFile = runFolder.fileFor(run);
    this.scripts.add(id, run.argv[0] ?? '');
    return {
      id,
      argv: [...run.argv],
      env: { ...environment, ...run.env },
      // The machine keeps the time: a script that stays on as the service itself must not be ended once the resource is back.
      timeoutMs: 0,
      graceMs,
      unlessExists: signsOfShutdown,
      ...(runFile !== undefined && { runFile }),
    };
  }

  private deliver(events: NativeEvent[]): void {
    const isEnd = (event: NativeEvent): event is Fault =>
      event.type === 'fault' && event.code === 'ESHUTDOWN';
    this.give(this.inputsOf(events.filter(event => !isEnd(event))));
    for (const event of events)
      if (event.type === 'run_started' && event.runFileError !== undefined)
        this.options.runFolder.failed(event.runFileError);
    const end = events.find(isEnd);
    if (end !== undefined) this.options.onEnd(end.detail);
  }
}
