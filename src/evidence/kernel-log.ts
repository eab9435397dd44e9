/** The kernel's log as /dev/kmsg gives it (Documentation/ABI/testing/dev-kmsg): what of it is about a network that dies. */
import fs from 'node:fs';

export interface KernelLine {
  /** Milliseconds of the kernel's log clock: about CLOCK_MONOTONIC, but not steered by NTP (20 ppm = 10 minutes in a year). */
  readonly atMs: number;
  readonly text: string;
}

/** Each read(2) gives one record and costs 10 us: so many, then others get their turn. */
const readsPerTurn = 100;
/** The longest record of the kernel, CONSOLE_EXT_LOG_MAX; a shorter buffer gets EINVAL. */
const recordBytes = 8192;
const keptLines = 100;
const lineChars = 200;

const aboutDevices =
  /\b(?:en[opsx]\w+|wl\w*\d\w*|(?:eth|wlan|wwan|usb|ppp|tap|tun|bond)\d+|(?:lan|wan)\d*|br[-\d]\w*|veth\w*)(?:@\w+)?(?:\.\d+)?(?:: |\): )|\blink (?:is )?(?:up|down|becomes ready)\b/i;
const aboutDeaths =
  /NETDEV WATCHDOG|transmit queue|tx timeout|\bcarrier\b|out of memory|oom-kill|oom_reaper|killed process|blocked for more than|hung task|soft lockup|segfault|general protection|\btraps:/i;

/** A line of the kernel itself that is worth keeping; else null. What programs write to the log is not the kernel's word. */
export function kernelLine(record: string): KernelLine | null {
  const [, priority, micros, text = ''] = /^(\d{1,10}),\d+,(\d{1,18}),[^;]*;(.*)$/.exec(record) ?? [];
  if (priority === undefined || micros === undefined || Number(priority) >> 3 !== 0) return null;
  if (!aboutDeaths.test(text) && !aboutDevices.test(text)) return null;
  // The kernel writes \x1b for an escape of a terminal; anything else beyond ASCII could be half a character.
  const clean = text.replace(/[^\x20-\x7e]/g, '?').slice(0, lineChars);
  return { atMs: Number(micros) / 1000, text: clean };
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

export class KernelLog {
  /** Why it cannot be read, in words; null = it can. */
  fault: string | null = null;
  private fd: number | null = null;
  private readonly buffer = Buffer.alloc(recordBytes);
  /** The begin of a record whose end has not come yet: a file in its place may be cut anywhere. */
  private rest = '';
  private readonly lines: KernelLine[] = [];
  /** How many lines have been kept or forgotten so far. */
  private count = 0;
  private reading: Promise<void> = Promise.resolve();
  private wanted: Promise<void> | null = null;

  constructor(private readonly path: string) {}

  /** Takes in what has come since the last time. One reader at a time: the position belongs to the file. */
  update(): Promise<void> {
    // One reading that has not begun serves everybody who asks meanwhile: 3,000 deaths at once are one look.
    this.wanted ??= this.reading.then(() => {
      this.wanted = null;
      return this.readAll();
    });
    this.reading = this.wanted;
    return this.wanted;
  }

  /** A place in the log: what comes later comes after it, whatever its clock says. */
  mark(): number {
    return this.count;
  }

  /** The last lines since a moment of the log's clock, oldest first. */
  since(fromMs: number, max: number): string[] {
    return this.last(
      this.lines.filter(({ atMs }) => atMs >= fromMs),
      max,
    );
  }

  /** The last lines since a mark, oldest first. */
  after(mark: number, max: number): string[] {
    return this.last(this.lines.slice(Math.max(0, this.lines.length - (this.count - mark))), max);
  }

  private last(lines: readonly KernelLine[], max: number): string[] {
    return lines.slice(-max).map(({ text }) => text);
  }

  private async readAll(): Promise<void> {
    try {
      this.fd ??= fs.openSync(this.path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
      this.fault = null;
      do await turn();
      while (this.readSome(this.fd));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      this.fault = `(the kernel's log ${this.path} cannot be read: ${code ?? message})`;
    }
  }

  /** False when there is nothing left. */
  private readSome(fd: number): boolean {
    for (let turn = 0; turn < readsPerTurn; turn++) {
      try {
        const length = fs.readSync(fd, this.buffer);
        if (length === 0) return false;
        this.take(this.buffer.toString('latin1', 0, length));
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN') return false;
        // EPIPE: what stood at our place has been overwritten; the next read goes on with the oldest there is.
        if (code !== 'EPIPE') throw error;
      }
    }
    return true;
  }

  private take(chunk: string): void {
    const records = (this.rest + chunk).split('\n');
    this.rest = (records.pop() ?? '').slice(0, recordBytes);
    for (const record of records) {
      const line = kernelLine(record);
      if (line === null) continue;
      this.lines.push(line);
      this.count++;
    }
    this.lines.splice(0, this.lines.length - keptLines);
  }
}
