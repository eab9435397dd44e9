/** The daemon's log on stdout, by pino: JSON lines for machines, or one plain line each for people. */
import { fstatSync } from 'node:fs';
import pino from 'pino';
import { printable } from '../base/printable.js';
import type { Config } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { loadAddon } from '../system/addon.js';
import { LineSink } from '../system/line-sink.js';

export interface LogTarget {
  /** Where lines go; default: stdout, which is never waited for. */
  readonly write?: (text: string) => void;
  /** Default: stdout is a terminal and NO_COLOR (no-color.org) is not set. */
  readonly color?: boolean;
  /** Whether systemd's journal reads the lines, which has a time and a level of its own for each. Default: stdout leads there. */
  readonly journal?: boolean;
}

/** Nothing secret is ever logged on purpose; this is for accidents. Without wildcards: they cost three times as much as the line itself. */
const redact = {
  paths: ['', 'mqtt.', 'settings.', 'config.mqtt.'].flatMap(at => [`${at}password`, `${at}tls.key`]),
  censor: '[secret]',
};

export function createLog(settings: Config['log'], target: LogTarget = {}): Log {
  const write = target.write ?? stdoutWriter(lines => log.warn({ lines }, lostWords));
  const color = target.color ?? (process.stdout.isTTY === true && !process.env.NO_COLOR);
  const lineOf = (target.journal ?? leadsToJournal()) ? journalLine : textLines(loadAddon().timeOfDay, color);
  const stream = {
    write: (line: string) => write(settings.format === 'json' ? line : lineOf(line)),
  };
  const options = {
    level: settings.level,
    base: null,
    redact,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const log = pino(options, stream);
  return log;
}

const lostWords =
  'lines are missing here: nobody read the log. What happened is in the journal ("sockmon history")';

function stdoutWriter(onLost: (lines: number) => void): (text: string) => void {
  const { writeNow } = loadAddon();
  const sink = new LineSink({ write: bytes => writeNow(1, bytes), onLost });
  process.on('exit', () => sink.end());
  return line => sink.write(line);
}

const colors: Readonly<Record<string, string>> = {
  debug: '\x1b[2m',
  info: '\x1b[32m',
  warn: '\x1b[33m',
  error: '\x1b[31m',
};

/** systemd.exec(5): $JOURNAL_STREAM is device and inode of the stream that leads to the journal. */
function leadsToJournal(): boolean {
  try {
    const { dev, ino } = fstatSync(1);
    return process.env.JOURNAL_STREAM === `${dev}:${ino}`;
  } catch {
    // EBADF: stdout is closed.
    return false;
  }
}

/** `07:03:12 warn  tcpip: the sentence (outage=3f2a-7)` */
function textLines(timeOfDay: (wallMs: number) => string, color: boolean): (json: string) => string {
  return json => {
    const { level, time, lines } = wordsOf(json);
    const shownLevel = color ? `${colors[level] ?? ''}${level.padEnd(5)}\x1b[0m` : level.padEnd(5);
    // Further lines are indented: no text can look like a line of the log.
    return `${timeOfDay(time)} ${shownLevel} ${lines.join('\n               ')}\n`;
  };
}

/** sd-daemon(3), SyslogLevelPrefix= of systemd.exec(5). */
const priorities: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 };

/** `<4>tcpip: the sentence (outage=3f2a-7)`: each line is an entry of the journal. */
function journalLine(json: string): string {
  const { level, lines } = wordsOf(json);
  return lines.map((line, i) => `<${priorities[level] ?? 6}>${i === 0 ? '' : '    '}${line}\n`).join('');
}

function wordsOf(json: string): { level: string; time: number; lines: string[] } {
  // seq is for whoever joins log and journal by machine.
  const { level, time, msg, resource, seq: _, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const sentence = String(msg ?? '')
    .split('\n')
    .map(printable)
    .join('\n');
  const subject =
    typeof resource === 'string' && !sentence.includes(resource) ? `${printable(resource)}: ` : '';
  const details = Object.entries(fields)
    .filter(([, value]) => typeof value !== 'string' || !sentence.includes(printable(value)))
    .map(([key, value]) => `${printable(key)}=${fieldWords(value)}`);
  const tail = details.length === 0 ? '' : ` (${details.join(' ')})`;
  return { level: String(level), time: Number(time), lines: `${subject}${sentence}${tail}`.split('\n') };
}

function fieldWords(value: unknown): string {
  if (typeof value === 'string') return printable(/[\s"()=]/.test(value) ? JSON.stringify(value) : value);
  if (typeof value === 'object' && value !== null && 'message' in value)
    return printable(JSON.stringify(value.message));
  return printable(JSON.stringify(value) ?? 'undefined');
}
