/** What the process that reads the configuration hands to the daemon: on a pipe, so that a password is in no argument and no environment. */
import fs from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { deepFreeze } from '../base/freeze.js';
import type { Loaded } from '../core/policy.js';

/** The outcome, or why there is none, in the words of a SockmonError. */
export type Reading = { readonly loaded: Loaded } | { readonly fault: string };

/** The descriptor of the pipe in the reading process. */
export const readingFd = 3;

/** A daemon that has ended meanwhile (EPIPE) is none of the reader's business. */
export function handOver(reading: Reading): void {
  try {
    // Unlike JSON it keeps Buffers what they are; both ends are the same Node.
    fs.writeFileSync(readingFd, serialize(reading));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}

/** null when the reader ended before it had handed over all of it. */
export function takeOver(bytes: Buffer): Reading | null {
  let reading: Reading;
  try {
    reading = deserialize(bytes) as Reading;
  } catch {
    // Bytes are missing: deserialize() knows no other complaint about what serialize() has made.
    return null;
  }
  return deepFreeze(reading);
}
