/** Why there is no connection, in words for a person. Pure. */
import { ReasonCodes } from 'mqtt';
import type { Endpoint } from './endpoint.js';
import { speaksNoTls, tlsWords } from './tls-words.js';

/** What is known of an attempt that had not been connected. */
export interface Circumstances {
  readonly endpoint: Endpoint;
  /** What MQTT is spoken through stood. */
  readonly established: boolean;
  /** The first bytes that came over plain TCP. */
  readonly head: Buffer | null;
}

const errnoWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the broker hung up',
  EPIPE: 'the broker hung up',
  ETIMEDOUT: 'no answer',
  ENETUNREACH: 'there is no route to it',
  EHOSTUNREACH: 'there is no route to it',
  ENETDOWN: 'the network is down',
  EADDRNOTAVAIL: 'there is no address here to reach it from',
  EAFNOSUPPORT: 'this machine has no such protocol (IPv6 may be switched off)',
  EACCES: 'no permission to open the connection',
  EPERM: "this machine's packet filter forbids it",
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'the name server does not answer',
  ENOENT: 'the socket does not exist',
};

/** MQTT.js has no codes for these. */
const messageWords: Readonly<Record<string, string>> = {
  'Keepalive timeout': 'no answer any more',
  'connack timeout': silenceWords(),
};

/** It takes the connection, and says nothing. */
export function silenceWords(): string {
  return 'the connection is taken and nothing is answered: the broker is frozen or overloaded, or something else listens there';
}

export function failureWords(error: Error | null, around: Circumstances | null = null): string {
  const misfit = around === null ? null : misfitWords(error, around);
  if (misfit !== null) return misfit;
  if (error === null) return 'the broker hung up';
  const code = codeOf(error);
  const known = errnoWords[code] ?? tlsWords(error) ?? messageWords[error.message];
  // An AggregateError of several addresses has a code and no message.
  return known ?? (firstLine(error.message) || code || 'unknown failure');
}

/** A scheme, port or path by which the connection can never be made; null where it may be made. */
export function misfitWords(
  error: Error | null,
  { endpoint, established, head }: Circumstances,
): string | null {
  if (endpoint.kind === 'unix') return null;
  const { kind, tls, port } = endpoint;
  const plain = kind === 'ws' ? 'ws' : 'mqtt';
  // A TLS record of type alert or handshake (RFC 8446, 5.1).
  if (!tls && head !== null && (head[0] === 0x15 || head[0] === 0x16) && head[1] === 3)
    return tlsIsThereWords(endpoint);
  if (kind === 'tcp' && !tls && head?.toString('latin1').startsWith('HTTP/'))
    return `a web server answers at port ${port}: give the port of MQTT (most often 1883), or write ws:// if it takes websockets`;
  if (tls && !established && error !== null && speaksNoTls(error))
    return `no TLS is spoken at port ${port}: write ${plain}:// in mqtt.url, or give the port of TLS (most often ${kind === 'ws' ? 443 : 8883})`;
  if (tls && !established && isHangUp(error))
    return `the broker hangs up at the TLS handshake: probably no TLS is spoken at port ${port}, where ${plain}:// would do`;
  if (kind === 'ws') return webSocketWords(error, established, endpoint);
  return null;
}

/** Of a port that was spoken to without. */
export function tlsIsThereWords({ kind, port }: Exclude<Endpoint, { kind: 'unix' }>): string {
  return `TLS is spoken at port ${port}: write ${kind === 'ws' ? 'wss' : 'mqtts'}:// in mqtt.url`;
}

function webSocketWords(
  error: Error | null,
  established: boolean,
  { port, path }: Endpoint & { kind: 'ws' },
): string | null {
  const status = /^Unexpected server response: (\d+)$/.exec(error?.message ?? '')?.[1];
  if (status !== undefined)
    return `a web server answers ${status} at port ${port}: MQTT by websockets has another path there than ${path}, or another port`;
  const isNoHttp = error !== null && (codeOf(error).startsWith('HPE_') || isHangUp(error));
  if (!established && isNoHttp)
    return `no websockets are spoken at port ${port}: write mqtt:// in mqtt.url, or give the port of websockets`;
  return null;
}

/** A connection that simply ends. */
export function isHangUp(error: Error | null): boolean {
  return error === null || ['ECONNRESET', 'EPIPE'].includes(codeOf(error));
}

/**
 * A CONNACK or DISCONNECT code, by the names of the specification.
 * @param elsewhere The server that the broker names instead of itself.
 */
export function refusalWords(code: number, elsewhere?: string): string {
  const name = (ReasonCodes as Readonly<Record<number, string>>)[code] ?? 'unknown reason';
  return `${name} (code ${code}${elsewhere === undefined ? '' : `: ${elsewhere}`})`;
}

/**
 * What became of a packet that waited for its acknowledgement: null = acknowledged; 'unknown' = the connection ended first, when MQTT.js fails
 * all that is under way: that says nothing about rights. A code below 0x80 is no refusal (MQTT 5, 4.13), whatever it is.
 */
export function acknowledgementOf(error: Error | null | undefined): Error | null | 'unknown' {
  if (error === null || error === undefined) return null;
  if ('code' in error && typeof error.code === 'number') return error.code < 0x80 ? null : error;
  return endWords.has(error.message) ? 'unknown' : error;
}

const endWords = new Set(['Connection closed', 'client disconnecting', 'No connection to broker']);

function codeOf(error: Error): string {
  return 'code' in error ? String(error.code) : '';
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
