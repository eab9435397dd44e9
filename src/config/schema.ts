/** The whole configuration as the user writes it, after shorthands are written out. The only schema there is. */
import { z } from 'zod';
import { idPattern, idWords } from '../core/records.js';
import { sensorKinds } from '../sensors/kinds.js';
import { unitSensor } from '../sensors/unit.js';
import { commandsSchema } from './commands-schema.js';
import * as fields from './fields.js';
import { choice, duration, expected, factor, flag, isMapping, path, section, text, whole } from './fields.js';
import { mqttSchema } from './mqtt-schema.js';

/** Of one entry of `watch:` each kind is a key. What stands behind it is checked by the kind and read by nobody else. */
const sensorShape = Object.fromEntries(
  sensorKinds.map(({ kind, schema }): [string, z.ZodOptional<z.ZodType<unknown>>] => [
    kind,
    schema(fields).optional(),
  ]),
);
const kindWords = sensorKinds.map(({ kind }) => kind).join(', ');

const sensor = section(sensorShape, `one of ${kindWords} or tcpip`)
  .refine(value => Object.keys(value).length > 0, {
    error: `names no sensor; expected one of ${kindWords} or tcpip`,
    // A sensor with an unknown name has been complained about already.
    when: payload => isMapping(payload) && payload.issues.length === 0,
  })
  .refine(value => Object.keys(value).length < 2, {
    error: 'names more than one sensor; begin each with its own "- "',
    when: isMapping,
  });

const restartWords = 'the path of a script, or a mapping with script or unit, attempts, every';

const step = section(
  {
    script: path('the path of the script').optional(),
    /** Instead of a script. */
    unit: unitSensor.schema(fields).optional(),
    name: text(idWords, idPattern).optional(),
    args: z
      .array(text('text; put a number in quotes'), { error: expected('a list such as [wan, "2"]') })
      .prefault([]),
    attempts: whole(1, 100).prefault(6),
    every: duration('1s', '1d').prefault('30s'),
    backoff: factor(1, 10).prefault(1),
    timeout: duration('1s', '1d').prefault('60s'),
    grace: duration('1s', '10m').prefault('5s'),
    journal_lines: whole(0, 200).prefault(0),
  },
  restartWords,
)
  .refine(value => value.script !== undefined || value.unit !== undefined, {
    path: ['script'],
    error: 'is missing; expected the path of a script, or unit: and the name of a service in its place',
    when: isMapping,
  })
  .refine(value => value.script === undefined || value.unit === undefined, {
    path: ['unit'],
    error: 'stands beside a script; expected one of the two, a second step takes the other',
    when: isMapping,
  })
  .refine(value => value.unit === undefined || value.args === undefined || value.args.length === 0, {
    path: ['args'],
    error: 'belongs to a script; a unit takes no arguments',
    when: isMapping,
  });

const restart = z.union([step, z.array(step)], { error: expected(`${restartWords}, or a list of them`) });

const resource = section({
  watch: z
    .array(sensor, { error: expected(`tcpip, or a list of sensors (${kindWords})`) })
    .min(1, { error: `is an empty list; expected tcpip, or at least one of ${kindWords}` }),
  role: choice('network', 'service').optional(),
  restart: restart.optional(),
  reboot: flag('true or false').optional(),
  restart_budget: section({
    max: whole(1, 1000).prefault(30),
    per: duration('1m', '30d').prefault('1h'),
  }).prefault({}),
  flapping: section({
    deaths: whole(2, 1000).prefault(4),
    per: duration('1m', '1d').prefault('10m'),
  }).prefault({}),
  needs: z
    .array(text('the name of a resource', idPattern), { error: expected('a list of names such as [tcpip]') })
    .prefault([]),
  fall: duration('0s', '10m').optional(),
  rise: duration('0s', '10m').prefault('0s'),
  settle: duration('0s', '1h').prefault('10s'),
}).refine(value => !(value.reboot === true && value.restart === undefined), {
  path: ['reboot'],
  error: 'has nothing to come after; expected a restart script beside it',
  when: isMapping,
});

function command(...fallback: [string, ...string[]]) {
  const such = `such as [${fallback.join(', ')}]`;
  return z
    .array(text('a word of the command'), { error: expected(`a list ${such}`) })
    .min(1, { error: `is an empty list; expected a command ${such}` })
    .prefault(fallback);
}

