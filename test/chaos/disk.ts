/** Small file systems for a test to fill and to break, mounted where nobody else sees them. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Lab } from '../lab/lab.js';
import { run, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';

export class Disk {
  private constructor(
    private readonly holder: number,
    private readonly mountPoint: string,
  ) {}

  /** In memory. */
  static async tmpfs(lab: Lab, bytes: number): Promise<Disk> {
    const disk = await Disk.open(lab);
    await disk.inside(['mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'none', disk.mountPoint]);
    return disk;
  }

  /** ext4 in a file, on a loop device. */
  static async ext4(lab: Lab, image: string): Promise<Disk> {
    const disk = await Disk.open(lab);
    await disk.mount(image);
    return disk;
  }

  private static async open(lab: Lab): Promise<Disk> {
    const mountPoint = `${lab.directory}/disk`;
    mkdirSync(mountPoint, { recursive: true });
    const holder = start(['unshare', '--mount', '--propagation', 'private', 'sleep', 'infinity'], {
      stdio: 'ignore',
    });
    lab.onClose(async () => {
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

  async unmount(): Promise<void> {
    await this.inside(['umount', this.mountPoint]);
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
