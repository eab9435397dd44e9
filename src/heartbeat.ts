/** Who watches the watcher: a look at the monitor thread from time to time, and the service manager told only when it has answered. */

/** Without a watchdog of the service manager. One wake-up a minute. */
const everyMs = 60_000;
/** The first look is soon after the start: a thread that hangs at once must not be found a minute later. */
const firstMs = 15_000;
const longestAnswerMs = 10_000;

export interface HeartbeatOptions {
  /** How long the service manager waits for a sign of life; null = it does not. */
  readonly watchdogMs: number | null;
  /** The supervisor's own turn: it is part of what must be alive. */
  readonly tick: () => void;
  /** Resolves when the monitor thread has answered; never, when it hangs or has ended. */
  readonly ping: () => Promise<void>;
  readonly onAnswer: () => void;
  /** Called once, with how long was waited. */
  readonly onSilence: (waitedMs: number) => void;
}

export class Heartbeat {
  private timer: NodeJS.Timeout | null = null;
  private readonly periodMs: number;
  private readonly answerMs: number;

  constructor(private readonly options: HeartbeatOptions) {
    const third = options.watchdogMs === null ? null : options.watchdogMs / 3;
    this.periodMs = third ?? everyMs;
    // Another third is left to record the alarm before the service manager ends the process.
    this.answerMs = third === null ? longestAnswerMs : Math.min(third, longestAnswerMs);
  }

  start(): void {
    this.wait(Math.min(firstMs, this.periodMs), () => this.look());
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private look(): void {
    this.options.tick();
    const silence = this.wait(this.answerMs, () => {
      this.stop();
      this.options.onSilence(this.answerMs);
    });
    void this.options.ping().then(() => {
      // Stopped meanwhile, or too late.
      if (this.timer !== silence) return;
      this.options.onAnswer();
      this.wait(this.periodMs, () => this.look());
    });
  }

  private wait(ms: number, then: () => void): NodeJS.Timeout {
    this.stop();
    this.timer = setTimeout(then, ms);
    return this.timer;
  }
}
