/** `sockmon restart`, `reboot`, `pause`, `resume`: a request through the same door as every other command. */

import { parseDuration } from '../base/duration.js';
import { errorTable, SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import { ask } from '../control/client.js';
import type { ControlCommand } from '../control/protocol.js';
import type { CommandAnswer } from '../core/ports.js';
import { type Action, idPattern } from '../core/records.js';
import type { Io } from './io.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';

const answerMs = 5000;

export interface CommandOptions extends PlaceOptions {
  readonly dryRun?: true;
  /** With pause: how long, as the person wrote it. */
  readonly for?: string;
}

export async function command(
  action: Action,
  target: string | undefined,
  options: CommandOptions,
  io: Io,
): Promise<number> {
  const answer = await request(action, target, options, io);
  io.out(answerWords(answer));
  return statusOf(answer);
}

/** @throws SockmonError USAGE, NOT_RUNNING, CONTROL. */
export async function request(
  action: Action,
  target: string | undefined,
  options: CommandOptions,
  io: Io,
): Promise<CommandAnswer> {
  if (target !== undefined && !idPattern.test(target))
    throw new SockmonError('USAGE', 'That cannot be the name of a resource. "sockmon status" lists them.');
  const line: ControlCommand = {
    v: 1,
    request: 'command',
    action,
    ...(target !== undefined && { target }),
    ...(options.dryRun && { dry_run: true }),
    ...(options.for !== undefined && { for_ms: durationOf(options.for) }),
  };
  return (await ask(findStateDir(options, io), line, answerMs)).answer;
}

export function answerWords({ status, code, detail }: CommandAnswer): string {
  return `${status}${code === null ? '' : ` (${code})`}: ${printable(detail)}\n`;
}

export function statusOf({ status }: CommandAnswer): number {
  const refused = status === 'rejected' || status === 'failed';
  return refused ? errorTable.REFUSED.exitStatus : 0;
}

function durationOf(text: string): number {
  const ms = parseDuration(text);
  if (ms !== null) return ms;
  const words = `--for ${printable(text.slice(0, 40))}: expected a duration with its unit, such as 10m or 1h30m.`;
  throw new SockmonError('USAGE', words);
}
