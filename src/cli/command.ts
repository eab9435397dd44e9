/** `sockmon restart RESOURCE` and `sockmon reboot`: a request through the same door as every other command. */
import { ask } from '../control/client.js';
import type { ControlCommand } from '../control/protocol.js';
import { errorTable, SockmonError } from '../core/errors.js';
import { type Action, idPattern } from '../core/model.js';
import type { Io } from './io.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';

const answerMs = 5000;

export async function command(
  action: Action,
  target: string | undefined,
  options: PlaceOptions & { dryRun?: true },
  io: Io,
): Promise<number> {
  if (target !== undefined && !idPattern.test(target))
    throw new SockmonError('USAGE', 'That cannot be the name of a resource. "sockmon status" lists them.');
  const request: ControlCommand = {
    v: 1,
    request: 'command',
    action,
    ...(target !== undefined && { target }),
    ...(options.dryRun && { dry_run: true }),
  };
  const { answer } = await ask(findStateDir(options, io), request, answerMs);
  const code = answer.code === null ? '' : ` (${answer.code})`;
  io.out(`${answer.status}${code}: ${answer.detail}\n`);
  const refused = answer.status === 'rejected' || answer.status === 'failed';
  return refused ? errorTable.REFUSED.exitStatus : 0;
}
