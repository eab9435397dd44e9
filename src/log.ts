/** The daemon's log on stdout, by pino: JSON lines for machines, or one plain line each for people. */
import pino from 'pino';
import type { Config } from './core/policy.js';
import type { Log } from './core/ports.js';
import { printable } from './printable.js';

export interface LogTarget {
  /** Where lines go; default: stdout, synchronously, so that the last words before an end are not lost. */
  readonly write?: (text: string) => void;
  /** Default: stdout is a terminal and NO_COLOR (no-color.org) is not set. */
  readonly color?: boolean;
}

/** Nothing secret is ever logged on purpose; this is for accidents. */
const redact = {
  paths: ['password', '*.password', '*.*.password', 'tls.key', '*.tls.key'],
  censor: '[secret]',
};

export function createLog(settings: Config['log'], target: LogTarget = {}): Log {
  const write = target.write ?? stdoutWriter();
  const color = target.color ?? (process.stdout.isTTY === true && !process.env.NO_COLOR);
  const stream = {
    write: (line: string) => write(settings.format === 'json' ? line : textLine(line, color)),
  };
  const options = {
    level: settings.level,
    base: null,
    redact,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, stream);
}

function stdoutWriter(): (text: string) => void {
  const stdout = pino.destination({ dest: 1, sync: true });
  // A reader that went away (EPIPE) is no reason to stop watching.
  stdout.on('error', () => {});
  return text => void stdout.write(text);
}

const colors: Readonly<Record<string, string>> = {
  debug: '\x1b[2m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
};

/** `07:03:12 warn  tcpip: the sentence (outage=3f2a-7)` */
export function textLine(json: string, color: boolean): string {
  // seq is for whoever joins log and journal by machine.
  const { level, time, msg, resource, seq: _, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = new Date(Number(time)).toTimeString().slice(0, 8);
  const name = String(level);
  const shownLevel = color ? `${colors[name] ?? ''}${name.padEnd(5)}\x1b[0m` : name.padEnd(5);
  // Further lines are indented: no text can look like a line of the log.
  const sentence = String(msg ?? '')
    .split('\n')
    .map(printable)
    .join('\n               ');
  const subject =
    typeof resource === 'string' && !sentence.includes(resource) ? `${printable(resource)}: ` : '';
  const details = Object.entries(fields)
    .filter(([, value]) => typeof value !== 'string' || !sentence.includes(printable(value)))
    .map(([key, value]) => `${printable(key)}=${fieldWords(value)}`);
  const tail = details.length === 0 ? '' : ` (${details.join(' ')})`;
  return `${clock} ${shownLevel} ${subject}${sentence}${tail}\n`;
}

function fieldWords(value: unknown): string {
  if (typeof value === 'string') return printable(/[\s"()=]/.test(value) ? JSON.stringify(value) : value);
  if (typeof value === 'object' && value !== null && 'message' in value)
    return printable(JSON.stringify(value.message));
  return printable(JSON.stringify(value) ?? 'undefined');
}
