/** Words to the service manager, by sd_notify(3): what systemd shows and acts on. Without one nobody listens, and nothing is sent. */
import type { Told } from '../report/telling.js';

/** The environment that systemd gives to a service of Type=notify with WatchdogSec. */
type Environment = Readonly<Partial<Record<'NOTIFY_SOCKET' | 'WATCHDOG_USEC' | 'WATCHDOG_PID', string>>>;

export interface ServiceManagerOptions {
  /** False when the message was not taken. */
  readonly send: (message: string) => boolean;
  readonly environment: Environment;
  readonly pid: number;
}

export class ServiceManager {
  /** Whether there is one that wants to hear. */
  readonly listens: boolean;
  /** It ends a service that has been silent for so long; null = it does not watch. */
  readonly watchdogMs: number | null;
  private said = '';
  private next: (() => string) | null = null;

  constructor(private readonly options: ServiceManagerOptions) {
    const { environment, pid } = options;
    this.listens = Boolean(environment.NOTIFY_SOCKET);
    this.watchdogMs = this.listens ? watchdogMs(environment, pid) : null;
  }

  ready(): void {
    this.say('READY=1');
  }

  /** Without MONOTONIC_USEC a unit of Type=notify-reload would wait in vain. */
  reloading(): void {
    this.say(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    this.say('STOPPING=1');
  }

  alive(): void {
    this.say('WATCHDOG=1');
  }

  /** One line for `systemctl status`, made at the end of the turn. Of several within a turn of the event loop the last one counts. */
  status(sentence: () => string): void {
    if (!this.listens) return;
    const isWaiting = this.next !== null;
    this.next = sentence;
    if (!isWaiting) setImmediate(() => this.sayStatus());
  }

  /** A status that nothing follows: said at once. */
  lastWords(sentence: string): void {
    this.say(`STATUS=${sentence}`);
  }

  private sayStatus(): void {
    const sentence = (this.next?.() ?? '').replace(/\s+/g, ' ');
    this.next = null;
    if (sentence === this.said) return;
    // What was not taken is said again with the next change.
    if (this.say(`STATUS=${sentence}`)) this.said = sentence;
  }

  private say(message: string): boolean {
    return this.listens && this.options.send(message);
  }
}

/** sd_watchdog_enabled(3): WATCHDOG_PID names another process when the variable was only inherited. */
function watchdogMs({ WATCHDOG_USEC, WATCHDOG_PID }: Environment, pid: number): number | null {
  const usec = Number(WATCHDOG_USEC);
  if (!Number.isSafeInteger(usec) || usec <= 0) return null;
  if (WATCHDOG_PID !== undefined && Number(WATCHDOG_PID) !== pid) return null;
  return usec / 1000;
}

/** `3 resources are up`, `dns is restarting; 2 others are up`. */
export function statusSentence(told: Pick<Told, 'together' | 'watched'>): string {
  const { watched, up, not_up } = told.together();
  const named = Object.entries(not_up).map(([id, state]) => `${id} is ${state}`);
  const unnamed = watched - up - named.length;
  const others = unnamed > 0 ? [...named, `${unnamed} more are not up`] : named;
  const are = up === 1 ? 'is' : 'are';
  if (others.length === 0) return watched === 1 ? `${told.watched()[0]?.id} is up` : `${up} resources are up`;
  return up === 0
    ? others.join(', ')
    : `${others.join(', ')}; ${up} ${up === 1 ? 'other' : 'others'} ${are} up`;
}
