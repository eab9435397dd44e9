/** Where the broker is. */
import { isIP } from 'node:net';
import { SockmonError } from '../base/errors.js';

export type Endpoint =
  | { readonly kind: 'tcp'; readonly tls: boolean; readonly host: string; readonly port: number }
  | {
      readonly kind: 'ws';
      readonly tls: boolean;
      readonly host: string;
      readonly port: number;
      readonly path: string;
    }
  | { readonly kind: 'unix'; readonly path: string };

const schemes: Readonly<Record<string, { kind: 'tcp' | 'ws'; tls: boolean; port: number }>> = {
  'mqtt:': { kind: 'tcp', tls: false, port: 1883 },
  'mqtts:': { kind: 'tcp', tls: true, port: 8883 },
  'ws:': { kind: 'ws', tls: false, port: 80 },
  'wss:': { kind: 'ws', tls: true, port: 443 },
};

/** @throws SockmonError CONFIG. The message leaves out the URL: it may hold a password. */
export function endpointOf(url: string): Endpoint {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const endpoint = parsed?.protocol === 'mqtt+unix:' ? unixOf(parsed) : parsed && networkOf(parsed);
  if (endpoint !== null) return endpoint;
  throw new SockmonError(
    'CONFIG',
    'The URL of the MQTT broker is not understood. Write it as mqtt://host:1883, mqtts://host, ws://host, wss://host or mqtt+unix:///path.',
  );
}

function unixOf({ pathname }: URL): Endpoint | null {
  if (pathname.length < 2) return null;
  try {
    return { kind: 'unix', path: decodeURIComponent(pathname) };
  } catch {
    // URIError: a "%" that is no escape.
    return null;
  }
}

function networkOf(url: URL): Endpoint | null {
  const scheme = schemes[url.protocol];
  if (scheme === undefined || url.hostname === '' || url.port === '0') return null;
  const { kind, tls } = scheme;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? scheme.port : Number(url.port);
  return kind === 'tcp'
    ? { kind, tls, host, port }
    : { kind, tls, host, port, path: `${url.pathname || '/'}${url.search}` };
}

/** For people: never holds user or password. */
export function endpointName(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `mqtt+unix://${endpoint.path}`;
  const scheme = { tcp: 'mqtt', ws: 'ws' }[endpoint.kind] + (endpoint.tls ? 's' : '');
  const host = isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host;
  return `${scheme}://${host}:${endpoint.port}${endpoint.kind === 'ws' ? endpoint.path : ''}`;
}
