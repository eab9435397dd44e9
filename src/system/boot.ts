/** Which boot of this machine it is, and when it began: of a container its own boot, not its host's. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Boot {
  /** The kernel's boot_id (proc_sys_kernel_random); in a container a UUID made from it and the start of its PID 1. */
  readonly id: string;
  /** Milliseconds of CLOCK_BOOTTIME: 0 but in a container. */
  readonly beganMs: number;
  readonly isContainer: boolean;
}

/** Of proc_pid_stat(5) in every clock tick of user space, sysconf(_SC_CLK_TCK). */
const tickMs = 10;
/** Among the flags of a thread of the kernel's, PF_KTHREAD of linux/sched.h. */
const kernelThread = 0x0020_0000;

/**
 * A container has the boot_id and the uptime of its host, however often it is rebooted itself: a reboot that has come would be
 * ordered again as one that has not, and a loop of them would look like a machine that is up for weeks.
 */
export function thisBoot(proc = '/proc'): Boot {
  const kernelId = readFileSync(join(proc, 'sys/kernel/random/boot_id'), 'utf8').trim();
  const beganMs = Number(statOf(proc, 1)?.(22)) * tickMs;
  const isContainer = !hasKernelThreads(proc);
  if (Number.isNaN(beganMs) || !isContainer) return { id: kernelId, beganMs: 0, isContainer };
  const hex = createHash('sha256').update(`${kernelId} ${beganMs}`).digest('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, '$1-$2-$3-$4-$5');
  return { id, beganMs, isContainer: true };
}

/** They live in the PID namespace of the machine alone, where PID 2 is their parent, kthreadd. */
function hasKernelThreads(proc: string): boolean {
  return (Number(statOf(proc, 2)?.(9) ?? 0) & kernelThread) !== 0;
}

/** The fields from the third on, by the numbers of proc_pid_stat(5); null where there is no such process, or it is hidden (hidepid of proc(5)). */
function statOf(proc: string, pid: number): ((field: number) => string | undefined) | null {
  let stat: string;
  try {
    stat = readFileSync(join(proc, String(pid), 'stat'), 'latin1');
  } catch {
    // Whatever keeps it from being read, nothing is known of it.
    return null;
  }
  // The name, in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return field => fields[field - 3];
}
