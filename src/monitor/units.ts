/** Asks systemd about units by systemctl(1), when the sensor of one wants to know: an adapter. Never before a death is known. */
import { execFile } from 'node:child_process';
import type { Advice, Adviser } from '../core/ports.js';
import { adviceOf, parseProperties, type UnitProperties, unitProperties } from '../sensors/unit-state.js';

/** systemctl itself waits for 25 s for a PID 1 that does not answer. */
const answerMs = 5000;
/** While systemd is starting something, it is asked so often: at first, and after a few seconds. Nothing else tells that it has given up. */
const firstPauseMs = 10;
const shortPauseMs = 250;
const longPauseMs = 1000;
const longAfterMs = 10_000;

/** Runs systemctl and gives its stdout. Rejects with an Error in words. */
export type Systemctl = (args: readonly string[], environment: NodeJS.ProcessEnv) => Promise<string>;

const runSystemctl: Systemctl = (args, environment) =>
  new Promise((resolve, reject) => {
    const options = { timeout: answerMs, env: { ...process.env, ...environment } };
    execFile('systemctl', args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr.trim().split('\n')[0] || error.message));
    });
  });

export function systemdAdviser(systemctl: Systemctl = runSystemctl): Adviser {
  const managers = { system: new Manager(false, systemctl), user: new Manager(true, systemctl) };
  return {
    consult: (fields, deadPid, advise) => {
      const ofUser = fields.manager === 'user';
      const manager = ofUser ? managers.user : managers.system;
      return new Consultation(manager, String(fields.name), ofUser, deadPid, advise).begin();
    },
  };
}

/** One question of a sensor, put to systemd until there is a lasting answer. */
class Consultation {
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  private told = '';
  private pauseMs = firstPauseMs;
  private readonly beganMs = performance.now();

  constructor(
    private readonly manager: Manager,
    private readonly name: string,
    private readonly ofUser: boolean,
    private readonly deadPid: number | null,
    private readonly advise: (advice: Advice) => void,
  ) {}

  /** @returns what ends it. */
  begin(): () => void {
    void this.ask();
    return () => {
      this.stopped = true;
      if (this.timer !== null) clearTimeout(this.timer);
    };
  }

  private async ask(): Promise<void> {
    const answer = await this.manager.show(this.name);
    if (this.stopped) return;
    if (answer instanceof Error) {
      // systemctl ends its sentences itself.
      const why = answer.message.replace(/\.+$/, '');
      const fault = `systemd cannot be asked about ${this.name}: ${why}. Whether it restarts or stops it is not known; its processes are watched all the same.`;
      this.advise({ state: 'unknown', fault, faultCode: 'EIO' });
      return;
    }
    const { advice, settled } = adviceOf(answer, this.deadPid, this.ofUser);
    const words = JSON.stringify(advice);
    if (advice !== null && words !== this.told) this.advise(advice);
    this.told = words;
    if (!settled && !this.stopped) this.askLater();
  }

  private askLater(): void {
    this.timer = setTimeout(() => void this.ask(), this.pauseMs);
    const isLong = performance.now() - this.beganMs > longAfterMs;
    this.pauseMs = Math.min(this.pauseMs * 2, isLong ? longPauseMs : shortPauseMs);
  }
}

/** One systemctl at a time, for all units that are asked about meanwhile. */
class Manager {
  private waiting = new Map<string, ((answer: UnitProperties | Error) => void)[]>();
  private busy = false;

  constructor(
    private readonly ofUser: boolean,
    private readonly systemctl: Systemctl,
  ) {}

  show(name: string): Promise<UnitProperties | Error> {
    return new Promise(resolve => {
      this.waiting.set(name, [...(this.waiting.get(name) ?? []), resolve]);
      // What is asked for in the same turn of the loop is asked for at once.
      if (!this.busy) setImmediate(() => void this.work());
    });
  }

  private async work(): Promise<void> {
    if (this.busy || this.waiting.size === 0) return;
    this.busy = true;
    const asked = this.waiting;
    this.waiting = new Map();
    const answers = await this.ask([...asked.keys()]);
    this.busy = false;
    [...asked.values()].forEach((resolves, index) => {
      const answer = answers instanceof Error ? answers : (answers[index] ?? {});
      for (const resolve of resolves) resolve(answer);
    });
    void this.work();
  }

  private async ask(names: readonly string[]): Promise<UnitProperties[] | Error> {
    const args = [
      ...(this.ofUser ? ['--user'] : []),
      ...['--no-pager', 'show', `--property=${unitProperties.join(',')}`, '--'],
      ...names,
    ];
    try {
      const stdout = await this.systemctl(args, this.environment());
      const answers = stdout.trimEnd().split('\n\n').map(parseProperties);
      if (answers.length === names.length) return answers;
      return new Error(`systemctl tells of ${answers.length} units instead of ${names.length}`);
    } catch (error) {
      return error as Error;
    }
  }

  private environment(): NodeJS.ProcessEnv {
    const plain = { LC_ALL: 'C', SYSTEMD_COLORS: '0' };
    if (!this.ofUser) return plain;
    // Not set where sockmon itself is not started by the user's session.
    return {
      XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.() ?? 0}`,
      ...plain,
    };
  }
}
