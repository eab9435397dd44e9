/** Tasks that the kernel holds uninterruptibly, state D of proc_pid_stat(5): who waits for a lock, and who has it. */
import fs from 'node:fs';

/** What waits for a disk is in that state too, for milliseconds: held is what is in it at both looks. */
const betweenLooksMs = 1000;

/** `ip (pid 4711, in rtnl_lock)`, in the order of their numbers. Nothing that is read here waits for the task that it tells of. */
export async function heldTasks(proc = '/proc', waitMs = betweenLooksMs): Promise<string[]> {
  try {
    const first = look(proc);
    if (first.size === 0) return [];
    await new Promise(resolve => setTimeout(resolve, waitMs));
    const second = look(proc);
    return [...second.values()].filter(({ key }) => first.has(key)).map(({ words }) => words);
  } catch (error) {
    return [`(the tasks that the kernel holds cannot be listed: ${(error as Error).message})`];
  }
}

interface Held {
  readonly key: string;
  readonly words: string;
}

function look(proc: string): Map<string, Held> {
  const found = new Map<string, Held>();
  for (const pid of numbersIn(proc)) {
    for (const tid of numbersIn(`${proc}/${pid}/task`)) {
      const task = `${proc}/${pid}/task/${tid}`;
      const held = heldBy(task, tid);
      if (held !== null) found.set(held.key, held);
    }
  }
  return found;
}

function heldBy(task: string, tid: number): Held | null {
  const stat = read(`${task}/stat`);
  // The name may hold whatever is in the way of a simple split.
  const end = stat.lastIndexOf(')');
  if (stat[end + 2] !== 'D') return null;
  const name = stat.slice(stat.indexOf('(') + 1, end);
  // The function of the kernel; 0 where that is not for us to know.
  const where = read(`${task}/wchan`).trim();
  return {
    key: `${tid} ${name}`,
    words: `${name} (pid ${tid}${/^[a-z_]/i.test(where) ? `, in ${where}` : ''})`,
  };
}

/** None of what has ended meanwhile. */
function numbersIn(folder: string): number[] {
  try {
    return fs
      .readdirSync(folder)
      .filter(name => /^\d+$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (folder.endsWith('/task')) return [];
    throw error;
  }
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    // It has ended meanwhile, or its place in the kernel is not for us to know.
    return '';
  }
}
