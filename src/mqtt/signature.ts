/** Whether a command comes from somebody who knows the key. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ReceivedCommand } from '../core/ports.js';

export interface SigningKey {
  readonly node: string;
  readonly key: string;
}

/** The payload of a command, as far as it is signed. */
export interface SignedCommand {
  readonly id: string;
  readonly action: string;
  readonly target?: string | undefined;
  readonly issued_at: string;
  readonly expires_at?: string | undefined;
  readonly reason?: string | undefined;
  readonly dry_run?: boolean | undefined;
  readonly for?: string | undefined;
  readonly for_s?: number | undefined;
  readonly sig?: string | undefined;
}

/**
 * What is signed: everything that is said, each on its line and as it was written. None but the last can hold a line break, so
 * no two commands have the same text. The first line is for the day when the text has to change.
 */
export function signedText(node: string, command: SignedCommand): string {
  const { action, target = '', id, issued_at, expires_at = '', dry_run, reason = '' } = command;
  const duration = command.for ?? command.for_s ?? '';
  const dryRun = dry_run ? 'true' : '';
  return ['sockmon1', node, action, target, id, issued_at, expires_at, duration, dryRun, reason].join('\n');
}

export function sign({ node, key }: SigningKey, command: SignedCommand): string {
  return createHmac('sha256', key).update(signedText(node, command)).digest('base64url');
}

export function signatureOf(
  signingKey: SigningKey,
  command: SignedCommand,
): NonNullable<ReceivedCommand['signature']> {
  if (command.sig === undefined) return 'missing';
  const expected = Buffer.from(sign(signingKey, command), 'base64url');
  const given = Buffer.from(command.sig, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected) ? 'valid' : 'bad';
}
