/** The one door in front of every reboot and every command. Pure; its memory is the journal, folded in History. */

import type { Acted, History } from './history.js';
import type { Policy, RebootPolicy, ResourcePolicy } from './policy.js';
import type { ReceivedCommand } from './ports.js';
import type { Action } from './records.js';
import type { RefusalCode } from './refusal-codes.js';
import type { Instant } from './time.js';
import { durationWords } from './words.js';

export type Verdict =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      readonly code: RefusalCode;
      readonly detail: string;
      readonly retryAtMs: number | null;
    };

const allowed: Verdict = { allowed: true };

function refuse(code: RefusalCode, detail: string, retryAtMs: number | null = null): Verdict {
  return { allowed: false, code, detail, retryAtMs };
}

/** A press right after a connect may be an automation's answer to the connect itself: press, reboot, connect, press. */
const quietAfterConnectMs = 10_000;
/** Two presses of a thumb are one wish, and an automation that has run wild has no more than one in this time. */
const betweenWishesMs = 60_000;
/** How old a command may be that names no expiry of its own. */
const commandLifeMs = 60_000;
/** The longest that expires_at may give it: ids are not remembered for ever. */
const longestLifeMs = 24 * 3_600_000;
/** How far a sender's clock may run ahead of ours. */
const clockSkewMs = 30_000;

/**
 * How old it is at least. Across boots the wall clock counts only where it is known to be right at both ends: a gateway without a clock
 * chip starts anywhere, and one year too late must not give it a new budget at every boot, nor one too early hold it for a year.
 */
function ageMs(then: Acted, history: History, now: Instant): number {
  if (then.bootId === now.bootId) return now.bootMs - then.bootMs;
  const witnessedMs = history.elapsedMsAt(now) - then.witnessedMs;
  return then.synced && now.synced ? Math.max(witnessedMs, now.wallMs - then.wallMs) : witnessedMs;
}

/** Whether the machine may be rebooted now, whoever asks. */
export function judgeReboot(
  policy: RebootPolicy,
  history: History,
  now: Instant,
  automatic = false,
): Verdict {
  if (!policy.allowed) {
    return refuse('not_allowed', 'rebooting is off; set reboot.allowed or start with --allow-reboot');
  }
  if (history.pendingIntent !== null && history.pendingIntent.bootId === now.bootId) {
    return refuse('busy', 'a reboot is under way');
  }
  if (now.bootMs < policy.minUptimeMs) {
    return refuse(
      'uptime_floor',
      `the machine has been up for ${durationWords(now.bootMs)} only, less than ${durationWords(policy.minUptimeMs)}`,
      policy.minUptimeMs,
    );
  }
  if (history.isUnwritten && !mayRebootUnrecorded(automatic, now))
    return refuse('journal_failed', unrecordedWords, automatic ? unrecordedUptimeMs : null);
  const ages = reboots(policy, history, now);
  const heldOff = judgeHoldOff(policy, ages, now);
  if (!heldOff.allowed) return heldOff;
  if (ages.length >= policy.budget.max) {
    const oldest = Math.max(...ages);
    return refuse(
      'budget_exhausted',
      `${ages.length} reboots within ${durationWords(policy.budget.perMs)} are the limit`,
      now.bootMs + policy.budget.perMs - oldest,
    );
  }
  return allowed;
}

/** How many reboots the budget has for now. Waits between them are another matter. */
export function rebootsLeft(policy: RebootPolicy, history: History, now: Instant): number {
  return policy.allowed ? Math.max(0, policy.budget.max - reboots(policy, history, now).length) : 0;
}

/** The ages of those that the budget counts. */
function reboots(policy: RebootPolicy, history: History, now: Instant): number[] {
  return history.intents.map(intent => ageMs(intent, history, now)).filter(age => age < policy.budget.perMs);
}

/** After each reboot of the budget's time the next one has to wait longer. */
function judgeHoldOff(policy: RebootPolicy, ages: readonly number[], now: Instant): Verdict {
  const holdOffMs = policy.holdOffMs[Math.min(ages.length, policy.holdOffMs.length) - 1];
  if (holdOffMs === undefined) return allowed;
  const latest = Math.min(...ages);
  if (latest >= holdOffMs) return allowed;
  const words = `the last reboot was ${durationWords(latest)} ago; after ${ages.length} the next waits ${durationWords(holdOffMs)}`;
  return refuse('hold_off', words, now.bootMs + holdOffMs - latest);
}

