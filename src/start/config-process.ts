/** Starts the process that reads the configuration, and takes over what it has read. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SockmonError } from '../base/errors.js';
import type { Loaded } from '../core/policy.js';
import { type Reading, readingFd, takeOver } from './config-result.js';

const program = fileURLToPath(new URL('./config-reader.js', import.meta.url));
/** A reading takes 0.3 s; a network folder that hangs must not leave a process behind at every SIGHUP. */
const rereadTimeoutMs = 60_000;

/**
 * At the start: the reader talks to the person itself.
 * @returns The exit status where there is nothing to run: the reader has said why.
 * @throws SockmonError INTERNAL when it ended without a result.
 */
export async function readConfiguration(argv: readonly string[]): Promise<Loaded | number> {
  const ending = await read(argv, { stdio: ['inherit', 'inherit', 'inherit', 'pipe'] });
  if (ending.reading !== null && 'loaded' in ending.reading) return ending.reading.loaded;
  if (ending.status === null) throw lost(ending);
  return ending.status;
}

/**
 * For SIGHUP: faults are for the log.
 * @throws SockmonError CONFIG with every fault in its message; INTERNAL when the reader ended without a result.
 */
export async function rereadConfiguration(argv: readonly string[]): Promise<Loaded> {
  const ending = await read(argv, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    timeout: rereadTimeoutMs,
    killSignal: 'SIGKILL',
  });
  if (ending.reading === null) throw lost(ending);
  if ('fault' in ending.reading) throw new SockmonError('CONFIG', ending.reading.fault);
  return ending.reading.loaded;
}

interface Ending {
  readonly reading: Reading | null;
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly signal: string | null;
  /** What it wrote to stderr, where that is a pipe. */
  readonly said: string;
}

function read(argv: readonly string[], options: SpawnOptions): Promise<Ending> {
  return new Promise((resolve, reject) => {
    // Without the daemon's own options for V8: they trade speed for memory.
    const child = spawn(process.execPath, [program, ...argv.slice(2)], options);
    const chunks: Buffer[] = [];
    let said = '';
    child.stdio[readingFd]?.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.once('error', cause => {
      const words = `The process that reads the configuration cannot be started: ${cause.message}. Free some memory or processes and try again.`;
      reject(new SockmonError('INTERNAL', words, { cause }));
    });
    child.once('close', (status, signal) =>
      resolve({ reading: takeOver(Buffer.concat(chunks)), status, signal, said: said.trim() }),
    );
  });
}

function lost({ status, signal, said }: Ending): SockmonError {
  const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
  const words = `The process that reads the configuration ${how} before it had finished. Look for the reason in the kernel's log (dmesg), and try again.`;
  return new SockmonError('INTERNAL', said === '' ? words : `${words}\n${said}`);
}
