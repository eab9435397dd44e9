/** Waiting for conditions: tests and the demo never sleep a fixed time to be in step with another process. */
import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  readonly deadlineMs?: number;
  readonly pollMs?: number;
  /** Looked at only when the deadline passes: what a person needs to understand why. */
  readonly context?: () => string;
}

/** Generous: it only decides how long a failure takes, never whether a slow machine fails. */
const defaultDeadlineMs = 30_000;

/** Gives what the probe gives as soon as that is not false, null or undefined. @throws Error that says what was waited for. */
export async function until<T>(
  what: string,
  probe: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  { deadlineMs = defaultDeadlineMs, pollMs = 10, context }: WaitOptions = {},
): Promise<T> {
  const endAt = performance.now() + deadlineMs;
  for (;;) {
    const value = await probe();
    if (value !== false && value !== null && value !== undefined) return value;
    if (performance.now() > endAt) {
      throw new Error(`waited ${deadlineMs} ms in vain for ${what}${context ? `\n${context()}` : ''}`);
    }
    await pause(pollMs);
  }
}
