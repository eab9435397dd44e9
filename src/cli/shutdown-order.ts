/**
 * Which services systemd may stop before sockmon when the machine goes down: their end would look like a death, with a restart, an
 * outage and a message at every reboot.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import type { Now } from './now.js';

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
export function orderingHint(now: Now, machine: Machine = thisMachine): string {
  if (!machine.runsSystemd || !('resources' in now)) return '';
  const sensors = now.resources.flatMap(resource => resource.sensors);
  const found = sensors.flatMap(({ pid }) => (pid === null ? [] : (unitOf(pid, machine) ?? [])));
  const units = new Set([...found, ...sensors.flatMap(({ unit }) => unit ?? [])]);
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

/** A system service, by the control group that systemd has put the process into; what a script of sockmon's left behind is none. */
export function unitOf(pid: number, machine: Machine): string | null {
  let cgroup: string;
  try {
    cgroup = machine.cgroupOf(pid);
  } catch {
    // It has ended since it was found, or this kernel has no control groups: no unit, no hint.
    return null;
  }
  const [, unit] =
    /^(?:0:|\d+:name=systemd):\/system\.slice\/(?:[^/\n]+\.slice\/)*_?([^/\n]+\.service)(?:\/|$)/m.exec(
      cgroup,
    ) ?? [];
  return unit === undefined || /^sockmon(-step@.*)?\.service$/.test(unit) ? null : unit;
}
