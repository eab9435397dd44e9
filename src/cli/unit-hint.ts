/** Which watched processes belong to a unit of systemd, and are better watched as that. */
import type { Config } from '../core/policy.js';
import { type Machine, thisMachine, unitOf, watchedProcesses } from './ordering.js';

/** Words with what to write; nothing where there is nothing to say. */
export function unitHint(config: Config, machine: Machine = thisMachine): string {
  if (!machine.runsSystemd) return '';
  const hints = watchedProcesses(config).flatMap(({ resource, sensor, pid }) => {
    const unit = sensor.kind === 'process' ? unitOf(pid, machine) : null;
    return unit === null ? [] : [`  ${resource}: watch: {unit: ${unit}}   # its process ${pid}`];
  });
  if (hints.length === 0) return '';
  return `
What is watched as a process belongs to a unit of systemd. Watched as that, it is not restarted against "systemctl stop", nor while systemd itself
restarts it, and "restart: {unit: NAME}" needs no script:
${hints.join('\n')}
`;
}
