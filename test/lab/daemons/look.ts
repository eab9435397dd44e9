/** What can be seen of a unit's processes from inside of the machine. */
import type { Machine } from './machine.js';

export interface Process {
  readonly pid: number;
  readonly ppid: number;
  readonly user: string;
  /** As the kernel has it: 15 bytes at most. */
  readonly comm: string;
  readonly exe: string;
  readonly command: string;
  /** `udp 0.0.0.0:53` and so on: what it holds open. */
  readonly sockets: readonly string[];
}

/** The processes of a unit, by its control group. */
export async function processesOf(machine: Machine, unit: string): Promise<Process[]> {
  const group = await show(machine, unit, 'ControlGroup');
  if (group === '') return [];
  const script = `for pid in $(cat "/sys/fs/cgroup/systemd${group}/cgroup.procs"); do
  printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' $pid "$(ps -o ppid= -p $pid | tr -d ' ')" "$(ps -o user:20= -p $pid | tr -d ' ')" "$(cat /proc/$pid/comm)" \\
    "$(readlink /proc/$pid/exe)" "$(tr '\\0' ' ' </proc/$pid/cmdline)"
done`;
  const rows = (await machine.try(script)).split('\n').filter(row => row !== '');
  const sockets = await machine.try('ss --no-header -lntup');
  return rows.map(row => {
    const [pid = '', ppid = '', user = '', comm = '', exe = '', command = ''] = row.split('\t');
    return {
      pid: Number(pid),
      ppid: Number(ppid),
      user,
      comm,
      exe,
      command: command.trim(),
      sockets: socketsOf(sockets, Number(pid)),
    };
  });
}

function socketsOf(table: string, pid: number): string[] {
  const mine = table.split('\n').filter(line => line.includes(`pid=${pid},`));
  const words = mine.map(line => {
    const [protocol = '', , , , address = ''] = line.trim().split(/\s+/);
    return `${protocol} ${address}`;
  });
  return [...new Set(words)];
}

export async function show(machine: Machine, unit: string, property: string): Promise<string> {
  return (await machine.try(`systemctl show --property=${property} --value '${unit}'`)).trim();
}

/** Files below /run that hold the pid of one of these, with the pid. */
export async function pidfilesOf(machine: Machine, processes: readonly Process[]): Promise<string[]> {
  const found = await machine.try(
    'find /run -xdev -type f -size -40c -name "*pid*" -exec sh -c \'for f; do echo "$f $(head -n 1 "$f")"; done\' sh {} +',
  );
  const pids = new Set(processes.map(({ pid }) => pid));
  return found.split('\n').filter(line => pids.has(Number(line.split(' ')[1])));
}
