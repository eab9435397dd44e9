/** `sockmon run --config FILE…` and `sockmon SCRIPT`. */
import { resolve } from 'node:path';
import { type ConfigSource, type Fault, formatFault, loadConfig, seedConfig } from '../config.js';
import type { Config } from '../core/policy.js';
import { createLog } from '../log.js';
import { greet } from './greeting.js';
import type { Io } from './io.js';

export interface DaemonOptions {
  readonly allowReboot?: true;
  readonly stateDir?: string;
  readonly logLevel?: string;
}

export function runConfigured(
  options: DaemonOptions & { readonly config: readonly string[] },
  io: Io,
): Promise<number> {
  const files = options.config;
  return start(files, source => loadConfig({ ...source, files }), options, io);
}

export function runSeed(script: string, options: DaemonOptions, io: Io): Promise<number> {
  return start([], source => seedConfig(script, source), options, io);
}

type Load = (source: Omit<ConfigSource, 'files'>) => Config;

async function start(files: readonly string[], load: Load, options: DaemonOptions, io: Io): Promise<number> {
  const source = { args: settingsOf(options), env: io.env, cwd: io.cwd };
  const warnings: Fault[] = [];
  const config = load({ ...source, onWarning: warning => warnings.push(warning) });
  const log = createLog(config.log);
  const warn = (warning: Fault) => log.warn({}, formatFault(warning));
  warnings.forEach(warn);
  const { startDaemon } = await import('../daemon.js');
  return startDaemon(config, {
    log,
    files: files.map(file => resolve(io.cwd, file)),
    reload: () => load({ ...source, onWarning: warn }),
    onStart: broker => greet(config, broker, log, io),
  });
}

/** Options as settings, in the form that the configuration takes. */
function settingsOf({ allowReboot, stateDir, logLevel }: DaemonOptions): string[] {
  return [
    ...(allowReboot ? ['--allow-reboot=true'] : []),
    ...(stateDir === undefined ? [] : [`--state-dir=${stateDir}`]),
    ...(logLevel === undefined ? [] : [`--log-level=${logLevel}`]),
  ];
}