const reboot = section({
  allowed: flag('true or false').prefault(false),
  command: command('systemctl', 'reboot'),
  force_command: command('systemctl', 'reboot', '--force'),
  min_uptime: duration('0s', '1d').prefault('5m'),
  budget: section({
    max: whole(1, 100).prefault(3),
    per: duration('1m', '30d').prefault('24h'),
  }).prefault({}),
  hold_off: z
    .array(duration('0s', '30d'), { error: expected('a list of durations such as [10m, 1h, 6h]') })
    .prefault(['10m', '1h', '6h']),
});

const resources = z
  .record(text(idWords, idPattern), resource, {
    error: issue =>
      issue.code === 'invalid_key'
        ? 'cannot be the name of a resource; expected letters, digits, "_" and "-", at most 64'
        : expected('a mapping from the name of a resource to what is watched')(issue),
  })
  .refine(value => Object.keys(value).length > 0, {
    error: 'is empty; expected at least one resource, for example tcpip: {watch: tcpip}',
  });

export const settingsSchema = section({
  node: text('letters, digits, "_" and "-", at most 64', /^[a-zA-Z0-9_-]{1,64}$/).optional(),
  state_dir: path('the path of a folder').optional(),
  log: section({
    level: choice('debug', 'info', 'warn', 'error').prefault('info'),
    format: choice('text', 'json').prefault('text'),
  }).prefault({}),
  resources,
  reboot: reboot.prefault({}),
  mqtt: mqttSchema.optional(),
  commands: commandsSchema.prefault({}),
});

export type Settings = z.infer<typeof settingsSchema>;
export type ResourceSettings = Settings['resources'][string];
export type StepSettings = z.infer<typeof step>;

/** What is inside optional and default wrappers. */
export function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault)
    return unwrapped(schema.def.innerType);
  return schema;
}

/** Of a choice the mapping or, for what stands in one, the list. */
function chosen(schema: z.core.$ZodType, kind: typeof z.ZodObject | typeof z.ZodArray): z.core.$ZodType {
  const inner = unwrapped(schema);
  if (!(inner instanceof z.ZodUnion)) return inner;
  return inner.options.find(option => option instanceof kind) ?? inner;
}

function childOf(schema: z.core.$ZodType, key: PropertyKey): z.core.$ZodType | undefined {
  const inner = chosen(schema, typeof key === 'number' ? z.ZodArray : z.ZodObject);
  if (inner instanceof z.ZodObject)
    return Object.hasOwn(inner.shape, key) ? inner.shape[String(key)] : undefined;
  if (inner instanceof z.ZodRecord) return inner.valueType;
  return inner instanceof z.ZodArray ? inner.element : undefined;
}

/** The keys that may stand in the mapping at a path; none where the schema knows no mapping there. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  let schema: z.core.$ZodType | undefined = settingsSchema;
  for (const key of path) schema = schema && childOf(schema, key);
  const mapping = schema && chosen(schema, z.ZodObject);
  return mapping instanceof z.ZodObject ? Object.keys(mapping.shape) : [];
}

export interface ScalarLeaf {
  readonly path: readonly string[];
  readonly schema: z.core.$ZodType;
  /** What the schema fills in, as a user would write it. undefined where that depends on more than this leaf. */
  readonly fallback: unknown;
}

/** Every setting outside `resources` that is one scalar: these have an environment variable. */
export function scalarLeaves(
  schema: z.core.$ZodType = settingsSchema,
  path: readonly string[] = [],
  mayBeAbsent = false,
): ScalarLeaf[] {
  const inner = unwrapped(schema);
  const absent = mayBeAbsent || schema instanceof z.ZodOptional;
  if (inner instanceof z.ZodObject)
    return Object.entries(inner.shape).flatMap(([key, child]) => scalarLeaves(child, [...path, key], absent));
  if (inner instanceof z.ZodRecord || inner instanceof z.ZodArray) return [];
  // A default inside an absent section would make the section exist.
  const fallback = schema instanceof z.ZodPrefault && !absent ? schema.def.defaultValue : undefined;
  return [{ path, schema, fallback }];
}
