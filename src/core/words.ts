/** Every journal entry as one sentence for a person: the log, `sockmon history` and the messages all say the same. */
import { isHeldBack } from './ladder.js';
import type { Cause, JournalEntry, RecordOf, RunResult } from './records.js';
import type { Held } from './state.js';

const linkWords = {
  interface_gone: 'disappeared',
  interface_down: 'was taken down',
  stack_gone: 'lost the process behind it',
  lower_down: 'lost the interface that it stands on, which was taken down',
  no_address: 'lost its address',
  no_default_route: 'lost the default route',
  no_carrier: 'lost its carrier',
} as const;

/** A few words that fit behind "died: " and into a notification. */
export function causeWords(cause: Cause): string {
  switch (cause.kind) {
    case 'signal':
      return `killed by ${cause.signal}${cause.coreDumped ? ', core dumped' : ''}`;
    case 'exit':
      return `exited with status ${cause.code}`;
    case 'link':
      return `interface ${cause.interface} ${linkWords[cause.what]}`;
    case 'probe':
      return probeWords(cause);
    case 'sensor':
      return cause.words;
    case 'commanded':
      return 'restart commanded';
    case 'unseen':
      return 'died while sockmon was not running';
    case 'unknown':
      return 'cause unknown';
  }
}

/** Packets were dropped or refused. When `lo` itself is down or without addresses, the kernel says so: ENETUNREACH, EADDRNOTAVAIL. */
export function isFiltered(error: string): boolean {
  return ['ETIMEDOUT', 'EPERM', 'EACCES', 'ECONNREFUSED', 'EHOSTUNREACH'].includes(error);
}

function probeWords({ error, beside, filter }: Extract<Cause, { kind: 'probe' }>): string {
  const words = `no datagram passes over loopback (${error})`;
  if (beside === undefined) return words;
  const probably = isFiltered(error)
    ? `probably a packet filter that drops loopback${filter === undefined ? '' : ` (${filter})`}`
    : 'so it is the loopback interface alone';
  return `${words}, while ${beside} carries traffic: ${probably}`;
}

export function resultWords(result: RunResult): string {
  switch (result.kind) {
    case 'exit':
      return result.code === 0 ? 'finished' : `failed with status ${result.code}`;
    case 'signal':
      return `was killed by ${result.signal}`;
    case 'timeout':
      return 'took too long and was ended';
    case 'not_started':
      return isHeldBack(result)
        ? 'was not started: the machine is shutting down'
        : `could not be started (${result.error})`;
    case 'not_needed':
      return 'was not started: it is alive again';
    case 'unknown':
      return 'ended unseen';
  }
}

