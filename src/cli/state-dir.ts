import { stateDirOf } from '../config/load.js';
import type { Io } from './io.js';

export interface PlaceOptions {
  readonly config?: readonly string[];
  readonly stateDir?: string;
}

/** @throws ConfigError when a named configuration file cannot be read. */
export function findStateDir(options: PlaceOptions, io: Io): string {
  const args = options.stateDir === undefined ? [] : [`--state-dir=${options.stateDir}`];
  return stateDirOf({ files: options.config ?? [], args, env: io.env, cwd: io.cwd });
}
