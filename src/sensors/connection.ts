/** A connection that is held to a server: native/sensors/connection.cc. */
import { isIPv4, isIPv6 } from 'node:net';
import { formatDuration } from '../base/duration.js';
import type { SensorKind } from './sensor.js';

interface Settings {
  readonly to: string;
  readonly silent_after?: number | undefined;
  readonly connect_timeout: number;
  readonly greeting?: string | undefined;
  readonly expect?: string | undefined;
}

type Fields = {
  readonly to: string;
  /** TCP only. */
  readonly silentAfterMs?: number;
  readonly connectTimeoutMs: number;
  readonly greeting?: string;
  readonly expect?: string;
};

const silentAfterMs = 30_000;

const addressWords =
  'an address such as tcp:192.168.1.1:53, tcp:[::1]:80, tcp:localhost:80, unix:/run/x.sock or unix:@name; host names are not looked up, write the address';

/** sun_path of unix(7), with the zero at the end of a path. */
const longestUnixName = 107;

/** As PeerAddress::parse in native/network/stream_peer.cc. */
function isAddress(to: string): boolean {
  const [, name] = /^unix:([/@][^\0]+)$/.exec(to) ?? [];
  if (name !== undefined) return Buffer.byteLength(name) <= longestUnixName;
  const [, v6, v4 = '', port] = /^tcp:(?:\[([^\]%]+)\]|([^:[]+)):(\d{1,5})$/.exec(to) ?? [];
  const isHost = v6 === undefined ? v4 === 'localhost' || isIPv4(v4) : isIPv6(v6);
  return isHost && Number(port) > 0 && Number(port) < 65_536;
}

/** What native/sensors/connection_spec.cc reads: at most 1024 bytes, of which a character may be four. */
const bytesPattern = /^(?=[\s\S]{1,256}$)([^\\\0]|\\[rnt\\]|\\x[0-9a-fA-F]{2})+$/;
const bytesWords =
  'text of at most 256 characters, where a backslash begins \\r, \\n, \\t, \\\\ or \\xHH (a byte in hexadecimal)';

/** The reasons in the words of the journal. */
const words = {
  peer_closed: 'the server closed the connection and accepts no new one',
  peer_reset: 'the server reset the connection and accepts no new one',
  refused: 'the server fell silent and accepts no connection any more',
  silent: 'nothing is heard from the server any more',
  closes_at_once: 'the server accepts connections and closes them at once',
  no_greeting: 'the server accepts connections, but does not say what is expected',
} as const;

function isReason(reason: string): reason is keyof typeof words {
  return Object.hasOwn(words, reason);
}

export const connectionSensor: SensorKind<Settings, Fields> = {
  kind: 'connection',
  schema: ({ section, text, duration, isMapping }) =>
    section({
      to: text(addressWords).refine(isAddress, { error: `is not allowed; expected ${addressWords}` }),
      silent_after: duration('3s', '1h').optional(),
      connect_timeout: duration('100ms', '1m').prefault('3s'),
      greeting: text(bytesWords, bytesPattern).optional(),
      expect: text(bytesWords, bytesPattern).optional(),
    }).refine(({ to, silent_after }) => silent_after === undefined || !to.startsWith('unix:'), {
      path: ['silent_after'],
      error: 'is for tcp: only; on one machine nothing lies between that could be silent',
      when: isMapping,
    }),
  shorthand: 'to',
  fields: ({ to, silent_after, connect_timeout, greeting, expect }) => ({
    to,
    ...(to.startsWith('tcp:') && { silentAfterMs: silent_after ?? silentAfterMs }),
    connectTimeoutMs: connect_timeout,
    ...(greeting !== undefined && { greeting }),
    ...(expect !== undefined && { expect }),
  }),
  fieldNames: ['to', 'silentAfterMs', 'connectTimeoutMs', 'greeting', 'expect'],
  reasons: {
    peer_closed: 'exited',
    peer_reset: 'exited',
    refused: 'gone',
    silent: 'unreachable',
    closes_at_once: 'broken',
    no_greeting: 'broken',
  },
  name: ({ to }) => `connection ${to}`,
  canKill: false,
  isNetwork: () => false,
  words: ({ to, silentAfterMs: silentMs, connectTimeoutMs, expect }) => {
    const deaths = [
      `dead when it ends and no new one is accepted within ${formatDuration(connectTimeoutMs)}`,
      expect !== undefined && `when a new one does not say ${JSON.stringify(expect)}`,
      silentMs !== undefined && `when the other end is silent for ${formatDuration(silentMs)}`,
    ];
    return `a connection held to ${to}: ${deaths.filter(Boolean).join(', or ')}`;
  },
  cause: ({ reason, detail }) =>
    isReason(reason)
      ? { kind: 'sensor', reason, words: `${words[reason]}${detail ? ` (${detail})` : ''}` }
      : { kind: 'unknown' },
  alive: () => 'connection held',
};
