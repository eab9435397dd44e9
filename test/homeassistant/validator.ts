/**
 * Reads a device discovery message as Home Assistant does (2026.9, mqtt/schemas.py, discovery.py and the platforms), and says what it
 * would refuse. Strict where Home Assistant is silent: a publisher gets no other feedback. Written from its documentation and behaviour.
 */
import { type Check, platforms, topicCheck } from './platforms.js';

export type Json = Record<string, unknown>;

export interface Refusal {
  /** null: the whole message is lost; else only this component. */
  readonly component: string | null;
  readonly why: string;
}

const topicPattern = /^(\w+)\/device\/(?:([a-zA-Z0-9_-]+)\/)?([a-zA-Z0-9_-]+)\/config$/;

const rootAbbreviations: Readonly<Record<string, string>> = {
  dev: 'device',
  o: 'origin',
  cmps: 'components',
};
const deviceAbbreviations: Readonly<Record<string, string>> = {
  ids: 'identifiers',
  cns: 'connections',
  mf: 'manufacturer',
  mdl: 'model',
  mdl_id: 'model_id',
  hw: 'hw_version',
  sw: 'sw_version',
  sn: 'serial_number',
  sa: 'suggested_area',
  cu: 'configuration_url',
};
const originAbbreviations: Readonly<Record<string, string>> = { sw: 'sw_version', url: 'support_url' };
const componentAbbreviations: Readonly<Record<string, string>> = {
  p: 'platform',
  uniq_id: 'unique_id',
  def_ent_id: 'default_entity_id',
  stat_t: 'state_topic',
  cmd_t: 'command_topic',
  cmd_tpl: 'command_template',
  val_tpl: 'value_template',
  json_attr_t: 'json_attributes_topic',
  json_attr_tpl: 'json_attributes_template',
  avty: 'availability',
  avty_t: 'availability_topic',
  avty_mode: 'availability_mode',
  avty_tpl: 'availability_template',
  t: 'topic',
  pl_avail: 'payload_available',
  pl_not_avail: 'payload_not_available',
  pl_on: 'payload_on',
  pl_off: 'payload_off',
  dev_cla: 'device_class',
  ent_cat: 'entity_category',
  stat_cla: 'state_class',
  unit_of_meas: 'unit_of_measurement',
  exp_aft: 'expire_after',
  off_dly: 'off_delay',
  frc_upd: 'force_update',
  sug_dsp_prc: 'suggested_display_precision',
  ret: 'retain',
};

/** Allowed at the root and copied to each component that has none of its own. message_expiry_interval is left out: it needs 2026.6. */
const sharedOptions = new Set([
  'availability',
  'availability_mode',
  'availability_template',
  'availability_topic',
  'payload_available',
  'payload_not_available',
  'command_topic',
  'state_topic',
  'encoding',
  'qos',
]);
const deviceKeys = new Set([...Object.values(deviceAbbreviations), 'name', 'via_device']);
const originKeys = new Set(['name', 'sw_version', 'support_url']);

export function validate(topic: string, payload: string): Refusal[] {
  const lost = (why: string): Refusal[] => [{ component: null, why }];
  if (!topicPattern.test(topic)) return lost(`illegal discovery topic ${topic}`);
  const parsed = parse(payload);
  if (parsed === null) return lost('unable to parse JSON object');
  const root = expand(parsed, { ...componentAbbreviations, ...rootAbbreviations });
  const faults = [...rootFaults(root), ...deviceFaults(root.device), ...originFaults(root.origin)];
  if (!isObject(root.components)) faults.push('components: required, an object');
  if (faults.length > 0) return faults.flatMap(lost);
  return componentsFaults(root, root.components as Json);
}

const entityTopicPattern = /^(\w+)\/(\w+)\/([a-zA-Z0-9_-]+)\/([a-zA-Z0-9_-]+)\/config$/;

/** The same for a message of one entity, whose platform, node and key stand in its topic. */
export function validateEntity(topic: string, payload: string): Refusal[] {
  const [, prefix, platform, node, key = ''] = entityTopicPattern.exec(topic) ?? [];
  if (platform === undefined || platform === 'device')
    return [{ component: null, why: `illegal discovery topic ${topic}` }];
  const parsed = parse(payload);
  if (parsed === null) return [{ component: null, why: 'unable to parse JSON object' }];
  const { device, origin, ...component } = parsed;
  const whole = { device, origin, components: { [key]: { ...component, platform } } };
  return validate(`${prefix}/device/${node}/config`, JSON.stringify(whole));
}

function rootFaults(root: Json): string[] {
  const known = new Set(['device', 'origin', 'components', ...sharedOptions]);
  const faults = Object.keys(root)
    .filter(key => !known.has(key))
    .map(key => `extra keys not allowed: ${key}`);
  for (const key of ['qos', 'encoding']) {
    if (key in root)
      faults.push(`${key} at the root is silently ignored before 2026.6: set it per component`);
  }
  return faults;
}

