/** Opens the stream that one attempt talks through. MQTT.js's own TCP builder knows neither a connect timeout nor noDelay. */
import { createRequire } from 'node:module';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { IStream, MqttClient } from 'mqtt';
import type * as WebSocketBuilder from 'mqtt/lib/connect/ws';
import type { MqttSettings } from '../core/policy.js';
import type { Endpoint } from './endpoint.js';

/** SYNs leave after 0, 1 and 3 s; a later one belongs to the next attempt. Name resolution counts as well. */
const tcpTimeoutMs = 4000;

export interface DialOptions {
  readonly endpoint: Endpoint;
  readonly tls: MqttSettings['tls'];
  /**
   * Dialled instead of the host's name, null = ask the resolver. Look-ups made while the network was down hold the threads of
   * getaddrinfo(3): by name the first connection afterwards took 5 s, by address 4 ms.
   */
  readonly address: string | null;
  /** TCP (and TLS) stands; with the broker's address where there is one. */
  established(address: string | null): void;
}

/** @throws Error when certificate or key are not PEM. */
export function dial(client: MqttClient, options: DialOptions): IStream {
  const { endpoint } = options;
  switch (endpoint.kind) {
    case 'unix':
      return watched(connectTcp({ path: endpoint.path }), 'connect', options);
    case 'tcp':
      return dialTcp(endpoint, options);
    case 'ws':
      return dialWebSocket(client, endpoint, options);
  }
}

function dialTcp(endpoint: Endpoint & { kind: 'tcp' }, options: DialOptions): Socket {
  const target = { host: options.address ?? endpoint.host, port: endpoint.port };
  const socket = endpoint.tls
    ? connectTls({ ...target, ...tlsOptions(endpoint.host, options.tls) })
    : connectTcp(target);
  socket.setNoDelay(true);
  return watched(socket, endpoint.tls ? 'secureConnect' : 'connect', options);
}

function watched(socket: Socket, ready: 'connect' | 'secureConnect', options: DialOptions): Socket {
  const timer = setTimeout(() => {
    socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' }));
  }, tcpTimeoutMs);
  socket.once('connect', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
  socket.once(ready, () => options.established(socket.remoteAddress ?? null));
  return socket;
}

/** The certificate is always checked, against the name that the owner wrote, also when an address is dialled. */
function tlsOptions(host: string, tls: MqttSettings['tls']): ConnectionOptions {
  const servername = tls.servername ?? (isIP(host) === 0 ? host : null);
  return {
    rejectUnauthorized: true,
    ...(servername === null ? {} : { servername }),
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.cert === null ? {} : { cert: tls.cert }),
    ...(tls.key === null ? {} : { key: tls.key }),
  };
}

function dialWebSocket(
  client: MqttClient,
  endpoint: Endpoint & { kind: 'ws' },
  options: DialOptions,
): IStream {
  // Only where it is needed: 3 MB and 25 ms.
  const { streamBuilder } = createRequire(import.meta.url)('mqtt/lib/connect/ws') as typeof WebSocketBuilder;
  const { host, port, path, tls } = endpoint;
  const stream = streamBuilder(client, {
    ...client.options,
    protocol: tls ? 'wss' : 'ws',
    hostname: isIP(host) === 6 ? `[${host}]` : host,
    port,
    path,
    wsOptions: { handshakeTimeout: tcpTimeoutMs, ...(tls ? tlsOptions(host, options.tls) : {}) },
  });
  stream.once('ready', () => options.established(null));
  return stream;
}
