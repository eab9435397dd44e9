/** What the table says of a daemon besides its line and its reloads, each with the unit freshly started and without sockmon. */
import type { Daemon } from './daemon.js';
import { show } from './look.js';
import type { Machine } from './machine.js';

export interface Claimed {
  readonly says: string;
  readonly holds: boolean;
  /** What the command printed, or said as it failed. */
  readonly output: string;
}

export async function playClaims(machine: Machine, daemon: Daemon): Promise<Claimed[]> {
  const claimed: Claimed[] = [];
  for (const { says, command } of daemon.claims ?? []) {
    await machine.sh(
      `systemctl reset-failed ${daemon.unit}; ${daemon.restart ?? `systemctl restart ${daemon.unit}`}`,
    );
    const env = { MAIN: await watchedPid(machine, daemon), UNIT: daemon.unit };
    try {
      const output = await machine.sh(`exec 2>&1; ${functions}\n${command}`, env);
      claimed.push({ says, holds: true, output: output.trim() });
    } catch (error) {
      const { stdout = '', message } = error as Error & { stdout?: string };
      claimed.push({ says, holds: false, output: stdout.trim() || message });
    }
  }
  return claimed;
}

/** until_true: a condition, for 20 s at most. ms: since the machine's boot. */
const functions = `until_true() { for _ in $(seq 400); do if eval "$1"; then return 0; fi; sleep 0.05; done; echo "never: $1"; return 1; }
ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }`;

/** The pidfile's, where the table's line has one, else systemd's main process. */
async function watchedPid(machine: Machine, daemon: Daemon): Promise<string> {
  const pidfile = /pidfile: ([^,}]+)/.exec(daemon.watch[0] ?? '')?.[1];
  if (pidfile === undefined) return show(machine, daemon.unit, 'MainPID');
  const wait = `for _ in $(seq 100); do test -s ${pidfile} && break; sleep 0.05; done; cat ${pidfile}`;
  return (await machine.sh(wait)).trim();
}
