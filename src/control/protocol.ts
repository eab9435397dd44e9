/** What is said on the control socket: one JSON line asks, one JSON line answers. */
import { join } from 'node:path';
import { SockmonError } from '../base/errors.js';
import { boolean, number, oneOf, optional, strictObject, type TypeOf, tagged } from '../base/shape.js';
import type { CommandAnswer, NetworkCounters } from '../core/ports.js';
import { actions, idShape } from '../core/records.js';
import type { ConnectionView, Snapshot } from '../report/views.js';
import { runtimeFile } from '../system/folders.js';

export const maxRequestBytes = 64 * 1024;
/** sun_path of unix(7) has 108 bytes, the last of them NUL. */
const maxSocketPathBytes = 107;

const v = oneOf(1);
export const requestShape = tagged(
  'request',
  {
    status: { v },
    command: {
      v,
      action: oneOf(...actions),
      target: optional(idShape),
      dry_run: optional(boolean),
      /** With pause: how long. */
      for_ms: optional(number),
    },
  },
  strictObject,
);
export type ControlRequest = TypeOf<typeof requestShape>;
export type ControlCommand = Extract<ControlRequest, { request: 'command' }>;

export interface StatusAnswer {
  readonly snapshot: Snapshot;
  readonly connection: ConnectionView;
  readonly network: NetworkCounters;
  readonly pid: number;
  readonly version: string;
}

export type AnswerTo<R extends ControlRequest> = R extends { request: 'status' }
  ? StatusAnswer
  : { readonly answer: CommandAnswer };

export type ControlAnswer<R extends ControlRequest = ControlRequest> =
  | ({ readonly ok: true } & AnswerTo<R>)
  | { readonly ok: false; readonly error: string };

/**
 * Where the control socket of a state folder may be: in it, or in the runtime folder when the disk takes no socket.
 * @throws SockmonError STATE_DIR when the path does not fit into a socket address.
 */
export function socketPaths(stateDir: string): { readonly usual: string; readonly fallback: string | null } {
  const usual = join(stateDir, 'control.sock');
  const bytes = Buffer.byteLength(usual);
  if (bytes <= maxSocketPathBytes) return { usual, fallback: runtimeFile(stateDir, 'sock') };
  const words = `The state folder's path is too long for a socket: ${usual} has ${bytes} bytes, ${maxSocketPathBytes} is the most. Choose a shorter one with --state-dir.`;
  throw new SockmonError('STATE_DIR', words);
}