/** Whether a resource may get another attempt. Its reflex is armed only while this says yes. */
export function judgeRestart(policy: ResourcePolicy, history: History, now: Instant): Verdict {
  const { max, perMs } = policy.restartBudget;
  const ages = history
    .attemptsOf(policy.id)
    .map(attempt => ageMs(attempt, history, now))
    .filter(age => age < perMs);
  if (ages.length < max) return allowed;
  const words = `${ages.length} attempts within ${durationWords(perMs)} are the limit`;
  return refuse('budget_exhausted', words, now.bootMs + perMs - Math.max(...ages));
}

/** Longest pause: a forgotten one must not leave the house unwatched for ever. */
const longestPauseMs = 24 * 3_600_000;
/** Shortest time that may be set for pauses to come. */
const shortestPauseTimeMs = 60_000;
export const unrecordedWords =
  'the journal cannot be written, and a reboot that nobody remembers could be the first of many';
/** An automatic reboot whose intent cannot be written: uptime is the guard that needs no disk. */
const unrecordedUptimeMs = 24 * 3_600_000;

/** Whether a reboot may be done although the journal does not take its intent. */
export function mayRebootUnrecorded(automatic: boolean, now: Instant): boolean {
  return automatic && now.bootMs >= unrecordedUptimeMs;
}

/** Whether a command may be carried out: proven fresh first, then by what it would do. */
export function judgeCommand(
  command: ReceivedCommand,
  policy: Policy,
  history: History,
  now: Instant,
): Verdict {
  if (command.retained)
    return refuse('retained', 'the message was retained; commands must be sent without retain');
  if (command.mayBeStored)
    return refuse(
      'retained',
      'it may have been stored at the broker before the connection was made; send it again with a new id',
    );
  if (command.action === null) return refuse('invalid', command.detail ?? 'the payload is not a command');
  if (command.duplicate) return refuse('duplicate', 'the broker marked the message as a duplicate');
  if (history.hasRun(command.id))
    return refuse('duplicate', `a command with the id ${command.id} has been carried out already`);
  const fresh = command.press ? judgePress(command) : judgeTimes(command, now);
  if (!fresh.allowed) return fresh;
  const verified = judgeSender(command, policy);
  if (!verified.allowed) return verified;
  const paused = judgePause(command, history, now);
  if (!paused.allowed) return paused;
  const rate = judgeRate(command, history, now);
  if (!rate.allowed) return rate;
  return judgeAction(command, policy, history, now);
}

/** What Home Assistant's buttons, switch and number send; they cannot sign. */
const actionsOfHomeAssistant: readonly (Action | null)[] = ['restart', 'pause', 'resume', 'pause_time'];

/** Where there is a key, what is not signed by it comes from anybody. A person at the machine needs none. */
function judgeSender({ origin, press, action, signature }: ReceivedCommand, { commands }: Policy): Verdict {
  if (!origin.startsWith('mqtt')) return allowed;
  if (!commands.enabled) return refuse('not_allowed', 'commands are off; see commands.enabled');
  if (signature === undefined || signature === 'valid') return allowed;
  if (signature === 'bad')
    return refuse('bad_signature', 'sig does not fit the command; is it made with the same key?');
  if (commands.allowPress && (press || actionsOfHomeAssistant.includes(action))) return allowed;
  return refuse('bad_signature', 'it is not signed; see commands.key_file and commands.allow_press');
}

