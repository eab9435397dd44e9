/**
 * Which services systemd may stop before sockmon when the machine goes down: their end would look like a death, with a restart, an
 * outage and a message at every reboot.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { loadAddon } from '../addon.js';
import type { Config, Sensor } from '../core/policy.js';
import { nativeSensor } from '../sensors/kinds.js';

export interface Machine {
  /** Whether systemd is PID 1, sd_booted(3). */
  readonly runsSystemd: boolean;
  /** Text of /proc/PID/cgroup. */
  cgroupOf(pid: number): string;
  /** The units of a unit's property, as "systemctl show" gives them. */
  property(unit: string, property: 'After' | 'Before'): readonly string[];
}

export const thisMachine: Machine = {
  runsSystemd: existsSync('/run/systemd/system'),
  cgroupOf: pid => readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
  property: (unit, property) => {
    const args = ['show', `--property=${property}`, '--value', unit];
    const { stdout } = spawnSync('systemctl', args, { encoding: 'utf8', timeout: 5000 });
    return (stdout ?? '').split(/\s+/).filter(word => word !== '');
  },
};

/** Words with the drop-in that puts it right; nothing where there is nothing to do, or where it cannot be known. */
export function orderingHint(config: Config, machine: Machine = thisMachine): string {
  if (!machine.runsSystemd) return '';
  const found = watchedProcesses(config).flatMap(({ pid }) => unitOf(pid, machine) ?? []);
  const units = new Set([...found, ...watchedUnits(config)]);
  if (units.size === 0) return '';
  const after = new Set(machine.property('sockmon.service', 'After'));
  // In order also when both have the same milestone between them, such as network.target.
  const isOrdered = (unit: string): boolean =>
    after.has(unit) || machine.property(unit, 'Before').some(other => after.has(other));
  const loose = [...units].filter(unit => !isOrdered(unit)).sort();
  if (loose.length === 0) return '';
  return `
At a shutdown systemd may stop what is watched before sockmon, which would look like a death. Let sockmon go first ("systemctl edit sockmon"):
  [Unit]
  After=${loose.join(' ')}
`;
}

/** Those of the system's systemd: that of a user is stopped by its session. */
function watchedUnits({ policy }: Config): string[] {
  const sensors = policy.resources.flatMap(resource => resource.sensors);
  return sensors.flatMap(({ kind, fields }) =>
    kind === 'unit' && fields.manager === 'system' ? [String(fields.name)] : [],
  );
}

export interface WatchedProcess {
  readonly resource: string;
  readonly sensor: Sensor;
  readonly pid: number;
}

/** The processes that are there now. */
export function watchedProcesses({ policy }: Config): WatchedProcess[] {
  try {
    const { Monitor } = loadAddon();
    const monitor = new Monitor(() => {});
    try {
      return policy.resources.flatMap(({ id, sensors }) => {
        const processes = sensors.filter(({ canKill }) => canKill);
        if (processes.length === 0) return [];
        const reports = monitor.watch(id, processes.map(nativeSensor));
        return reports.flatMap(({ state, pid, sensor: index }) => {
          const sensor = processes[index];
          return state === 'up' && pid !== undefined && sensor !== undefined
            ? [{ resource: id, sensor, pid }]
            : [];
        });
      });
    } finally {
      monitor.close();
    }
  } catch {
    // A hint is not worth an error: `check` is about the file.
    return [];
  }
}

/** A system service, by the control group that systemd has put the process into; what a script of sockmon's left behind is none. */
export function unitOf(pid: number, machine: Machine): string | null {
  try {
    const [, unit] =
      /^(?:0:|\d+:name=systemd):\/system\.slice\/(?:[^/\n]+\.slice\/)*_?([^/\n]+\.service)(?:\/|$)/m.exec(
        machine.cgroupOf(pid),
      ) ?? [];
    return unit === undefined || /^sockmon(-step@.*)?\.service$/.test(unit) ? null : unit;
  } catch {
    return null;
  }
}
