/** The `mqtt` section of the schema, with the rules between its keys. */
import { z } from 'zod';
import { choice, credential, duration, path, section, text, whole } from './fields.js';

const tlsProtocols = ['mqtts:', 'wss:'];
const plainProtocols = ['mqtt:', 'ws:', 'mqtt+unix:'];
const urlWords = 'a URL such as mqtt://192.168.1.10:1883 or mqtts://broker.lan:8883';

/**
 * ejabberd refuses topics of more than 8 levels, RabbitMQ takes a dot for a slash, NATS hangs up at one. What is told below `base` has three
 * levels more (NODE/result/ID), what is told to Home Assistant up to four (sensor/NODE/ENTITY/config).
 */
const baseLevels = 5;
const prefixLevels = 4;

function topicWords(levels: number): string {
  return `one to ${levels} topic levels of letters, digits, "_" and "-", separated by "/"`;
}

function topicText(levels: number) {
  const level = '[A-Za-z0-9_-]{1,64}';
  return text(topicWords(levels), new RegExp(`^${level}(/${level}){0,${levels - 1}}$`));
}

/** Says what is wrong with a broker's URL without repeating it: it might hold a password. */
export function brokerUrlFault(value: string): string | null {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    // The error of URL quotes its input, which may hold a password.
    return `is not a URL; expected ${urlWords}`;
  }
  if (![...tlsProtocols, ...plainProtocols].includes(url.protocol))
    return `has a protocol that is not known; expected mqtt://, mqtts://, ws://, wss:// or mqtt+unix://`;
  if (url.username !== '' || url.password !== '')
    return 'holds a user or a password; put them in mqtt.username and mqtt.password_file';
  // A query may hold a token, and the URL is shown in the log and in the status.
  if (url.search !== '' || url.hash !== '') return 'has a part after "?" or "#"; expected a URL without it';
  return url.protocol === 'mqtt+unix:' ? socketUrlFault(url) : networkUrlFault(url);
}

function socketUrlFault(url: URL): string | null {
  const what = 'expected three slashes and a path: mqtt+unix:///run/mosquitto.sock';
  if (url.hostname !== '' || url.pathname.length < 2) return `does not name a socket; ${what}`;
  try {
    decodeURIComponent(url.pathname);
    return null;
  } catch {
    // URIError, which says no more than this.
    return `holds a "%" that is not followed by two hexadecimal digits; ${what}`;
  }
}

function networkUrlFault(url: URL): string | null {
  if (url.hostname === '') return `has no host; expected ${urlWords}`;
  if (url.port === '0') return 'has port 0; expected 1 to 65535';
  if (url.protocol.startsWith('mqtt') && !['', '/'].includes(url.pathname))
    return 'has a path; only ws:// and wss:// take one';
  return null;
}

const brokerUrl = text(urlWords).superRefine((value, context) => {
  const fault = brokerUrlFault(value);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

const embedded = z.union(
  [
    z.literal(true),
    section({
      host: text(
        '127.0.0.1, ::1 or localhost: the built-in broker asks nobody for a password, so it stays on loopback',
        /^(127(\.\d{1,3}){3}|::1|localhost)$/,
      ).prefault('127.0.0.1'),
      port: whole(0, 65_535).prefault(1883),
    }),
  ],
  { error: 'is not understood; expected true or {host: 127.0.0.1, port: 1883}' },
);

const tls = section({
  ca_file: path('the path of a PEM file').optional(),
  cert_file: path('the path of a PEM file').optional(),
  key_file: path('the path of a PEM file').optional(),
  servername: text('the host name in the certificate of the broker').optional(),
});

const base = section({
  url: brokerUrl.optional(),
  embedded: embedded.optional(),
  username: text('a user name').optional(),
  password_file: path('the path of a file that holds the password').optional(),
  password_credential: credential.optional(),
  tls: tls.optional(),
  protocol: choice('auto', '5', '3.1.1').prefault('auto'),
  client_id: text('1 to 128 printable characters without spaces', /^[\x21-\x7e]{1,128}$/).optional(),
  /** MQTT counts it in two bytes of seconds (MQTT 5, 3.1.2.10). */
  keepalive: duration('1s', '18h')
    .refine(ms => ms % 1000 === 0, { error: 'has a fraction of a second; MQTT counts whole seconds' })
    .prefault('15s'),
  base: topicText(baseLevels).prefault('sockmon'),
  discovery_prefix: z
    .union([z.literal(false), topicText(prefixLevels)], {
      error: `is not understood; expected ${topicWords(prefixLevels)}, or false for no discovery`,
    })
    .prefault('homeassistant'),
  suggested_area: text('the name of a room or an area in Home Assistant', /^[^\p{C}]{1,100}$/u).optional(),
});

type Present = Readonly<Record<string, unknown>>;
interface Rule {
  readonly path: readonly string[];
  readonly broken: (mqtt: Present) => boolean;
  readonly message: string;
}

const has = (section: unknown, key: string): boolean =>
  typeof section === 'object' && section !== null && (section as Present)[key] !== undefined;

function urlIsPlain(url: unknown): boolean {
  return typeof url === 'string' && plainProtocols.some(protocol => url.toLowerCase().startsWith(protocol));
}

const withoutMeaning = ['username', 'password_file', 'password_credential', 'tls'].map(key => ({
  path: [key],
  broken: (mqtt: Present) => has(mqtt, 'embedded') && has(mqtt, key),
  message: 'has no meaning with the embedded broker; remove it, or give a url instead of embedded',
}));

const rules: readonly Rule[] = [
  {
    path: [],
    broken: mqtt => !has(mqtt, 'url') && !has(mqtt, 'embedded'),
    message: 'names no broker; expected url: mqtt://… or embedded: true',
  },
  {
    path: ['embedded'],
    broken: mqtt => has(mqtt, 'url') && has(mqtt, 'embedded'),
    message: 'stands beside url; expected exactly one of the two',
  },
  {
    path: ['password_credential'],
    broken: mqtt => has(mqtt, 'password_file') && has(mqtt, 'password_credential'),
    message: 'stands beside password_file; expected exactly one of the two',
  },
  {
    path: ['username'],
    broken: mqtt =>
      !has(mqtt, 'username') && (has(mqtt, 'password_file') || has(mqtt, 'password_credential')),
    message: 'is missing; a password needs a user name beside it',
  },
  {
    path: ['tls', 'key_file'],
    broken: mqtt => has(mqtt.tls, 'cert_file') && !has(mqtt.tls, 'key_file'),
    message: 'is missing; cert_file needs its private key',
  },
  {
    path: ['tls', 'cert_file'],
    broken: mqtt => has(mqtt.tls, 'key_file') && !has(mqtt.tls, 'cert_file'),
    message: 'is missing; key_file needs its certificate',
  },
  {
    path: ['tls'],
    broken: mqtt => has(mqtt, 'tls') && urlIsPlain(mqtt.url),
    message: 'needs a url with TLS; write mqtts:// (usually port 8883) or wss://',
  },
  ...withoutMeaning,
];

/** The rules look only at what is present, so they also hold where some value is wrong: all faults are told at once. */
export const mqttSchema = rules.reduce(
  (schema, rule) =>
    schema.refine(mqtt => !rule.broken(mqtt as Present), {
      path: [...rule.path],
      error: rule.message,
      when: ({ value }) => typeof value === 'object' && value !== null,
    }),
  base,
);

export const embeddedDefaults = { host: '127.0.0.1', port: 1883 } as const;
