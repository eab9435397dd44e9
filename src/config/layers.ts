/** defaults < files < environment < arguments, for every scalar setting outside `resources`. convict does the layering. */
import convict from 'convict';
import { z } from 'zod';
import type { Fault } from './faults.js';
import { didYouMean } from './nearest.js';
import { type ScalarLeaf, scalarLeaves } from './schema.js';
import { isTree, merge, pathKey, type Tree, type TreeValue, valueAt } from './tree.js';

/** What scripts are given (core/attempt.ts), and what tests, benchmarks and their set-up use: no settings, and no faults. */
const foreign =
  /^SOCKMON_(TEST_.*|BENCH_.*|HA_CACHE|CLIENTS_CACHE|DEBIAN_MIRROR|FUZZ_ROUNDS|GOLDEN|GUEST|HOUSES|PROPERTY_.*|SCREENSHOTS|SEED|RESOURCE|OUTAGE_ID|ATTEMPT|CAUSE|STEP|JOURNAL)$/;

/** Options of the command line that are settings. The value may be left out for a switch. */
const options: Readonly<Record<string, string>> = {
  state_dir: 'state-dir',
  'log.level': 'log-level',
  'log.format': 'log-format',
  'reboot.allowed': 'allow-reboot',
};

const leaves = scalarLeaves();
const dotted = (leaf: ScalarLeaf): string => leaf.path.join('.');

export function environmentName(path: readonly string[]): string {
  return `SOCKMON_${path.join('_').toUpperCase()}`;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Layered {
  readonly tree: Tree;
  /** By pathKey: the variable or option that a value came from. */
  readonly sources: ReadonlyMap<string, Pick<Fault, 'file' | 'key'>>;
}

/** @param args Options with values, e.g. `--state-dir=/run/x`. */
export function layer(files: readonly Tree[], environment: Environment, args: readonly string[]): Layered {
  const merged = files.reduce(merge, {});
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
  const layers = convict(convictSchema(), { env: env as NodeJS.ProcessEnv, args: [...args] });
  for (const leaf of leaves) {
    const value = valueAt(merged, leaf.path);
    if (value !== undefined) layers.set(dotted(leaf), value);
  }
  // Loading nothing makes convict lay environment and arguments over what was set.
  const effective = layers.load({}).getProperties() as Tree;
  const sources = sourcesOf(env, args);
  for (const leaf of leaves) {
    const value = valueAt(effective, leaf.path);
    const fromText = sources.has(pathKey(leaf.path)) && typeof value === 'string';
    if (value !== undefined) put(merged, leaf.path, fromText ? scalarOf(value, leaf) : value);
  }
  return { tree: merged, sources };
}

function convictSchema(): convict.Schema<unknown> {
  const schema: Record<string, unknown> = {};
  for (const leaf of leaves) {
    const name = options[dotted(leaf)];
    const property = { format: '*', default: leaf.fallback, env: environmentName(leaf.path) };
    put(schema as Tree, leaf.path, { ...property, ...(name && { arg: name }) } as unknown as Tree);
  }
  return schema as convict.Schema<unknown>;
}

/** Where something other than a mapping stands in the way, it stays: the schema will complain about it. */
function put(tree: Tree, path: readonly string[], value: TreeValue): void {
  const [key, ...rest] = path;
  if (key === undefined) return;
  if (rest.length === 0) {
    tree[key] = value;
    return;
  }
  const inner = tree[key] === undefined ? {} : tree[key];
  if (!isTree(inner)) return;
  tree[key] = { ...inner };
  put(tree[key] as Tree, rest, value);
}

/** Variables and options are text: read as a number or a truth value where the setting takes one. */
function scalarOf(text: string, leaf: ScalarLeaf): TreeValue {
  const scalar = /^\d{1,15}$/.test(text)
    ? Number(text)
    : text === 'true' || (text === 'false' ? false : text);
  return z.safeParse(leaf.schema, scalar).success ? scalar : text;
}

function sourcesOf(env: Environment, args: readonly string[]): Layered['sources'] {
  const sources = new Map<string, Pick<Fault, 'file' | 'key'>>();
  for (const leaf of leaves) {
    const variable = environmentName(leaf.path);
    if (env[variable] !== undefined) sources.set(pathKey(leaf.path), { file: 'environment', key: variable });
    const option = `--${options[dotted(leaf)]}`;
    if (args.some(arg => arg === option || arg.startsWith(`${option}=`)))
      sources.set(pathKey(leaf.path), { file: 'arguments', key: option });
  }
  return sources;
}

/** Variables that look like settings and are none. */
export function environmentFaults(environment: Environment): Fault[] {
  const known = leaves.map(leaf => environmentName(leaf.path));
  return Object.keys(environment)
    .filter(name => name.startsWith('SOCKMON_') && !foreign.test(name) && environment[name] !== undefined)
    .flatMap(name => {
      const message = environmentFault(name, environment[name] ?? '', known);
      if (message === null) return [];
      return { code: 'CONFIG', file: 'environment', line: null, column: null, key: name, message } as const;
    });
}

function environmentFault(name: string, value: string, known: readonly string[]): string | null {
  if (known.includes(name)) return value === '' ? 'is empty; unset it, or give it a value' : null;
  if (/PASS|SECRET|TOKEN/.test(name))
    return 'is not read: every child process sees the environment; put the password into a file and name it in SOCKMON_MQTT_PASSWORD_FILE';
  return `is no setting${didYouMean(name, known)}`;
}
