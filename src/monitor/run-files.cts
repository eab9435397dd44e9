// Reads what an earlier sockmon has left in its runtime folder: a file for each script that it was running (native/runs/run_file.h).
// CommonJS, so that arm.cjs can read it before any other module is loaded. Whoever may write there may not stop the start: nothing is
// followed, waited for, or read beyond a limit.
import fs = require('node:fs');
import path = require('node:path');

/** A script and its process, as its run file names them. Times are ms of the kernel's CLOCK_BOOTTIME. */
export interface RunFile {
  readonly path: string;
  readonly run: string;
  readonly resource: string;
  readonly outage: string;
  readonly attempt: number;
  readonly step: string;
  readonly script: string;
  readonly by: 'reflex' | 'ladder' | 'command';
  readonly timeoutMs: number;
  readonly graceMs: number;
  readonly pid: number;
  readonly startTicks: number;
  readonly startedMs: number;
  readonly outputInode: number;
}

export interface RunFiles {
  readonly files: readonly RunFile[];
  /** Of an earlier boot: their processes are gone. */
  readonly outdated: readonly string[];
  /** What is no run file, and why, in words. */
  readonly refused: readonly { readonly path: string; readonly why: string }[];
}

/** A run file has some 600 bytes. */
const longestBytes = 8192;
/** As many scripts as there may be at once; who puts more files there does not keep sockmon from starting. */
const mostFiles = 2000;

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;

/** The kernel's own, also in a container: with it, pid and start name a process. */
export function kernelBootId(): string {
  return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** What is known of a run before it starts. */
export type RunFacts = Omit<RunFile, 'path' | 'pid' | 'startTicks' | 'startedMs' | 'outputInode'>;

/** The text of a run file; the monitor thread adds the line of the process. */
export function runFileText(facts: RunFacts, bootId: string): string {
  return JSON.stringify({ version: 1, bootId, ...facts });
}

/** As the addon's adoptRun() takes it. */
export function adoptedRun({
  run: id,
  resource,
  pid,
  startTicks,
  graceMs,
  outputInode,
  path: runFile,
}: RunFile) {
  return { id, resource, pid, startTicks, graceMs, outputInode, runFile };
}

/** Total: what cannot be read is refused in words. A folder that is not there holds none. */
export function readRunFiles(folder: string): RunFiles {
  const files: RunFile[] = [];
  const outdated: string[] = [];
  const refused: { path: string; why: string }[] = [];
  const bootId = kernelBootId();
  const names = namesIn(folder, why => refused.push({ path: folder, why }));
  for (const name of names.slice(0, mostFiles)) {
    const file = path.join(folder, name);
    try {
      const found = parse(file, name, readText(file));
      if (found.bootId === bootId) files.push(found.file);
      else outdated.push(file);
    } catch (error) {
      // It has ended meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      refused.push({ path: file, why: wordsOf(error as NodeJS.ErrnoException) });
    }
  }
  if (names.length > mostFiles)
    refused.push({ path: folder, why: `it holds ${names.length} files; only ${mostFiles} were looked at` });
  return { files, outdated, refused };
}

function namesIn(folder: string, refuse: (why: string) => void): string[] {
  try {
    const status = fs.lstatSync(folder);
    const complaint = status.isDirectory() ? complaintAbout(status) : 'it is no folder';
    if (complaint === null) return fs.readdirSync(folder);
    refuse(complaint);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') refuse(message);
  }
  return [];
}

/** Whoever could have written it could have a process of their choice ended by us. */
function complaintAbout({ uid, mode }: fs.Stats): string | null {
  const own = process.getuid?.();
  if (uid !== own && uid !== 0) return `it belongs to user ${uid}`;
  return (mode & 0o022) === 0 ? null : 'others may write it';
}

function readText(file: string): string {
  const fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const status = fs.fstatSync(fd);
    if (!status.isFile()) throw new Error('it is no regular file');
    const complaint = complaintAbout(status);
    if (complaint !== null) throw new Error(complaint);
    if (status.size > longestBytes) throw new Error(`it is longer than ${longestBytes} bytes`);
    const buffer = Buffer.alloc(longestBytes);
    return buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, longestBytes, 0));
  } finally {
    fs.closeSync(fd);
  }
}

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  return code === 'ELOOP' ? 'it is a symbolic link' : message;
}

function parse(file: string, name: string, text: string): { bootId: string; file: RunFile } {
  const lines = text.split('\n');
  if (lines.length !== 3 || lines[2] !== '') throw new Error('it is not whole');
  const facts = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  const isText = (key: string): boolean => typeof facts[key] === 'string';
  const isNumber = (key: string): boolean => Number.isFinite(facts[key]) && (facts[key] as number) >= 0;
  const numbers = (lines[1] ?? '')
    .split(' ')
    .map(word => (/^\d{1,16}$/.test(word) ? Number(word) : Number.NaN));
  const [pid = 0, startTicks = 0, startedMs = 0, outputInode = 0] = numbers;
  const isWhole =
    facts !== null &&
    facts.version === 1 &&
    ['bootId', 'run', 'resource', 'outage', 'step', 'script'].every(isText) &&
    ['attempt', 'timeoutMs', 'graceMs'].every(isNumber) &&
    ['reflex', 'ladder', 'command'].includes(facts.by as string) &&
    facts.run === name &&
    facts.run === `${facts.outage}#${facts.attempt}` &&
    numbers.length === 4 &&
    numbers.every(Number.isSafeInteger) &&
    pid > 1 &&
    pid < 2 ** 31 &&
    startTicks > 0;
  if (!isWhole) throw new Error('it is no run file');
  const { bootId, version: _, ...own } = facts as unknown as RunFile & { bootId: string; version: number };
  return { bootId, file: { ...own, path: file, pid, startTicks, startedMs, outputInode } };
}
