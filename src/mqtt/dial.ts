/** Opens the way to the broker, and the stream over it that one attempt talks through: TCP first, then TLS or websockets. */
import { createRequire } from 'node:module';
import { isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { IStream, MqttClient } from 'mqtt';
import type * as WebSocketBuilder from 'mqtt/lib/connect/ws';
import type { Credentials } from './credentials.js';
import type { Endpoint } from './endpoint.js';
import { connectFirst, interleaved } from './race.js';
import type { Resolver } from './resolver.js';

/** TLS, or the upgrade to websockets, after TCP stands. */
const handshakeTimeoutMs = 15_000;

export interface Way {
  readonly endpoint: Endpoint;
  readonly resolver: Resolver;
  /**
   * Dialled instead of the host's name, null = ask the resolver. Look-ups made while the network was down hold the threads of
   * getaddrinfo(3): by name the first connection afterwards took 5 s, by address 4 ms.
   */
  readonly address: string | null;
}

/** @throws Error with the code of getaddrinfo(3) or connect(2). */
export async function dial({ endpoint, address, resolver }: Way, signal: AbortSignal): Promise<Socket> {
  if (endpoint.kind === 'unix') return connectFirst([{ path: endpoint.path }], signal);
  const addresses = address === null ? await resolver.addresses(endpoint.host) : [address];
  const targets = interleaved(addresses).map(host => ({ host, port: endpoint.port }));
  return connectFirst(targets, signal);
}

/** Far below what a broker needs for its restart; over a slow line the answer comes too late, and counts as none. */
const answerMs = 1000;

/** Whether anybody listens there now. Nothing is said. Never rejects. */
export async function isAnswered(way: Way, signal: AbortSignal): Promise<boolean> {
  const socket = await connected(way, signal);
  socket?.destroy();
  return socket !== null;
}

/**
 * Whether TLS is spoken where a plain connection was ended without a word: mosquitto sends no alert then. Nothing of ours is sent, so that
 * the certificate does not matter. Never rejects.
 */
export async function speaksTls(way: Way, signal: AbortSignal): Promise<boolean> {
  const socket = await connected(way, signal);
  if (socket === null) return false;
  return new Promise(resolve => {
    const secure = connectTls({ socket, rejectUnauthorized: false });
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      secure.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(false), answerMs);
    secure.once('secureConnect', () => end(true));
    // An alert is TLS as well: it may want a client certificate.
    secure.on('error', ({ message }) => end(/\balert\b/i.test(message)));
    secure.once('close', () => end(false));
  });
}

async function connected(way: Way, signal: AbortSignal): Promise<Socket | null> {
  try {
    const socket = await dial(way, AbortSignal.any([signal, AbortSignal.timeout(answerMs)]));
    return socket.on('error', () => {});
  } catch {
    // Refused, unreachable, too late or given up: all the same to the caller.
    return null;
  }
}

export interface Signs {
  /** What stands is a way that MQTT can be spoken through. */
  established(): void;
  /** The first bytes that the other end sent, which may be of another protocol. */
  heard(head: Buffer): void;
}

/**
 * @param socket Connected.
 * @throws Error when certificate or key are not PEM, or do not belong together.
 */
export function streamOver(
  client: MqttClient,
  socket: Socket,
  endpoint: Endpoint,
  tls: Credentials['tls'],
  signs: Signs,
): IStream {
  if (endpoint.kind === 'unix' || !endpoint.tls) socket.once('data', head => signs.heard(head));
  if (endpoint.kind === 'ws') return webSocketOver(client, socket, endpoint, tls, signs);
  if (endpoint.kind === 'unix' || !endpoint.tls) {
    signs.established();
    return socket;
  }
  return secured(socket, endpoint.host, tls).once('secureConnect', () => signs.established());
}

function secured(socket: Socket, host: string, tls: Credentials['tls']) {
  const secure = connectTls({ socket, ...tlsOptions(host, tls) });
  const timer = setTimeout(() => {
    secure.destroy(Object.assign(new Error('no answer to the TLS handshake'), { code: 'ETIMEDOUT' }));
  }, handshakeTimeoutMs);
  for (const end of ['secureConnect', 'close']) secure.once(end, () => clearTimeout(timer));
  return secure;
}

/** The certificate is always checked, against the name that the owner wrote, also when an address is dialled. */
function tlsOptions(host: string, tls: Credentials['tls']): ConnectionOptions {
  const servername = tls.servername ?? (isIP(host) === 0 ? host : null);
  return {
    rejectUnauthorized: true,
    // What an address is compared with, where there is no name to be sent.
    host,
    ...(servername === null ? {} : { servername }),
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
  };
}

function webSocketOver(
  client: MqttClient,
  socket: Socket,
  endpoint: Endpoint & { kind: 'ws' },
  tls: Credentials['tls'],
  signs: Signs,
): IStream {
  // Only where it is needed: 3 MB and 25 ms.
  const { streamBuilder } = createRequire(import.meta.url)('mqtt/lib/connect/ws') as typeof WebSocketBuilder;
  const { host, port, path } = endpoint;
  const way = endpoint.tls ? secured(socket, host, tls) : socket;
  way.once('data', (head: Buffer) => {
    if (/^HTTP\/1\.1 101 /.test(head.toString('latin1'))) signs.established();
  });
  const wsOptions = { handshakeTimeout: handshakeTimeoutMs, createConnection: () => way };
  return streamBuilder(client, {
    ...client.options,
    protocol: endpoint.tls ? 'wss' : 'ws',
    hostname: isIP(host) === 6 ? `[${host}]` : host,
    port,
    path,
    wsOptions: wsOptions as object,
  });
}
