/** Which boot of this machine it is, and when it began: of a container its own boot, not its host's. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Boot {
  /** The kernel's boot_id (proc_sys_kernel_random); in a container a UUID made from it and the start of its PID 1. */
  readonly id: string;
  /** Milliseconds of CLOCK_BOOTTIME: 0 but in a container. */
  readonly beganMs: number;
}

/** The kernel starts its PID 1 before anything else; that of a container that starts with the machine comes later. */
const ownInitMs = 10_000;
/** Of proc_pid_stat(5) in every clock tick of user space, sysconf(_SC_CLK_TCK). */
const tickMs = 10;

/**
 * A container has the boot_id and the uptime of its host, however often it is rebooted itself: a reboot that has come would be
 * ordered again as one that has not, and a loop of them would look like a machine that is up for weeks.
 */
export function thisBoot(proc = '/proc'): Boot {
  const kernelId = readFileSync(join(proc, 'sys/kernel/random/boot_id'), 'utf8').trim();
  const beganMs = startOfInit(proc);
  if (beganMs < ownInitMs) return { id: kernelId, beganMs: 0 };
  const hex = createHash('sha256').update(`${kernelId} ${beganMs}`).digest('hex');
  return { id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5'), beganMs };
}

/** Milliseconds of CLOCK_BOOTTIME; 0 where it is hidden (hidepid of proc(5)), as on the machine itself. */
function startOfInit(proc: string): number {
  try {
    const stat = readFileSync(join(proc, '1/stat'), 'latin1');
    // The name, in parentheses, may hold anything; what follows it is field 3.
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[22 - 3]);
    return Number.isSafeInteger(ticks) ? ticks * tickMs : 0;
  } catch {
    return 0;
  }
}