/** `350 ms`, `12.4 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function durationWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  const units: readonly [number, string][] = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ];
  const first = units.findIndex(([size]) => s >= size);
  const parts = units.slice(first, first + 2).map(([size, name], i) => {
    const rest = i === 0 ? s : s % (units[first]?.[0] ?? 1);
    return `${Math.floor(rest / size)} ${name}`;
  });
  return parts.filter(part => !part.startsWith('0 ')).join(' ');
}

const noticeLevels: Record<RecordOf<'notice'>['what'], Level> = {
  carrier_lost: 'warn',
  carrier_back: 'info',
  route_moved: 'info',
  standby_lost: 'warn',
  standby_back: 'info',
  family_lost: 'warn',
  family_back: 'info',
  degraded: 'warn',
  detection_back: 'info',
  replaced: 'info',
  stopped: 'warn',
  flapping: 'warn',
  steady: 'info',
  held: 'error',
};

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Level and sentence. Info is what the owner wants to know; debug what only we do. */
export function describe(entry: JournalEntry): { level: Level; text: string } {
  switch (entry.type) {
    case 'start':
      return { level: 'debug', text: `sockmon ${entry.version} started` };
    case 'stop':
      return { level: 'info', text: `sockmon stops: ${entry.reason}${goingOnWords(entry.running ?? [])}` };
    case 'seen':
      return { level: 'info', text: `${entry.resource} is alive${entry.detail ? `: ${entry.detail}` : ''}` };
    case 'notice':
      return {
        level: noticeLevels[entry.what],
        text: `${entry.resource}: ${entry.detail}`,
      };
    case 'outage_begin':
      return { level: 'warn', text: `${entry.resource} died: ${causeWords(entry.cause)}` };
    case 'outage_cause':
      return {
        level: 'info',
        text: `${entry.resource}: why it died is known now: ${causeWords(entry.cause)}`,
      };
    case 'outage_root':
      return {
        level: 'info',
        text: `${entry.resource} is down because something that it needs is; it waits for that`,
      };
    case 'evidence':
      return { level: 'debug', text: `${entry.resource}: evidence ${entry.when} the outage` };
    // Its command has been told already.
    case 'pause':
      return {
        level: 'debug',
        text: `${entry.resource ?? 'everything'} is left alone for ${durationWords(entry.untilMs - entry.bootMs)}`,
      };
    case 'resume':
      return { level: 'debug', text: `${entry.resource ?? 'everything'} is recovered again` };
    case 'pause_time':
      return { level: 'info', text: `a pause lasts ${durationWords(entry.forMs)} from now on` };
    case 'reboot_forced':
      return {
        level: 'warn',
        text: `the machine is rebooted ${entry.level === 'force' ? 'by force' : 'by the kernel, after a sync'}`,
      };
    case 'attempt':
      return { level: 'info', text: `${entry.resource}: attempt ${entry.attempt} runs ${entry.script}` };
    case 'run_started':
      return { level: 'debug', text: `${entry.resource}: ${entry.run} is process ${entry.pid}` };
    case 'run_taken_over': {
      const since = durationWords(Math.max(0, entry.bootMs - entry.startedMs));
      return {
        level: 'info',
        text: `${entry.resource}: sockmon was itself restarted; it has taken over attempt ${entry.attempt}, which has been running for ${since} (pid ${entry.pid})`,
      };
    }
    case 'attempt_end':
      return describeAttemptEnd(entry);
    case 'outage_end':
      return describeOutageEnd(entry);
    case 'outage_reopened':
      return describeReopened(entry);
    case 'recovery_failed':
      return { level: 'error', text: `${entry.resource} did not come back: ${entry.detail}` };
    case 'command':
      return describeCommand(entry);
    case 'refusals':
      return {
        level: 'warn',
        text: `${entry.count} more commands from the broker were refused (${entry.code}) within ${durationWords(entry.bootMs - entry.sinceMs)}; each was answered`,
      };
    case 'monitor_fault':
      return { level: entry.active ? 'warn' : 'info', text: `the monitor: ${entry.detail}` };
    case 'alarm':
      return { level: 'error', text: `nothing is watched any more: ${entry.detail}` };
    case 'reboot_intent':
      return { level: 'warn', text: `the machine reboots: ${entry.reason}` };
    case 'reboot_refused':
      return { level: 'warn', text: `no reboot: ${entry.detail} (it was asked for because ${entry.reason})` };
    case 'reboot_failed':
      return { level: 'error', text: `the reboot failed: ${entry.error}` };
    case 'rebooted':
      return {
        level: 'info',
        text: `the machine has rebooted${entry.tookMs === null ? '' : ` in ${durationWords(entry.tookMs)}`}: ${entry.reason}`,
      };
    case 'unwatched':
      return { level: 'debug', text: `${entry.resource} is not watched any more` };
    case 'announced':
      return { level: 'debug', text: `Home Assistant has been told of ${entry.entities.length} entities` };
    case 'published':
      return { level: 'debug', text: `the broker has everything up to entry ${entry.upTo}` };
    case 'compacted':
      return {
        level: 'debug',
        text: `what is older has left the journal, ${entry.outages} outages among it`,
      };
  }
}

