/** Small file systems for a test to fill and to break, mounted where nobody else sees them. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { run, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';

/** Where a disk is mounted, and what ends it. A Lab is one. */
export interface Home {
  readonly directory: string;
  onClose(close: () => Promise<void>): void;
}

export class Disk {
  private constructor(
    private readonly holder: number,
    private readonly mountPoint: string,
  ) {}

  /** In memory. */
  static async tmpfs(home: Home, bytes: number): Promise<Disk> {
    const disk = await Disk.open(home);
    await disk.inside(['mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'none', disk.mountPoint]);
    return disk;
  }

  /** ext4 in a file, on a loop device. */
  static async ext4(home: Home, image: string): Promise<Disk> {
    const disk = await Disk.open(home);
    await disk.mount(image);
    return disk;
  }

  private static async open(home: Home): Promise<Disk> {
    const mountPoint = `${home.directory}/disk`;
    mkdirSync(mountPoint, { recursive: true });
    const holder = start(['unshare', '--mount', '--propagation', 'private', 'sleep', 'infinity'], {
      stdio: 'ignore',
    });
    home.onClose(async () => {
      // The mounts end with their namespace.
      holder.child.kill('SIGKILL');
      await holder.ended;
    });
    const outside = readlinkSync('/proc/self/ns/mnt');
    await until('the mount namespace', () => readlinkSync(`/proc/${holder.pid}/ns/mnt`) !== outside);
    return new Disk(holder.pid, mountPoint);
  }

  /** Leads into the namespace from outside (proc_pid_root(5)). */
  get path(): string {
    return `/proc/${this.holder}/root${this.mountPoint}`;
  }

  inside(argv: readonly string[]): Promise<string> {
    return run(['nsenter', '--target', String(this.holder), '--mount', '--', ...argv]);
  }

  async mount(image: string): Promise<void> {
    await this.inside(['mount', '-o', 'loop', image, this.mountPoint]);
  }

  /** Takes every free block. */
  fill(): void {
    const fd = openSync(this.filler, 'a');
    try {
      for (const size of [65_536, 4096, 1]) fillWith(fd, Buffer.alloc(size));
    } finally {
      closeSync(fd);
    }
  }

  makeRoom(): void {
    rmSync(this.filler);
  }

  private get filler(): string {
    return `${this.path}/filler`;
  }

  /** The device below, for instance `loop3`. */
  async device(): Promise<string> {
    const source = await this.inside(['findmnt', '--noheadings', '--output', 'SOURCE', this.mountPoint]);
    return source.trim().replace('/dev/', '');
  }
}

function fillWith(fd: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(fd, bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** A new ext4 that turns read-only at its first error, as a gateway's does. */
export async function makeImage(file: string, bytes: number): Promise<void> {
  writeFileSync(file, '');
  truncateSync(file, bytes);
  await run(['mkfs.ext4', '-q', '-e', 'remount-ro', '-m', '0', file]);
}

/** False, or why there can be no ext4 of the test's own. */
export const noLoopDevice =
  process.getuid?.() === 0 && existsSync('/dev/loop-control')
    ? false
    : 'NOT RUN: loop devices are for root alone. Run it as root.';
