/** The first files of a Home Assistant that somebody has set up already: an owner with a token, a broker, no questions left. */
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Seed {
  /** Of Home Assistant, e.g. 2026.11.0: what it keeps in its files has changed. */
  readonly release: string;
  readonly port: number;
  readonly mqttPort: number;
  /** Beside the mqtt entry's broker and port, e.g. username, protocol. */
  readonly mqtt: Readonly<Record<string, unknown>>;
  /** By path in the config folder. `packages/NAME.yaml` is added to the configuration. */
  readonly files: Readonly<Record<string, string>>;
}

const userId = 'a'.repeat(32);
const tokenId = 'b'.repeat(32);
const lifetimeS = 10 * 365 * 86_400;
const longAgo = '2026-01-01T00:00:00+00:00';

/** Quiet about what no test has: cameras, films. */
const configuration = `
homeassistant:
  name: Test
  time_zone: UTC
  unit_system: metric
  country: DE
  latitude: 52.5
  longitude: 13.4
  elevation: 30
  packages: !include_dir_named packages
api:
config:
history:
logbook:
mobile_app:
recorder:
  commit_interval: 0
automation: !include automations.yaml
script: !include scripts.yaml
logger:
  default: warning
  logs:
    haffmpeg: critical
    homeassistant.components.camera.img_util: critical
`;

/** Fills the folder and gives a token of the owner. */
export function sow(folder: string, { release, port, mqttPort, mqtt, files }: Seed): string {
  const key = randomBytes(64).toString('hex');
  const isOf2025 = release.startsWith('2025.');
  const broker = { broker: '127.0.0.1', port: mqttPort, ...mqtt };
  const seeds: Record<string, string> = {
    'configuration.yaml': isOf2025 ? `${configuration}${httpInYaml(port)}` : configuration,
    'automations.yaml': '[]\n',
    'scripts.yaml': '{}\n',
    'packages/.keep': '',
    '.storage/auth': storage('auth', 1, 1, auth(key)),
    '.storage/onboarding': storage('onboarding', 4, 1, {
      done: ['user', 'core_config', 'analytics', 'integration'],
    }),
    '.storage/core.analytics': storage('core.analytics', 1, 3, {
      onboarded: true,
      preferences: {},
      uuid: null,
    }),
    // Otherwise it joins the multicast group of mDNS on the machine's network.
    '.storage/core.network': storage('core.network', 1, 1, { configured_adapters: ['lo'] }),
    ...(isOf2025 ? {} : { '.storage/http': storage('http', 3, 1, http(port)) }),
    '.storage/core.config_entries': storage('core.config_entries', 1, 5, {
      entries: isOf2025 ? [mqttEntryOf2025(broker)] : [mqttEntry(broker), marketplaceEntry],
    }),
    ...files,
  };
  for (const [name, text] of Object.entries(seeds)) {
    const file = join(folder, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return accessToken(key);
}

function storage(key: string, version: number, minor: number, data: object): string {
  return JSON.stringify({ version, minor_version: minor, key, data });
}

function auth(key: string): object {
  const owner = {
    id: userId,
    group_ids: ['system-admin'],
    is_owner: true,
    is_active: true,
    name: 'Owner',
    system_generated: false,
    local_only: false,
  };
  const token = {
    id: tokenId,
    user_id: userId,
    client_id: null,
    client_name: 'test',
    client_icon: null,
    token_type: 'long_lived_access_token',
    created_at: longAgo,
    access_token_expiration: lifetimeS,
    token: key,
    jwt_key: key,
    last_used_at: null,
    last_used_ip: null,
    expire_at: null,
    credential_id: null,
    version: null,
  };
  return { users: [owner], groups: [], credentials: [], refresh_tokens: [token] };
}

/** Of 2025, which keeps nothing of it elsewhere. */
function httpInYaml(port: number): string {
  return `http:\n  server_host: 127.0.0.1\n  server_port: ${port}\n`;
}

/** Not in the YAML: there it is on trial, and Home Assistant restarts itself on another port after five minutes. */
function http(port: number): object {
  const stable = {
    server_host: ['127.0.0.1'],
    server_port: port,
    cors_allowed_origins: [],
    login_attempts_threshold: -1,
    ip_ban_enabled: false,
    ssl_profile: 'intermediate_v6',
    use_x_frame_options: true,
    created_at: longAgo,
    error: null,
    error_message: null,
  };
  return { stable, pending: null, yaml_migration_done: true };
}

const entry = {
  minor_version: 1,
  unique_id: null,
  disabled_by: null,
  discovery_keys: {},
  subentries: [],
  pref_disable_new_entities: false,
  pref_disable_polling: false,
  created_at: longAgo,
  modified_at: longAgo,
};

function mqttEntry(data: object): object {
  return {
    ...entry,
    entry_id: '01MQTT00000000000000000000',
    domain: 'mqtt',
    title: 'mosquitto',
    version: 2,
    data,
    options: { discovery: true, discovery_prefix: 'homeassistant' },
    source: 'user',
  };
}

/** One of a higher version would not be loaded. */
function mqttEntryOf2025(data: object): object {
  return { ...mqttEntry(data), version: 1, minor_version: 2 };
}

/** Home Assistant would make one that looks for its shop in the internet. */
const marketplaceEntry = {
  ...entry,
  entry_id: '01MARKETPLACE0000000000000',
  domain: 'marketplace',
  title: '',
  version: 1,
  data: {},
  options: {},
  source: 'system',
  disabled_by: 'user',
};

/** The token that Home Assistant itself would have shown once: a JWT signed with the key of its record. */
function accessToken(key: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const issuedS = Math.floor(Date.parse(longAgo) / 1000);
  const claims = { iss: tokenId, iat: issuedS, exp: issuedS + lifetimeS };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}
