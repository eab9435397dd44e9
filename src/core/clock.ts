/**
 * Two clocks side by side (clock_gettime(2)): CLOCK_BOOTTIME for every duration, the wall clock for telling people.
 * `bootId` (proc_sys_kernel_random) says which boot `bootMs` counts from.
 */
export interface Instant {
  readonly bootId: string;
  /** Milliseconds of CLOCK_BOOTTIME, in a container less what it was at the container's own boot. */
  readonly bootMs: number;
  /** Milliseconds since the epoch. May be wrong while `synced` is false. */
  readonly wallMs: number;
  readonly synced: boolean;
}

export interface Clock {
  now(): Instant;
}

/** The wall time of another moment of the same boot, judged by the clock as it is now. */
export function wallMsAt(bootMs: number, now: Instant): number {
  return Math.round(now.wallMs - (now.bootMs - bootMs));
}

/** RFC 3339 with milliseconds, UTC. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
