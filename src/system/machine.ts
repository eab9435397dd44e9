/** The machine itself: its clocks and its reboot. */
import { execFile } from 'node:child_process';
import { offsetMsOf, SteadyOffset } from '../base/clock-offset.js';
import type { RebootPort } from '../core/ports.js';
import type { Clock, Instant } from '../core/time.js';
import type { Addon } from './addon.js';
import { type Boot, thisBoot } from './boot.js';

/** `systemctl reboot` returns once the job is queued; one that hangs is as good as failed. */
const rebootTimeoutMs = 60_000;
/** Between two looks at CLOCK_BOOTTIME: more, and the process stood still in between, so that the wall clock belongs to neither. */
const lookMs = 100;
const looks = 5;

export interface SystemClock extends Clock {
  /** Tells times by the clock of an entry of the journal, if it is of this boot and the clock has not been set since. */
  goOnFrom(entry: Instant | undefined): void;
}

/** @param wallClock For tests. */
export function systemClock(
  addon: Pick<Addon, 'bootTimeMs' | 'clockSynchronized'>,
  boot: Pick<Boot, 'id' | 'beganMs'> = thisBoot(),
  wallClock: () => number = Date.now,
): SystemClock {
  const { id: bootId, beganMs } = boot;
  const offset = new SteadyOffset();
  const seenMs = (): number => {
    for (let look = 1; ; look++) {
      const beforeMs = addon.bootTimeMs();
      const wallMs = wallClock();
      if (addon.bootTimeMs() - beforeMs < lookMs || look === looks) return wallMs - (beforeMs - beganMs);
    }
  };
  return {
    now: (): Instant => {
      const bootMs = addon.bootTimeMs() - beganMs;
      const synced = addon.clockSynchronized();
      let seen = wallClock() - bootMs;
      if (offset.isOther(seen, synced)) seen = seenMs();
      return { bootId, bootMs, wallMs: Math.floor(bootMs) + offset.next(seen, synced), synced };
    },
    goOnFrom: entry => {
      if (entry?.bootId === bootId) offset.goOnFrom(offsetMsOf(entry), entry.synced);
    },
  };
}

/**
 * The ways to reboot. None of them asks the kernel about the network, whose lock may never be given back. `reboot` of the addon is sync(2) and
 * reboot(2), and a reset where a driver holds that up: it comes back only when all of it is refused.
 */
export function systemReboot(addon: Pick<Addon, 'reboot'>, { isContainer }: Boot = thisBoot()): RebootPort {
  return {
    reboot: async (level, command) => {
      if (level !== 'kernel') return runCommand(command);
      try {
        addon.reboot(!isContainer);
        return null;
      } catch (error) {
        return `reboot(2): ${(error as Error).message}`;
      }
    },
  };
}

function runCommand(command: readonly string[]): Promise<string | null> {
  const [file, ...args] = command;
  if (file === undefined) return Promise.resolve('the reboot command is empty');
  const options = { timeout: rebootTimeoutMs, env: scriptEnvironment(process.env) };
  return new Promise(resolve => {
    execFile(file, args, options, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim().slice(-500);
      const words =
        error === null ? null : `${command.join(' ')}: ${error.message}${said === '' ? '' : ` (${said})`}`;
      resolve(words);
    });
  });
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** sockmon's own settings, its service manager's socket and its secrets are not for the scripts. */
const withheld =
  /^(SOCKMON_|NODE_|npm_|NOTIFY_SOCKET$|WATCHDOG_|CREDENTIALS_DIRECTORY$|LISTEN_|INVOCATION_ID$|JOURNAL_STREAM$)/;

/** The environment that scripts get, before their own SOCKMON_ variables. */
export function scriptEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const kept = Object.entries(environment).filter(
    ([name, value]) => value !== undefined && !withheld.test(name),
  );
  return { PATH: defaultPath, ...(Object.fromEntries(kept) as Record<string, string>) };
}
