/** Ends the lab's stack again and again in changing ways, and troubles everything around it, as the dice say. */
import { rmSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Broker } from '../lab/broker.js';
import type { Daemon } from '../lab/daemon.js';
import type { ConfigFile, Lab } from '../lab/lab.js';
import { bootTimeMs } from '../lab/paths.js';
import type { RestartScript } from '../lab/restart-script.js';
import type { Dice } from './dice.js';

const deaths = ['SIGKILL', 'SIGSEGV', 'status 0', 'status 3', 'link down', 'link flap'] as const;
type DaemonFate = 'lives' | 'dies before' | 'dies meanwhile';

/** Deaths so soon after one another would be a flapping resource, which is told once (ladder.ts). */
const quickInARow = 2;
const soonDeathMs = 1100;

export interface Blow {
  readonly what: (typeof deaths)[number];
  readonly daemon: DaemonFate;
  /** CLOCK_BOOTTIME: the outage began between these. */
  readonly fromMs: number;
  readonly toMs: number;
}

export class Tormentor {
  readonly blows: Blow[] = [];
  readonly script: RestartScript;
  private readonly failuresFile: string;
  private quick = 0;

  constructor(
    private readonly lab: Lab,
    private readonly broker: Broker,
    private readonly dice: Dice,
  ) {
    this.failuresFile = `${lab.directory}/failures`;
    this.script = lab.restartScript({ first: repair(lab, this.failuresFile) });
  }

  /** One blow; resolves when the stack is back and the journal says so. Gives the daemon that lives then. */
  async strike(before: Daemon, config: ConfigFile, mayKillDaemon: boolean): Promise<Daemon> {
    const { dice } = this;
    await this.spacing(before);
    if (dice.chance(0.2)) await (this.broker.isRunning ? this.broker.stop() : this.broker.start());
    if (dice.chance(0.2)) writeFileSync(this.failuresFile, 'x\n'.repeat(1 + dice.below(2)));
    const fate: DaemonFate =
      mayKillDaemon && dice.chance(0.4) ? dice.oneOf(['dies before', 'dies meanwhile']) : 'lives';
    const what = dice.oneOf(deaths);
    const seen = before.journal().at(-1)?.seq ?? 0;

    if (fate === 'dies before') await endDaemon(before);
    const fromMs = bootTimeMs();
    await this.endStack(what);
    const struckMs = bootTimeMs();
    if (fate === 'dies meanwhile') {
      // Somewhere between the death and the end of the recovery.
      await pause(dice.below(40));
      await endDaemon(before);
    }
    const daemon = fate === 'lives' ? before : this.lab.run(config);
    await settled(daemon, fate === 'lives' ? seen : null);
    const overMs = bootTimeMs();
    // A living sockmon sees it at once; a new one sees it when it comes.
    const toMs = fate === 'lives' ? Math.min(struckMs + 1000, overMs) : overMs;
    rmSync(this.failuresFile, { force: true });
    this.blows.push({ what, daemon: fate, fromMs, toMs });
    return daemon;
  }

  private async spacing(daemon: Daemon): Promise<void> {
    this.quick = this.quick < quickInARow ? this.quick + 1 : 0;
    if (this.quick > 0) return;
    const backMs = daemon.entries('outage_end').at(-1)?.atMs ?? 0;
    await daemon.until('a second without a death', () => bootTimeMs() > backMs + soonDeathMs);
  }

  private async endStack(what: (typeof deaths)[number]): Promise<void> {
    switch (what) {
      case 'SIGKILL':
      case 'SIGSEGV':
        this.lab.killStack(what);
        return;
      case 'status 0':
        this.lab.killStack({ exitStatus: 0 });
        return;
      case 'status 3':
        this.lab.killStack({ exitStatus: 3 });
        return;
      case 'link down':
        return this.lab.takeLinkDown();
      case 'link flap':
        await this.lab.namespace.run(['ip', '-batch', this.flapFile()]);
    }
  }

  /** Down and up in one breath: the default route does not come back by itself. */
  private flapFile(): string {
    const file = `${this.lab.directory}/flap`;
    writeFileSync(file, 'link set tap0 down\nlink set tap0 up\n');
    return file;
  }
}

async function endDaemon(daemon: Daemon): Promise<void> {
  daemon.kill('SIGKILL');
  await daemon.ended;
}

/** The stack is known to be up. @param after a new outage must have ended since; null: the daemon is a new one and has to see it. */
function settled(daemon: Daemon, after: number | null): Promise<unknown> {
  return daemon.until(
    'the stack to be back',
    () => {
      const journal = daemon.journal();
      const from =
        after ?? journal.findLast(entry => entry.type === 'start' && entry.pid === daemon.pid)?.seq;
      if (from === undefined) return false;
      const last = journal.findLast(
        ({ type }) => type === 'seen' || type === 'outage_begin' || type === 'outage_end',
      );
      return last !== undefined && last.seq > from && last.type !== 'outage_begin';
    },
    // The whole journal is read each time.
    { deadlineMs: 60_000, pollMs: 50 },
  );
}

/**
 * A careful restart script: one at a time, leaves a stack alone that works, ends what is left of one that does not, and waits for that: its
 * death after the new stack is up would be another outage.
 */
function repair(lab: Lab, failuresFile: string): string {
  const { pidfile } = lab.stack;
  return `[ -n "$ALONE" ] || ALONE=1 exec flock --close '${lab.directory}/lock' "$0"
if [ -s '${failuresFile}' ]; then
  sed -i 1d '${failuresFile}'
  echo 'the chaos makes this attempt fail'
  exit 7
fi
if ip -brief address show dev tap0 up | grep -q 10.0.2.100 && ip route show default | grep -q tap0; then exit 0; fi
old=$(cat '${pidfile}')
kill -9 "$old" 2>/dev/null
while ip link show dev tap0 >/dev/null 2>&1 || grep -qs '^State:[[:space:]][^ZX]' "/proc/$old/status"; do sleep 0.01; done`;
}
