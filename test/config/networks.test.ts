/** docs/NETWORKS.md against the tests that play it, and against the configuration. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository } from '../lab/paths.js';
import { workshop } from './workshop.js';

const page = readFileSync(join(repository, 'docs', 'NETWORKS.md'), 'utf8');

test('each test that the page names is there', () => {
  const files = [...page.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map(([, file = '']) => file);
  assert.ok(files.length >= 5, `${files.length} files`);
  for (const file of files) assert.ok(existsSync(join(repository, file)), file);
});

test('its example can be written into a configuration', context => {
  const { write, load } = workshop(context);
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  const { policy } = load([write('example.yaml', example)]);
  assert.deepEqual(
    policy.resources.map(({ id }) => id),
    ['vpn', 'vpn-link'],
  );
});
