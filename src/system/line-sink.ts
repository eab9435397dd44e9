/** Lines to a descriptor that may not be read: a collector that hangs, a terminal on Ctrl-S, a full pipe. */

/** What a minute of a busy log takes. */
const mostWaitingBytes = 64 * 1024;
const retryMs = 250;
/** For the last words, which nobody can write later. */
const lastWordsMs = 500;

export interface LineTarget {
  /** Bytes that were taken at once: 0 for none now, -1 when none will ever be taken. Never waits. */
  readonly write: (bytes: Buffer) => number;
  /** Called when the descriptor is read again after lines were dropped; may write to the sink. */
  readonly onLost: (lines: number) => void;
}

/**
 * What is not taken at once waits, in order, up to 64 KiB. Lines beyond that are dropped and counted: a log is worth less than what it tells
 * of, and a daemon that stood still in write(2) would restart nothing.
 */
export class LineSink {
  private waiting: Buffer[] = [];
  private waitingBytes = 0;
  private lost = 0;
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly target: LineTarget) {}

  /** `line` ends with a line feed. */
  write(line: string): void {
    this.flush();
    const bytes = Buffer.from(line);
    // Once lines are missing, the word about them comes before the next one.
    const isTooMuch = this.waiting.length > 0 && this.waitingBytes + bytes.length > mostWaitingBytes;
    if (this.lost > 0 || isTooMuch) this.lost++;
    else this.add(bytes);
    this.flush();
  }

  /** The process ends: waits a moment for who reads slowly. */
  end(): void {
    const limit = performance.now() + lastWordsMs;
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    for (this.flush(); this.waiting.length > 0 && performance.now() < limit; this.flush())
      Atomics.wait(nothing, 0, 0, 10);
  }

  private add(bytes: Buffer): void {
    this.waiting.push(bytes);
    this.waitingBytes += bytes.length;
  }

  private flush(): void {
    for (let bytes = this.waiting[0]; bytes !== undefined; bytes = this.waiting[0]) {
      const taken = this.target.write(bytes);
      if (taken === 0) {
        this.retryLater();
        return;
      }
      // Who has gone is no reason to stop watching; what was for him is lost.
      const left = taken < 0 ? 0 : bytes.length - taken;
      this.waitingBytes -= bytes.length - left;
      if (left > 0) this.waiting[0] = bytes.subarray(taken);
      else this.waiting.shift();
    }
    const { lost } = this;
    this.lost = 0;
    if (lost > 0) this.target.onLost(lost);
  }

  private retryLater(): void {
    if (this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.flush();
    }, retryMs);
    this.timer.unref();
  }
}
