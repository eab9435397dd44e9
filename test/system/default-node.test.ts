/** A gateway keeps the name of its first start, whatever DHCP calls it later; a copied card does not take it along. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { defaultNode, keepDefaultNode, safeNode } from '../../src/system/default-node.js';
import { least, workshop } from '../config/workshop.js';

function stateDir(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-node-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** As it was kept under another host name. */
function keptAs(folder: string, name: string): void {
  keepDefaultNode(folder, defaultNode(folder));
  const [, machine] = readFileSync(join(folder, 'node'), 'utf8').split('\n');
  writeFileSync(join(folder, 'node'), `${name}\n${machine}\n`);
}

test('the default name is the host name at first, and stays what it was', context => {
  const folder = stateDir(context);
  assert.equal(defaultNode(folder), safeNode(hostname()));
  keptAs(folder, 'of-the-first-start');
  assert.equal(defaultNode(folder), 'of-the-first-start');
  keepDefaultNode(folder, safeNode(hostname()));
  assert.equal(defaultNode(folder), 'of-the-first-start');
});

test('a name that stands in the configuration is not kept', context => {
  const folder = stateDir(context);
  keepDefaultNode(folder, `${safeNode(hostname())}-by-hand`);
  assert.equal(existsSync(join(folder, 'node')), false);
});

test('the name of another machine, or what is no name, is not believed, and replaced', context => {
  const folder = stateDir(context);
  for (const text of ['other\n0123456789abcdef\n', 'a/b\n', '', '\n\n']) {
    writeFileSync(join(folder, 'node'), text);
    assert.equal(defaultNode(folder), safeNode(hostname()));
    keepDefaultNode(folder, safeNode(hostname()));
    assert.equal(readFileSync(join(folder, 'node'), 'utf8').split('\n')[0], safeNode(hostname()));
  }
});

test('the configuration takes it from the state folder, unless it names one itself', context => {
  const { write, load, folder } = workshop(context);
  keptAs(folder, 'kept');
  write('a.yaml', `state_dir: .\n${least}`);
  assert.equal(load(['a.yaml']).node, 'kept');
  write('a.yaml', `node: named\nstate_dir: .\n${least}`);
  assert.equal(load(['a.yaml']).node, 'named');
});
