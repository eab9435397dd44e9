/** `sockmon run --config FILE…` and `sockmon SCRIPT`: what the daemon shall do. */
import { resolve } from 'node:path';
import { type ConfigSource, type Fault, formatFault, loadConfig, seedConfig } from '../config/load.js';
import type { Config, Loaded } from '../core/policy.js';
import type { Io } from './io.js';

export interface DaemonOptions {
  readonly allowReboot?: true;
  readonly stateDir?: string;
  readonly logLevel?: string;
}

/** @throws ConfigError with every fault at once. */
export function runConfigured(
  options: DaemonOptions & { readonly config: readonly string[] },
  io: Io,
): Loaded {
  const files = options.config;
  return load(files, source => loadConfig({ ...source, files }), options, io);
}

/** @throws SockmonError SCRIPT, ConfigError. */
export function runSeed(script: string, options: DaemonOptions, io: Io): Loaded {
  return load([], source => seedConfig(script, source), options, io);
}

type Read = (source: Omit<ConfigSource, 'files'>) => Config;

function load(files: readonly string[], read: Read, options: DaemonOptions, io: Io): Loaded {
  const warnings: string[] = [];
  const onWarning = (warning: Fault): void => void warnings.push(formatFault(warning));
  const config = read({ args: settingsOf(options), env: io.env, cwd: io.cwd, onWarning });
  return { config, warnings, files: files.map(file => resolve(io.cwd, file)) };
}

/** Options as settings, in the form that the configuration takes. */
function settingsOf({ allowReboot, stateDir, logLevel }: DaemonOptions): string[] {
  return [
    ...(allowReboot ? ['--allow-reboot=true'] : []),
    ...(stateDir === undefined ? [] : [`--state-dir=${stateDir}`]),
    ...(logLevel === undefined ? [] : [`--log-level=${logLevel}`]),
  ];
}
