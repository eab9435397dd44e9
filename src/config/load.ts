/** The configuration: from files, environment and arguments to one checked, frozen Config. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { SockmonError } from '../base/errors.js';
import { deepFreeze } from '../base/freeze.js';
import type { Config, Policy } from '../core/policy.js';
import { defaultStateDir } from '../system/folders.js';
import { scriptFault } from '../system/script-fault.js';
import { Builder } from './build.js';
import { ConfigError, type Fault, sortFaults } from './faults.js';
import { faultsOf, Origins } from './issues.js';
import { type Environment, environmentFaults, layer } from './layers.js';
import { settingsSchema } from './schema.js';
import type { ConfigFile, Tree } from './tree.js';
import { readConfigFile } from './yaml-file.js';

export { ConfigError, type Fault, formatFault } from './faults.js';

export interface ConfigSource {
  /** Later files win, key by key; resources are merged by their names. */
  readonly files: readonly string[];
  /** Settings from the command line: `--state-dir=PATH`, `--log-level=LEVEL`, `--allow-reboot=true`. */
  readonly args?: readonly string[];
  readonly env: Environment;
  /** Relative paths in `files`, `args` and `env` start here. */
  readonly cwd: string;
  /** Something that works but should be changed, e.g. a password file that every user can read. */
  readonly onWarning?: (warning: Fault) => void;
  /** The configuration will not be run here and now: what only a running service has is a warning, not a fault. */
  readonly checkOnly?: boolean;
  /** Only what is watched and done is wanted: no script has to be there, and no secret is read. */
  readonly policyOnly?: boolean;
}

/**
 * Reads, layers (defaults < files < environment < arguments), checks and freezes the configuration.
 * @throws ConfigError with every fault at once.
 */
export function loadConfig(source: ConfigSource): Config {
  const outcomes = source.files.map(name => readConfigFile(name, source.cwd));
  const faults = [...outcomes.flatMap(outcome => outcome.faults), ...environmentFaults(source.env)];
  if (outcomes.some(outcome => outcome.file === null)) throw new ConfigError(sortFaults(faults));
  const files = outcomes.flatMap(outcome => outcome.file ?? []);
  return finish(files, source, faults);
}

/** What `sockmon ./restart-network` means. */
function seedFile(script: string, cwd: string): ConfigFile {
  const tree: Tree = {
    resources: { tcpip: { watch: [{ stack: {} }, { uplink: {} }], restart: { script } } },
  };
  return { name: 'command line', folder: cwd, tree, places: new Map() };
}

/**
 * The configuration of `sockmon SCRIPT`: the machine's own stack, six attempts 30 s apart, then a reboot is asked for.
 * @throws SockmonError SCRIPT when the script cannot be run; ConfigError when the environment or an option has faults.
 */
export function seedConfig(script: string, source: Omit<ConfigSource, 'files'>): Config {
  const wrong = scriptFault(resolve(source.cwd, script));
  if (wrong !== null) throw new SockmonError('SCRIPT', wrong);
  return finish([seedFile(script, source.cwd)], { ...source, files: [] }, environmentFaults(source.env));
}

/**
 * The policy of settings that stand in no file, with every default.
 * @throws ConfigError.
 */
export function policyOf(tree: Tree): Policy {
  const file = { name: 'defaults', folder: '/', tree, places: new Map() };
  return finish([file], { files: [], env: {}, cwd: '/', policyOnly: true }, []).policy;
}

function finish(files: readonly ConfigFile[], source: ConfigSource, earlier: readonly Fault[]): Config {
  const { tree, sources } = layer(
    files.map(file => file.tree),
    source.env,
    source.args ?? [],
  );
  const origins = new Origins(files, sources);
  const { env: environment, cwd, checkOnly = false, policyOnly = false } = source;
  const builder = new Builder({ origins, environment, cwd, checkOnly });
  builder.checkLadders(tree);
  if (!policyOnly) builder.checkScripts(tree);
  const secrets = policyOnly ? noSecrets : builder.readSecrets(tree);
  const parsed = settingsSchema.safeParse(tree);
  const found = [...faultsOf(parsed.error?.issues ?? [], origins), ...builder.faults];
  const faults = [...earlier, ...found.filter(fault => !alreadyTold(fault, earlier))];
  if (!parsed.success || faults.length > 0) throw new ConfigError(sortFaults(faults));
  const config = builder.build(parsed.data, secrets);
  for (const warning of builder.warnings) source.onWarning?.(warning);
  return deepFreeze(config);
}

const noSecrets = {
  password: null,
  commandKey: null,
  ca: null,
  cert: null,
  key: null,
  secretFiles: { password: null, ca: null, cert: null, key: null },
};

/** What was refused while reading is absent afterwards, and its absence is no second fault. */
function alreadyTold(fault: Fault, earlier: readonly Fault[]): boolean {
  return earlier.some(
    ({ file, key }) =>
      key !== '' &&
      (fault.key === key || fault.key.startsWith(`${key}.`) || fault.key.startsWith(`${key}[`)) &&
      (file === fault.file || file !== 'environment'),
  );
}

/**
 * The state folder alone, for commands that only look: scripts and secrets may be missing.
 * @throws ConfigError when a file cannot be read or parsed, or state_dir itself is wrong.
 */
export function stateDirOf(source: ConfigSource): string {
  const outcomes = source.files.map(name => readConfigFile(name, source.cwd));
  const files = outcomes.flatMap(outcome => outcome.file ?? []);
  if (files.length < outcomes.length) throw new ConfigError(outcomes.flatMap(outcome => outcome.faults));
  const { tree, sources } = layer(
    files.map(file => file.tree),
    source.env,
    source.args ?? [],
  );
  const origins = new Origins(files, sources);
  const parsed = z.looseObject({ state_dir: settingsSchema.shape.state_dir }).safeParse(tree);
  if (!parsed.success) throw new ConfigError(faultsOf(parsed.error.issues, origins));
  const named = parsed.data.state_dir;
  if (named !== undefined) return resolve(origins.folderOf(['state_dir'], source.cwd), named);
  return resolve(source.cwd, defaultStateDir(source.env, process.getuid?.() ?? 0));
}
