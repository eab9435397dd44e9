/** What a process has taken from the machine, and whether it has taken more since. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { statOf } from '../lab/proc.js';
import { until } from '../lab/wait.js';

export interface Vitals {
  readonly fds: number;
  /** How many descriptors of each kind: a person's first question. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly threads: number;
  readonly zombies: number;
  readonly residentKb: number;
}

/**
 * The history of a hundred outages in memory is some 0.5 MB, and V8 gives memory back when it likes. A leak of one buffer of 64 KB per
 * outage would be above this.
 */
const memoryToleranceKb = 6 * 1024;

export function vitalsOf(pid: number): Vitals {
  const children = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  const zombies = children
    .map(child => statOf(Number(child)))
    .filter(stat => stat?.ppid === pid && stat.state === 'Z');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    fds: readdirSync(`/proc/${pid}/fd`).length,
    kinds: kindsOf(pid),
    threads: readdirSync(`/proc/${pid}/task`).length,
    zombies: zombies.length,
    residentKb: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]),
  };
}

function kindsOf(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = target(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, '');
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return 'closed meanwhile';
  }
}

/** Waits until what is only passing is over: a connection, a script, what V8 has not given back yet. */
export async function assertNoGrowth(pid: number, before: Vitals): Promise<Vitals> {
  await until(
    'what was opened to be closed',
    () => {
      const { fds, threads, zombies, residentKb } = vitalsOf(pid);
      const hasGrown = residentKb - before.residentKb > memoryToleranceKb;
      return fds <= before.fds && threads <= before.threads && zombies === 0 && !hasGrown;
    },
    { context: () => JSON.stringify({ before, after: vitalsOf(pid) }) },
  );
  return vitalsOf(pid);
}
