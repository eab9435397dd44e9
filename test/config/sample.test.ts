import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { loadConfig } from '../../src/config/load.js';
import { settingsSchema, unwrapped } from '../../src/config/schema.js';

const folder = fileURLToPath(new URL('../../../config/', import.meta.url));
const sample = join(folder, 'sockmon.yaml');
const text = readFileSync(sample, 'utf8');

interface Setting {
  readonly key: string;
  /** As a user would write it; undefined where the schema has no default or it is a whole section. */
  readonly fallback: unknown;
}

/** Every key of the schema, wherever it stands. */
function settingsOf(schema: z.core.$ZodType): Setting[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject)
    return Object.entries(inner.shape).flatMap(([key, child]) => [
      { key, fallback: child instanceof z.ZodPrefault ? child.def.defaultValue : undefined },
      ...settingsOf(child),
    ]);
  if (inner instanceof z.ZodRecord) return settingsOf(inner.valueType);
  if (inner instanceof z.ZodArray) return settingsOf(inner.element);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap(settingsOf);
  return [];
}

const settings = settingsOf(settingsSchema);
const escaped = (words: string): string => words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

test('the shipped configuration has no faults and is harmless', () => {
  const config = loadConfig({ files: [sample], env: {}, cwd: '/' });
  assert.deepEqual(
    config.policy.resources.map(({ id }) => id),
    ['tcpip'],
  );
  assert.deepEqual(config.policy.resources[0]?.steps[0]?.argv, [join(folder, 'restart-network')]);
  assert.equal(config.policy.reboot.allowed, false);
  assert.equal(config.embeddedBroker?.host, '127.0.0.1');
});

test('the shipped configuration names every key there is', () => {
  const keys = new Set(settings.map(({ key }) => key));
  assert.ok(keys.size > 40, `${keys.size} keys`);
  const missing = [...keys].filter(key => !new RegExp(`(^|[\\s#{,])${key}:`, 'm').test(text));
  assert.deepEqual(missing, []);
});

test('the shipped configuration tells the true default of every key', () => {
  const written = (value: unknown): string =>
    Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
  const withDefault = settings.filter(
    ({ fallback }) => typeof fallback !== 'object' || Array.isArray(fallback),
  );
  const defaults = withDefault.filter(({ fallback }) => fallback !== undefined);
  assert.ok(defaults.length > 15, `${defaults.length} defaults`);
  // The embedded broker of the sample is kept away from port 1883, which a real broker may have.
  const wrong = defaults.filter(
    ({ key, fallback }) =>
      key !== 'port' && !new RegExp(`\\b${key}: ${escaped(written(fallback))}(?![\\w.])`).test(text),
  );
  assert.deepEqual(wrong, []);
});

test('the example script restarts the manager that is active, and tells when that fails', context => {
  const script = join(folder, 'restart-network');
  accessSync(script, constants.X_OK);
  execFileSync('/bin/sh', ['-n', script]);
  const bin = mkdtempSync(join(tmpdir(), 'sockmon-path-'));
  context.after(() => rmSync(bin, { recursive: true, force: true }));
  const fake = (name: string, body: string): void =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  fake('timeout', 'shift; exec "$@"');
  const systemctl = (status: number): void =>
    fake(
      'systemctl',
      `case "$*" in *is-active*) [ "$3" = NetworkManager.service ];; *) exit ${status};; esac`,
    );
  // PATH holds nothing but the fakes: the managers of this machine cannot be reached.
  const run = () => spawnSync('/bin/sh', [script], { env: { PATH: bin }, encoding: 'utf8' });
  systemctl(0);
  assert.deepEqual(
    { status: run().status, stdout: run().stdout },
    { status: 0, stdout: 'restart-network: systemctl restart NetworkManager.service\n' },
  );
  systemctl(5);
  assert.deepEqual(
    { status: run().status, stderr: run().stderr },
    { status: 1, stderr: 'restart-network: systemctl failed with status 5\n' },
  );
});
