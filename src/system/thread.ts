/** What the kernel says of a thread of this process. */
import { readdirSync, readFileSync } from 'node:fs';

/** The letter of proc_pid_stat(5) for the thread of this name; null when there is none. */
export function threadState(name: string, tasks = '/proc/self/task'): string | null {
  for (const tid of readdirSync(tasks)) {
    const stat = statOf(`${tasks}/${tid}/stat`);
    // The name may hold whatever is in the way of a simple split.
    const end = stat.lastIndexOf(')');
    if (stat.slice(stat.indexOf('(') + 1, end) === name) return stat[end + 2] ?? null;
  }
  return null;
}

function statOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // It has ended meanwhile.
    return '';
  }
}

/**
 * What to add to the words about a monitor thread that does not answer. In state D (uninterruptible) no signal reaches it, so that not
 * even the end of the process ends it: a network whose lock (RTNL) is never given back, a file system that never answers.
 */
export function holdWords(tasks?: string): string {
  try {
    return threadState('sockmon', tasks) === 'D' ? '; the kernel holds the monitor thread (state D)' : '';
  } catch {
    // No descriptor left to look with.
    return '';
  }
}