function deviceFaults(value: unknown): string[] {
  if (!isObject(value)) return ['device: required, an object'];
  const device = expand(value, deviceAbbreviations);
  const faults = Object.keys(device)
    .filter(key => !deviceKeys.has(key))
    .map(key => `device: extra keys not allowed: ${key}`);
  const ids = [device.identifiers ?? []].flat();
  const connections = Array.isArray(device.connections) ? device.connections : [];
  if (ids.length + connections.length === 0) faults.push('device: needs identifiers or connections');
  if (ids.some(id => typeof id !== 'string' || id === '')) faults.push('device: identifiers must be strings');
  for (const [key, text] of Object.entries(device)) {
    if (key !== 'identifiers' && key !== 'connections' && typeof text !== 'string') {
      faults.push(`device: ${key} must be a string`);
    }
  }
  return faults;
}

function originFaults(value: unknown): string[] {
  if (!isObject(value)) return ['origin: required, an object'];
  const origin = expand(value, originAbbreviations);
  const faults = Object.keys(origin)
    .filter(key => !originKeys.has(key))
    .map(key => `origin: extra keys not allowed: ${key}`);
  if (typeof origin.name !== 'string' || origin.name === '') faults.push('origin: name is required');
  if ('support_url' in origin && !URL.canParse(String(origin.support_url)))
    faults.push('origin: support_url');
  return faults;
}

function componentsFaults(root: Json, components: Json): Refusal[] {
  const refusals: Refusal[] = [];
  const uniqueIds = new Set<unknown>();
  for (const [key, value] of Object.entries(components)) {
    const refuse = (why: string) => refusals.push({ component: key, why });
    if (!/^[a-zA-Z0-9_-]+$/.test(key)) refuse('the key must match [a-zA-Z0-9_-]+');
    if (!isObject(value)) {
      refuse('must be an object');
      continue;
    }
    const component = expand(value, componentAbbreviations);
    // Only the platform: the entity is to be removed.
    if (Object.keys(component).length === 1 && typeof component.platform === 'string') continue;
    for (const option of sharedOptions) if (option in root) component[option] ??= root[option];
    for (const why of componentFaults(component)) refuse(why);
    const id = `${String(component.platform)} ${String(component.unique_id)}`;
    if (uniqueIds.has(id)) refuse(`ID ${String(component.unique_id)} already exists - ignoring`);
    uniqueIds.add(id);
  }
  return refusals;
}

function componentFaults(component: Json): string[] {
  const platform = platforms[String(component.platform)];
  if (platform === undefined) return [`platform ${String(component.platform)} is not supported`];
  const faults: string[] = [];
  const checks: Readonly<Record<string, Check>> = { ...common, ...platform.options };
  for (const key of platform.required) if (!(key in component)) faults.push(`${key}: required`);
  for (const [key, value] of Object.entries(component)) {
    const check = checks[key];
    // Home Assistant drops these without a word; for us they are slips of the pen.
    if (check === undefined) faults.push(`${key}: unknown to ${String(component.platform)}`);
    else if (!check.accepts(value)) faults.push(`${key}: ${check.expected}`);
  }
  if ('availability' in component && 'availability_topic' in component) {
    faults.push('two or more values in the same group of exclusion: availability');
  }
  const entityId = component.default_entity_id;
  if (typeof entityId === 'string' && entityId.split('.')[0] !== component.platform) {
    faults.push('default_entity_id: the domain must be the platform');
  }
  return [...faults, ...(platform.rules?.(component) ?? [])];
}

const text: Check = {
  expected: 'a non-empty string',
  accepts: value => typeof value === 'string' && value !== '',
};
const entityIdPattern = /^(?!.+__)(?!_)[\da-z_]+(?<!_)\.(?!_)[\da-z_]+(?<!_)$/;
const availabilityKeys = new Set(['topic', 'payload_available', 'payload_not_available', 'value_template']);

const common: Readonly<Record<string, Check>> = {
  platform: text,
  unique_id: text,
  name: {
    expected: 'a string or null',
    accepts: value => value === null || (typeof value === 'string' && value !== ''),
  },
  default_entity_id: {
    expected: 'a valid entity id',
    accepts: value => typeof value === 'string' && entityIdPattern.test(value),
  },
  enabled_by_default: { expected: 'a boolean', accepts: value => typeof value === 'boolean' },
  icon: { expected: 'mdi:…', accepts: value => typeof value === 'string' && /^[\w-]+:[\w-]+$/.test(value) },
  json_attributes_topic: topicCheck,
  json_attributes_template: text,
  availability: {
    expected: 'a list of {topic, payload_available, payload_not_available, value_template}',
    accepts: value => Array.isArray(value) && value.every(isAvailability),
  },
  availability_topic: topicCheck,
  availability_template: text,
  availability_mode: {
    expected: 'all, any or latest',
    accepts: value => ['all', 'any', 'latest'].includes(String(value)),
  },
  payload_available: text,
  payload_not_available: text,
  qos: { expected: '0, 1 or 2', accepts: value => [0, 1, 2].includes(value as number) },
  encoding: { expected: 'a string', accepts: value => typeof value === 'string' },
};

function isAvailability(value: unknown): boolean {
  if (!isObject(value)) return false;
  const entry = expand(value, componentAbbreviations);
  return topicCheck.accepts(entry.topic) && Object.keys(entry).every(key => availabilityKeys.has(key));
}

function expand(object: Json, table: Readonly<Record<string, string>>): Json {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [table[key] ?? key, value]));
}

function parse(payload: string): Json | null {
  try {
    const value: unknown = JSON.parse(payload);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
