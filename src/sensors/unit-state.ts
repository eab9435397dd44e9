/** What systemd says of a unit, as advice to the native sensor. Pure; src/monitor/units.ts asks. */
import { durationWords } from '../core/words.js';

/** The properties of `systemctl show` that `adviceOf` reads. */
export const unitProperties = [
  'Id',
  'LoadState',
  'ActiveState',
  'SubState',
  'Type',
  'Job',
  'MainPID',
  'Result',
  'ExecMainCode',
  'ExecMainStatus',
  'ExecMainExitTimestampMonotonic',
  'ActiveExitTimestampMonotonic',
  'ControlGroup',
  'Slice',
  'Restart',
  'RestartUSec',
  'TimeoutStartUSec',
  'TimeoutStopUSec',
  'KillSignal',
  'StartLimitBurst',
  'StartLimitIntervalUSec',
  'TriggeredBy',
  'NRestarts',
  'InactiveEnterTimestampMonotonic',
] as const;

export type UnitProperties = Readonly<Partial<Record<(typeof unitProperties)[number], string>>>;

/** Fields for UnitSensor::advise (native/sensors/unit.h). */
export type UnitAdvice = Readonly<Record<string, string | number | boolean>> & { readonly state: string };

export interface Finding {
  /** null: systemd has not noticed yet what the sensor has seen. */
  readonly advice: UnitAdvice | null;
  /** Nothing more will come of itself: the kernel tells what happens next. */
  readonly settled: boolean;
}

/** What never ends by its settings is waited for no longer than this. */
const longestMs = 600_000;

const unitMs: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  month: 2_629_800_000,
  y: 31_557_600_000,
};

/** A time span as systemd.time(7) writes it, `1min 30s`, in ms; `infinity` and what cannot be read: the longest wait. */
export function spanMs(text: string): number {
  if (text === '0') return 0;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([a-z]+)/g)];
  const ms = parts.reduce(
    (sum, [, number, unit]) => sum + Number(number) * (unitMs[unit ?? ''] ?? Infinity),
    0,
  );
  return parts.length === 0 ? longestMs : Math.min(ms, longestMs);
}

/** The folder of a slice below the hierarchy: `system-wg.slice` stands in `system.slice`, systemd.slice(5). */
export function slicePath(slice: string): string {
  if (slice === '-.slice') return '';
  const parts = slice.replace(/\.slice$/, '').split('-');
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('');
}

/** Of one unit: `NAME=VALUE` lines. */
export function parseProperties(text: string): UnitProperties {
  const lines = text.split('\n').map(line => /^([A-Za-z]+)=(.*)$/.exec(line));
  return Object.fromEntries(lines.flatMap(match => (match === null ? [] : [[match[1], match[2]]])));
}

/**
 * @param deadPid the main process whose end the sensor has seen: while systemd still names it, it has nothing to say.
 * @param ofUser the manager is not the system's.
 */
export function adviceOf(unit: UnitProperties, deadPid: number | null, ofUser = false): Finding {
  const learned = learnedOf(unit, ofUser);
  const settled = (advice: UnitAdvice): Finding => ({ advice: { ...learned, ...advice }, settled: true });
  const starting = (withinMs: number): Finding => ({
    advice: { ...learned, state: 'starting', withinMs },
    settled: false,
  });
  const { ActiveState: active = '', SubState: sub = '' } = unit;
  const startMs = spanMs(unit.TimeoutStartUSec ?? '');
  switch (active) {
    case 'activating':
      return starting(startMs + (sub === 'auto-restart' ? spanMs(unit.RestartUSec ?? '') : 0));
    case 'deactivating':
      return starting(spanMs(unit.TimeoutStopUSec ?? '') + Number(learned.graceMs));
    case 'inactive':
    case 'failed':
      // The start of a restart that was asked for is still to come.
      if (unit.Job) return starting(startMs);
      return settled(ended(unit, deadPid !== null));
    default: {
      const pid = Number(unit.MainPID ?? 0);
      if (sub === 'exited') return settled({ state: 'failed', reason: 'failed', words: exitedWords });
      if (pid !== 0 && pid === deadPid) return { advice: null, settled: false };
      // systemd counts its own restarts, from the last start that was ordered.
      return settled({ state: 'running', pid, byOrder: unit.NRestarts === '0' });
    }
  }
}

const exitedWords = 'it keeps no process running (active, exited)';

/** What the sensor is to know at the next death, when there is no time to ask. */
function learnedOf(unit: UnitProperties, ofUser: boolean): Readonly<Record<string, string | number>> {
  const group = unit.ControlGroup || (ofUser ? '' : `${slicePath(unit.Slice || 'system.slice')}/${unit.Id}`);
  const never = unit.Restart === 'no' || unit.Restart === undefined;
  return {
    graceMs: never ? 0 : spanMs(unit.RestartUSec ?? '') + spanMs(unit.TimeoutStartUSec ?? ''),
    stopSignal: Number(unit.KillSignal ?? 15) || 15,
    ...(group !== '' && { place: group }),
    ...faultOf(unit),
  };
}

