/** MQTT packets as commands. Pure, and total: any bytes give a command, a refusal or nothing. */
import { parseDuration } from '../base/duration.js';
import {
  boolean,
  Mismatch,
  number,
  oneOf,
  optional,
  type Shape,
  strictObject,
  type TypeOf,
  text,
} from '../base/shape.js';
import type { ReceivedCommand } from '../core/ports.js';
import { actions, idShape } from '../core/records.js';
import { isoTime } from '../core/time.js';
import { type SigningKey, signatureOf } from './signature.js';
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

const id = text(value => /^[A-Za-z0-9._-]{8,64}$/.test(value), '8 to 64 of A-Z a-z 0-9 . _ -');
const time = text(isTime, 'a time as 2026-01-31T12:00:00Z');

/** The payload of `…/cmd/run`. */
export const runCommandShape = strictObject({
  v: oneOf(1),
  id,
  action: oneOf(...actions),
  target: optional(idShape),
  issued_at: time,
  expires_at: optional(time),
  reason: optional(atMost(256)),
  dry_run: optional(boolean),
  /** With pause and pause_time, one of the two: how long, as `10m` or in seconds. */
  for: optional(text(value => parseDuration(value) !== null, 'a duration such as 10m or 1h30m')),
  for_s: optional(number),
  /** HMAC-SHA256 by the key of the configuration, in base64url: signature.ts. */
  sig: optional(text(value => /^[A-Za-z0-9_-]{43}$/.test(value), '43 characters of base64url')),
});
type RunCommand = TypeOf<typeof runCommandShape>;

function atMost(length: number): Shape<string> {
  return text(value => value.length <= length, `at most ${length} characters`);
}

/** RFC 3339 (5.6) in capitals, without leap seconds. Date alone takes 30 February for 2 March. */
function isTime(value: string): boolean {
  const time = /^\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/;
  const day = value.slice(0, 10);
  const read = new Date(day);
  return time.test(value) && Number.isFinite(read.getTime()) && isoTime(read.getTime()).startsWith(day);
}

type Common = Pick<
  ReceivedCommand,
  'origin' | 'press' | 'retained' | 'duplicate' | 'sinceConnectMs' | 'signature'
>;

/**
 * @param newId Makes an id for what brings none, safe as a topic level.
 * @param signingKey The key by which commands are to be signed; null = none has to be.
 * @returns null for topics that are not ours and for empty payloads: those are retained messages being cleared.
 */
export function commandOf(
  packet: CommandPacket,
  topics: Topics,
  newId: () => string,
  signingKey: SigningKey | null = null,
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
  if (!isPress) return runOf(packet.payload, common, newId, signingKey);
  return pressOf(packet.payload, signingKey === null ? common : { ...common, signature: 'missing' }, newId);
}

function pressOf(payload: Uint8Array, common: Common, newId: () => string): ReceivedCommand {
  if (textOf(payload) === press) return { ...common, id: `press-${newId()}`, action: 'reboot' };
  return invalid(common, `invalid-${newId()}`, `expected the payload ${press}`);
}

function runOf(
  payload: Uint8Array,
  common: Common,
  newId: () => string,
  signingKey: SigningKey | null,
): ReceivedCommand {
  const text = textOf(payload);
  if (text === null) {
    return invalid(common, `invalid-${newId()}`, `expected at most ${maxCommandBytes} bytes of UTF-8`);
  }
  const value = jsonOf(text);
  if (value === undefined) return invalid(common, `invalid-${newId()}`, 'expected a JSON object');
  const data = runCommandShape(value);
  if (data instanceof Mismatch) {
    return invalid(common, ownId(value) ?? `invalid-${newId()}`, data.words.slice(0, 300));
  }
  const misfit = forMisfit(data);
  if (misfit !== null) return invalid(common, data.id, misfit);
  const forMs = forMsOf(data);
  return {
    ...common,
    id: data.id,
    action: data.action,
    ...(data.target === undefined ? {} : { target: data.target }),
    ...(data.reason === undefined ? {} : { detail: data.reason }),
    issuedWallMs: Date.parse(data.issued_at),
    ...(data.expires_at === undefined ? {} : { expiresWallMs: Date.parse(data.expires_at) }),
    ...(data.dry_run === undefined ? {} : { dryRun: data.dry_run }),
    ...(forMs === null ? {} : { forMs }),
    ...(signingKey === null ? {} : { signature: signatureOf(signingKey, data) }),
  };
}

/** A time with anything else than a pause is a misunderstanding. How long is the guard's affair. */
function forMisfit(data: RunCommand): string | null {
  const given = [data.for, data.for_s].filter(value => value !== undefined).length;
  if (given > 1) return 'for: give for ("10m") or for_s (600), one of the two';
  if (data.action === 'pause_time') return given === 1 ? null : 'for: pause_time needs for ("10m") or for_s';
  return data.action === 'pause' || given === 0
    ? null
    : `for: goes with pause and pause_time only, not with ${data.action}`;
}

function forMsOf(data: RunCommand): number | null {
  if (data.for !== undefined) return parseDuration(data.for);
  return data.for_s === undefined ? null : Math.round(data.for_s * 1000);
}

function invalid(common: Common, commandId: string, detail: string): ReceivedCommand {
  return { ...common, id: commandId, action: null, detail };
}

/** The sender's own id, so that it finds its refusal. */
function ownId(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'id')) return null;
  const own = id((value as { id: unknown }).id);
  return own instanceof Mismatch ? null : own;
}

function textOf(payload: Uint8Array): string | null {
  if (payload.length > maxCommandBytes) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
  } catch {
    // TypeError: no UTF-8. The caller refuses it as invalid.
    return null;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // SyntaxError: no JSON. The caller refuses it as invalid.
    return undefined;
  }
}
