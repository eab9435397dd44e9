/** MQTT packets as commands. Pure, and total: any bytes give a command, a refusal or nothing. */
import { z } from 'zod';
import { actions } from '../core/model.js';
import type { ReceivedCommand } from '../core/ports.js';
import type { Topics } from './topics.js';

export interface CommandPacket {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
  readonly duplicate: boolean;
  readonly sinceConnectMs: number;
}

/** The payload of the reboot button. */
export const press = 'PRESS';

export const maxCommandBytes = 2048;

const id = z.string().regex(/^[A-Za-z0-9._-]{8,64}$/, 'expected 8 to 64 of A-Z a-z 0-9 . _ -');
const time = z.iso.datetime({ offset: true, error: 'expected a time as 2026-01-31T12:00:00Z' });

/** The payload of `…/cmd/run`. */
export const runCommandSchema = z.strictObject({
  v: z.literal(1),
  id,
  action: z.enum(actions),
  target: z.string().max(64).optional(),
  issued_at: time,
  expires_at: time.optional(),
  reason: z.string().max(256).optional(),
  dry_run: z.boolean().optional(),
});

type Common = Pick<ReceivedCommand, 'origin' | 'press' | 'retained' | 'duplicate' | 'sinceConnectMs'>;

/**
 * @param newId Makes an id for what brings none, safe as a topic level.
 * @returns null for topics that are not ours and for empty payloads: those are retained messages being cleared.
 */
export function commandOf(
  packet: CommandPacket,
  topics: Topics,
  newId: () => string,
): ReceivedCommand | null {
  const isPress = packet.topic === topics.reboot;
  if (!isPress && packet.topic !== topics.run) return null;
  if (packet.payload.length === 0) return null;
  const common: Common = {
    origin: isPress ? 'mqtt:press' : 'mqtt:run',
    press: isPress,
    retained: packet.retained,
    duplicate: packet.duplicate,
    sinceConnectMs: packet.sinceConnectMs,
  };
  return isPress ? pressOf(packet.payload, common, newId) : runOf(packet.payload, common, newId);
}

function pressOf(payload: Uint8Array, common: Common, newId: () => string): ReceivedCommand {
  if (textOf(payload) === press) return { ...common, id: `press-${newId()}`, action: 'reboot' };
  return invalid(common, `invalid-${newId()}`, `expected the payload ${press}`);
}

function runOf(payload: Uint8Array, common: Common, newId: () => string): ReceivedCommand {
  const text = textOf(payload);
  if (text === null) {
    return invalid(common, `invalid-${newId()}`, `expected at most ${maxCommandBytes} bytes of UTF-8`);
  }
  const value = jsonOf(text);
  if (value === undefined) return invalid(common, `invalid-${newId()}`, 'expected a JSON object');
  const parsed = runCommandSchema.safeParse(value);
  if (!parsed.success) {
    return invalid(common, ownId(value) ?? `invalid-${newId()}`, issuesInWords(parsed.error));
  }
  const { data } = parsed;
  return {
    ...common,
    id: data.id,
    action: data.action,
    ...(data.target === undefined ? {} : { target: data.target }),
    ...(data.reason === undefined ? {} : { detail: data.reason }),
    issuedWallMs: Date.parse(data.issued_at),
    ...(data.expires_at === undefined ? {} : { expiresWallMs: Date.parse(data.expires_at) }),
    ...(data.dry_run === undefined ? {} : { dryRun: data.dry_run }),
  };
}

function invalid(common: Common, commandId: string, detail: string): ReceivedCommand {
  return { ...common, id: commandId, action: null, detail };
}

/** The sender's own id, so that it finds its refusal. */
function ownId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'id')) return null;
  const parsed = id.safeParse((value as { id: unknown }).id);
  return parsed.success ? parsed.data : null;
}

function issuesInWords(error: z.ZodError): string {
  const words = error.issues.slice(0, 4).map(issue => {
    const key = issue.path.map(String).join('.');
    return key === '' ? issue.message : `${key}: ${issue.message}`;
  });
  return words.join('; ').slice(0, 300);
}

function textOf(payload: Uint8Array): string | null {
  if (payload.length > maxCommandBytes) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    return null;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