/** Scripts outlive sockmon: what they are doing is not undone by a restart of it. */
function goingOnWords(running: NonNullable<RecordOf<'stop'>['running']>): string {
  if (running.length === 0) return '';
  const what = running.map(({ resource, attempt }) => `${resource} (attempt ${attempt})`).join(', ');
  return `; the restart script of ${what} goes on by itself, and the next sockmon takes it over`;
}

type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

function describeAttemptEnd(entry: EntryOf<'attempt_end'>): { level: Level; text: string } {
  const { result } = entry;
  if (result.kind === 'not_needed')
    return { level: 'info', text: `${entry.resource}: attempt ${entry.attempt} ${resultWords(result)}` };
  const failed = result.kind !== 'exit' || result.code !== 0;
  const said =
    failed && entry.output ? `; it said: ${entry.output.trim().split('\n').slice(-3).join(' | ')}` : '';
  return {
    level: failed ? 'warn' : 'info',
    text: `${entry.resource}: attempt ${entry.attempt} ${resultWords(result)} after ${durationWords(entry.durationMs)}${said}`,
  };
}

function describeOutageEnd(entry: EntryOf<'outage_end'>): { level: Level; text: string } {
  if (entry.outcome === 'forgotten') {
    return { level: 'info', text: `${entry.resource} is no longer watched; its outage is closed` };
  }
  const how =
    entry.attempts === 0
      ? 'by itself'
      : entry.attempts === 1
        ? 'at the first attempt'
        : `after ${entry.attempts} attempts`;
  return {
    level: 'info',
    text:
      entry.againMs === undefined
        ? `${entry.resource} is back after ${durationWords(entry.durationMs)}, ${how}`
        : `${entry.resource} is alive again after ${durationWords(entry.againMs)}, ${durationWords(entry.durationMs)} after it died, ${how}`,
  };
}

function describeReopened(entry: EntryOf<'outage_reopened'>): { level: Level; text: string } {
  return {
    level: entry.run === undefined || entry.inDoubt === true ? 'warn' : 'info',
    text: `${entry.resource} ${reopenedWords(entry)}`,
  };
}

/** What has happened to it; its name goes before. */
export function reopenedWords({
  run,
  inDoubt = false,
  atMs,
  backMs,
  cause,
}: RecordOf<'outage_reopened'>): string {
  const after = `${durationWords(Math.max(0, atMs - backMs))} after it was back`;
  if (inDoubt)
    return `died again ${after}, soon after our own restart: ${causeWords(cause)}; the same outage goes on`;
  return run === undefined
    ? `is down again ${after}: ${causeWords(cause)}; the same outage goes on`
    : `was stopped by our own restart ${after}: ${causeWords(cause)}`;
}

function describeCommand(entry: EntryOf<'command'>): { level: Level; text: string } {
  const what =
    entry.action === null ? 'a command' : `${entry.action}${entry.target ? ` ${entry.target}` : ''}`;
  const verdict = entry.status === 'rejected' ? `refused (${entry.code ?? 'invalid'})` : entry.status;
  return {
    level: entry.status === 'rejected' || entry.status === 'failed' ? 'warn' : 'info',
    text: `${what} by ${entry.origin}: ${verdict}: ${entry.detail}`,
  };
}

/** Why nothing is done about what is down. */
export function heldWords(held: Held): string {
  switch (held.why) {
    case 'no_script':
      return 'it has no restart script; sockmon only watches it';
    case 'used_up':
      return 'its attempts are used up';
    case 'vetoed':
      return 'a script said: do not reboot';
    case 'paused':
      return 'recovery is paused';
    case 'degraded':
      return `degraded: its attempts are used up, and ${held.server} still serves`;
    case 'loopback_only':
      return `no reboot is asked for, since ${held.beside} carries traffic and loopback alone fails`;
    case 'reboot_refused':
      return `no reboot: ${held.detail}`;
    case 'reboot_failed':
      return `the reboot failed: ${held.error}`;
    case 'restart_budget':
      return held.detail;
  }
}
