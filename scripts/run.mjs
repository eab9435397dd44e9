/** How the scripts run other programs: one line on stderr when a step works long, everything it wrote when it fails. */
import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A step that ends sooner is not worth a line. */
const announceAfterMs = 400;

/** A failure that has been explained in a sentence: no stack trace. */
export class Failure extends Error {
  constructor(message, exitStatus = 1) {
    super(message);
    this.exitStatus = exitStatus;
  }
}

export function say(line) {
  process.stderr.write(`sockmon: ${line}\n`);
}

/** Full path of a program, also where an ordinary user's PATH lacks sbin; null when it is not installed. */
export function which(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'];
  for (const folder of folders) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here, or not to be run: the next folder may have it.
    }
  }
  return null;
}

/** Runs a step quietly. @throws Failure with its whole output when it fails. */
export async function step(what, program, args, env = process.env) {
  const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = [];
  child.stdout.on('data', chunk => output.push(chunk));
  child.stderr.on('data', chunk => output.push(chunk));
  const announcement = setTimeout(() => say(`${what} …`), announceAfterMs);
  try {
    const { code, signal } = await ended(child);
    if (code === 0) return;
    const how = signal === null ? `ended with status ${code}` : `was killed by ${signal}`;
    throw new Failure(`${Buffer.concat(output)}\n${what} failed: ${[program, ...args].join(' ')} ${how}.`);
  } finally {
    clearTimeout(announcement);
  }
}

/** Runs a program in the foreground, passes signals on to it, and gives the exit status that a shell would give. */
export async function foreground(program, args, env = process.env) {
  const child = spawn(program, args, { env, stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    // Ctrl-C in a terminal reaches the whole foreground group: passing it on would make it two.
    process.on(signal, () => (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal)));
  }
  const ending = await ended(child);
  leaveTerminal();
  return statusOf(ending);
}

const terminals = [0, 1, 2].filter(fd => isatty(fd));

/** As in src/system/terminal.ts, which may not be compiled: Node aborts at the end when its terminal has gone. */
function leaveTerminal() {
  try {
    closeSync(openSync('/dev/tty'));
  } catch {
    // ENXIO: the terminal has gone.
    for (const fd of terminals) closeSync(fd);
  }
}

/** Resolves when the program has ended and its output has been read. */
export function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

const signalNumbers = { SIGHUP: 1, SIGINT: 2, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

export function statusOf({ code, signal }) {
  return signal === null ? code : 128 + (signalNumbers[signal] ?? 0);
}

/** Runs a script's main function; a Failure becomes its sentence and exit status. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`${error.message.trimStart()}\n`);
    process.exitCode = error.exitStatus;
  }
}

export function exists(path) {
  return existsSync(join(root, path));
}
