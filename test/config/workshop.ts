/** A folder of its own for each test, with files in it, and a loader that catches faults. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ConfigError, type ConfigSource, type Fault, loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/core/policy.js';

export interface Workshop {
  readonly folder: string;
  /** Writes a file and returns its path. */
  write(name: string, text: string | Uint8Array, mode?: number): string;
  load(files: readonly string[], source?: Partial<ConfigSource>): Config;
  /** The faults of a configuration that must have some. */
  faults(files: readonly string[], source?: Partial<ConfigSource>): readonly Fault[];
}

/** Holds an executable `script` and nothing else. */
export function workshop(context: TestContext): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-config-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string | Uint8Array, mode = 0o644): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, mode);
    return path;
  };
  write('script', '#!/bin/sh\n', 0o755);
  const load = (files: readonly string[], source: Partial<ConfigSource> = {}): Config =>
    loadConfig({ files, env: {}, cwd: folder, ...source });
  const faults = (files: readonly string[], source: Partial<ConfigSource> = {}): readonly Fault[] => {
    try {
      load(files, source);
    } catch (error) {
      if (error instanceof ConfigError) return error.faults;
      throw error;
    }
    throw new Error('the configuration was accepted');
  };
  return { folder, write, load, faults };
}

/** The least that is a configuration. */
export const least = 'resources:\n  tcpip: {watch: tcpip}\n';