function judgeAction(command: ReceivedCommand, policy: Policy, history: History, now: Instant): Verdict {
  if (command.action === 'reboot') return judgeReboot(policy.reboot, history, now);
  if (command.action === 'pause_time') return judgePauseTime(command);
  const forEverything =
    command.target === undefined && (command.action === 'pause' || command.action === 'resume');
  const target = policy.resources.find(resource => resource.id === command.target);
  if (target === undefined && !forEverything) {
    const known = shortened(policy.resources.map(resource => resource.id).join(', '));
    return refuse('unknown_target', `there is no resource "${command.target ?? ''}"; watched are: ${known}`);
  }
  switch (command.action) {
    case 'resume': {
      const allMs = target === undefined ? null : history.pausedUntilMs('', now);
      if (allMs === null) return allowed;
      const left = durationWords(allMs - now.bootMs);
      return refuse('paused', `everything is paused for another ${left}; resume without a target`, allMs);
    }
    case 'pause': {
      const forMs = command.forMs ?? history.pauseTimeMs;
      if (forMs > 0 && forMs <= longestPauseMs) return allowed;
      return refuse('invalid', `a pause lasts from a moment to ${durationWords(longestPauseMs)}`);
    }
    case 'restart':
      if (target?.steps.length === 0)
        return refuse('not_allowed', `${target.id} has no restart script; it is watched only`);
      return allowed;
    case 'drill':
      if (target?.steps.length === 0)
        return refuse('not_allowed', `${target.id} has no restart script; nobody would bring it back`);
      if (target?.sensors.some(sensor => sensor.canKill)) return allowed;
      return refuse('not_allowed', `${target?.id} has no process that could be killed`);
    default:
      return allowed;
  }
}

/** An answer has a bound, whatever is configured. */
function shortened(words: string): string {
  return words.length <= 300 ? words : `${words.slice(0, 299)}…`;
}

function judgePauseTime({ forMs = 0, target }: ReceivedCommand): Verdict {
  if (target !== undefined) return refuse('invalid', 'the pause time is the same for all; leave out target');
  if (forMs >= shortestPauseTimeMs && forMs <= longestPauseMs) return allowed;
  const words = `${durationWords(shortestPauseTimeMs)} to ${durationWords(longestPauseMs)}`;
  return refuse('invalid', `the pause time may be ${words}`);
}

/** Somebody works on it. What an automation wants then can wait; a person at the machine knows what he does. */
function judgePause(command: ReceivedCommand, history: History, now: Instant): Verdict {
  const isAct = command.action === 'reboot' || command.action === 'restart' || command.action === 'drill';
  if (!isAct || !command.origin.startsWith('mqtt')) return allowed;
  const untilMs = history.pausedUntilMs(command.target ?? '', now);
  if (untilMs === null) return allowed;
  const left = durationWords(untilMs - now.bootMs);
  return refuse('paused', `recovery is paused for another ${left}; resume it first`, untilMs);
}

/** A pause may be prolonged at any time; what kills, restarts or reboots may not. A person at the machine is no automation. */
function judgeRate(command: ReceivedCommand, history: History, now: Instant): Verdict {
  const isHarmless = ['pause', 'resume', 'pause_time'].includes(command.action ?? '');
  if (isHarmless || !command.origin.startsWith('mqtt')) return allowed;
  const last = history.lastWish(command);
  if (last === undefined || ageMs(last, history, now) >= betweenWishesMs) return allowed;
  return refuse('rate_limited', `the same was commanded less than ${durationWords(betweenWishesMs)} ago`);
}

function judgePress(command: ReceivedCommand): Verdict {
  if (command.sinceConnectMs !== null && command.sinceConnectMs < quietAfterConnectMs) {
    return refuse(
      'too_soon',
      `it came within ${durationWords(quietAfterConnectMs)} after the connection to the broker; press again`,
    );
  }
  return allowed;
}

function judgeTimes(command: ReceivedCommand, now: Instant): Verdict {
  if (command.issuedWallMs === undefined) return allowed;
  // Without a true clock freshness cannot be proven. A restart may be repeated, a reboot may not.
  if (!now.synced) {
    return command.action === 'reboot'
      ? refuse(
          'clock_unsynced',
          "this machine's clock is not synchronised, so the age of the command is unknown",
        )
      : allowed;
  }
  if (command.issuedWallMs > now.wallMs + clockSkewMs)
    return refuse('stale', 'issued_at lies in the future; check the clock of the sender');
  if (command.expiresWallMs !== undefined && now.wallMs > command.expiresWallMs)
    return refuse('expired', 'expires_at has passed');
  if (now.wallMs > command.issuedWallMs + longestLifeMs)
    return refuse('expired', `issued_at is more than ${durationWords(longestLifeMs)} ago`);
  if (command.expiresWallMs === undefined && now.wallMs > command.issuedWallMs + commandLifeMs) {
    return refuse('stale', `issued_at is more than ${durationWords(commandLifeMs)} ago`);
  }
  return allowed;
}
