/** Which watched processes belong to a unit of systemd, and are better watched as that. */
import type { Now } from './now.js';
import { type Machine, thisMachine, unitOf } from './shutdown-order.js';

/** Words with what to write; nothing where there is nothing to say. */
export function unitHint(now: Now, machine: Machine = thisMachine): string {
  if (!machine.runsSystemd || !('resources' in now)) return '';
  const hints = now.resources.flatMap(({ id, sensors }) =>
    sensors.flatMap(({ kind, pid }) => {
      const unit = kind === 'process' && pid !== null ? unitOf(pid, machine) : null;
      return unit === null ? [] : [`  ${id}: watch: {unit: ${unit}}   # its process ${pid}`];
    }),
  );
  if (hints.length === 0) return '';
  return `
What is watched as a process belongs to a unit of systemd. Watched as that, it is not restarted against "systemctl stop", nor while systemd itself
restarts it, and "restart: {unit: NAME}" needs no script:
${hints.join('\n')}
`;
}
