/** Who watches the watcher: a look at the monitor thread from time to time, and the service manager told only when it has answered. */

/** Without a watchdog of the service manager. One wake-up a minute. */
const everyMs = 60_000;
/** The first look is soon after the start: a thread that hangs at once must not be found a minute later. */
const firstMs = 15_000;
const longestAnswerMs = 10_000;
/**
 * The wait for an answer goes in so many parts. A part in which this thread itself stood still (fdatasync on a card that stalls, the
 * whole process frozen) is over late, but it is one part: whatever happens, the monitor thread has had half of the time to answer.
 */
const partsOfWait = 2;

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
  /** Whatever was begun under an earlier number is over. */
  private turn = 0;
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
    this.turn++;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private look(): void {
    this.options.tick();
    const { turn } = this;
    this.listen(partsOfWait);
    void this.options.ping().then(() => {
      // Stopped meanwhile, or too late.
      if (this.turn !== turn) return;
      this.stop();
      this.wait(this.periodMs, () => this.look());
      this.options.onAnswer();
    });
  }

  private listen(parts: number): void {
    const { turn } = this;
    this.wait(this.answerMs / partsOfWait, () => {
      // Timers come before the poll for what other threads have sent: an answer may lie there for as long as this thread stood still.
      setImmediate(() => {
        if (this.turn !== turn) return;
        if (parts > 1) return this.listen(parts - 1);
        this.stop();
        this.options.onSilence(this.answerMs);
      });
    });
  }

  private wait(ms: number, then: () => void): void {
    this.timer = setTimeout(then, ms);
  }
}