function faultOf({ Id, LoadState, SubState, Type }: UnitProperties): { fault?: string; faultCode?: string } {
  if (LoadState === 'not-found')
    return {
      faultCode: 'ENOENT',
      fault: `There is no unit ${Id}; "systemctl list-unit-files --type=service" names those there are.`,
    };
  if (LoadState === 'masked')
    return {
      faultCode: 'EPERM',
      fault: `${Id} is masked and cannot be started; "systemctl unmask ${Id}" allows it.`,
    };
  if (LoadState !== undefined && LoadState !== 'loaded')
    return {
      faultCode: 'EINVAL',
      fault: `${Id} cannot be loaded (${LoadState}); "systemctl status ${Id}" says why.`,
    };
  if (Type === 'oneshot' || SubState === 'exited')
    return {
      faultCode: 'EOPNOTSUPP',
      fault: `${Id} does its work and ends: it keeps no process that could be watched. Watch what it sets up instead.`,
    };
  return {};
}

/**
 * systemd unloads what has ended orderly and what no other unit names, and with it all that it knew. Nearly always it was told to end it;
 * what has failed is kept.
 */
const forgottenWords = 'it has ended orderly, and systemd has forgotten whether by an order';

/** Neither running nor on its way there. */
function ended(unit: UnitProperties, hasLived: boolean): UnitAdvice {
  const { Result: result = '' } = unit;
  if (unit.LoadState === 'not-found') return { state: 'stopped', words: 'systemd does not know it any more' };
  if (isOnPurpose(unit)) return { state: 'stopped', words: 'it was stopped by an order to systemd' };
  if (result === 'success' && unit.TriggeredBy)
    return {
      state: 'stopped',
      words: `it has ended with nothing left to do; ${unit.TriggeredBy} starts it again`,
    };
  if (Number(unit.ExecMainExitTimestampMonotonic ?? 0) === 0 && result === 'success')
    return hasLived
      ? { state: 'stopped', words: forgottenWords }
      : { state: 'failed', words: 'it has not been started' };
  const exit = exitOf(unit);
  if (isGivenUp(unit))
    return { state: 'failed', reason: 'start_limit_hit', words: givenUpWords(unit), ...exit };
  const failure = failures[result];
  if (failure !== undefined) return { state: 'failed', reason: 'failed', words: failure, ...exit };
  return { state: 'failed', words: `it has ended (${result})`, ...exit };
}

/**
 * Whether systemd would have restarted it, but for StartLimitBurst=. Result= says so only where nothing else has failed before; else it
 * is seen by the wait for the restart, which has passed since the end of the main process.
 */
function isGivenUp(unit: UnitProperties): boolean {
  if (unit.Result === 'start-limit-hit') return true;
  const burst = Number(unit.StartLimitBurst ?? 0);
  const waitedUs =
    Number(unit.InactiveEnterTimestampMonotonic ?? 0) - Number(unit.ExecMainExitTimestampMonotonic ?? 0);
  return (
    burst > 0 && Number(unit.NRestarts ?? 0) >= burst && waitedUs >= spanMs(unit.RestartUSec ?? '') * 1000
  );
}

function givenUpWords(unit: UnitProperties): string {
  const { StartLimitBurst: burst, StartLimitIntervalUSec: interval = '', ExecMainStatus: status } = unit;
  const last = unit.ExecMainCode === '1' ? `; it exited with status ${status}` : '';
  return `systemd has given it up: more than ${burst} starts within ${durationWords(spanMs(interval))}${last}`;
}

/** Results that say more than the status of the main process. */
const failures: Readonly<Record<string, string>> = {
  timeout: 'systemd waited too long for it (timeout)',
  watchdog: "it did not feed systemd's watchdog (watchdog)",
  'oom-kill': 'the memory ran out (oom-kill)',
  protocol: 'it did not start as its Type= says (protocol)',
  resources: 'systemd lacked what it needs to start it (resources)',
  'exec-condition': 'its ExecCondition= forbids its start (exec-condition)',
};

/** si_code of waitid(2): 1 exited, 2 killed, 3 dumped core. */
function exitOf({ ExecMainCode: code, ExecMainStatus: status }: UnitProperties): Partial<UnitAdvice> {
  if (code === '1') return { exitCode: Number(status) };
  if (code === '2' || code === '3') return { exitSignal: Number(status), coreDumped: code === '3' };
  return {};
}

/**
 * Whether somebody has told systemd to end it: a person, a package's script, a unit that it is bound to. Then it has left the state
 * `active` before its main process ended; where that ended by itself, after it.
 */
function isOnPurpose(unit: UnitProperties): boolean {
  const result = unit.Result ?? '';
  if (!['success', 'exit-code', 'signal', 'core-dump'].includes(result)) return false;
  const leftUs = Number(unit.ActiveExitTimestampMonotonic ?? 0);
  const endedUs = Number(unit.ExecMainExitTimestampMonotonic ?? 0);
  if (leftUs > 0 && endedUs > 0 && leftUs < endedUs) return true;
  if (unit.ActiveState !== 'inactive') return false;
  // Stopped while it was waiting to be restarted: by itself systemd leaves nothing inactive that has failed, or that is always restarted.
  return result !== 'success' || (endedUs > 0 && ['always', 'on-success'].includes(unit.Restart ?? ''));
}
