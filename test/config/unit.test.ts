/** Units of systemd in the configuration: as a sensor and as a step. */
import assert from 'node:assert/strict';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError, loadConfig } from '../../src/config/load.js';
import type { ResourcePolicy } from '../../src/core/policy.js';

const folder = mkdtempSync(join(tmpdir(), 'sockmon-unit-'));
after(() => rmSync(folder, { recursive: true, force: true }));
writeFileSync(join(folder, 'script'), '#!/bin/sh\n', { mode: 0o755 });

function load(resource: string): ResourcePolicy {
  const file = join(folder, 'sockmon.yaml');
  writeFileSync(file, `resources:\n  a: ${resource}\n`);
  const [found] = loadConfig({ files: [file], env: {}, cwd: '/' }).policy.resources;
  assert.ok(found);
  return found;
}

function faultsOf(resource: string): string {
  try {
    load(resource);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

describe('a unit as a sensor', () => {
  const spellings: [written: string, name: string, manager: string][] = [
    ['unit: dnsmasq', 'dnsmasq.service', 'system'],
    ['unit: dnsmasq.service', 'dnsmasq.service', 'system'],
    ['unit: {name: wg-quick@wg0}', 'wg-quick@wg0.service', 'system'],
    ['unit: {name: org.example.app, manager: user}', 'org.example.app.service', 'user'],
    ['unit: {name: "dev\\\\x2dx"}', 'dev\\x2dx.service', 'system'],
  ];
  for (const [written, name, manager] of spellings)
    it(`${written}: ${name} of the ${manager}`, () => {
      const { sensors } = load(`{watch: {${written}}}`);
      assert.deepEqual(sensors, [
        { kind: 'unit', name: `unit ${name}`, canKill: true, fields: { name, manager } },
      ]);
    });

  it('is a service: its end reboots nothing', () => {
    assert.equal(load('{watch: {unit: x}, restart: ./script}').rebootWhenFailed, false);
  });

  const faults: [written: string, words: RegExp][] = [
    [
      'unit: cups.socket',
      /watch\[0\]\.unit\.name: is not allowed; expected the name of a service of systemd/,
    ],
    ['unit: multi-user.target', /expected the name of a service/],
    ['unit: ../x', /expected the name of a service/],
    ['unit: "a b"', /expected the name of a service/],
    ['unit: {}', /unit\.name: is missing; expected the name of a service/],
    [
      'unit: {name: x, manager: session}',
      /unit\.manager: "session" is not known; expected one of system, user/,
    ],
    ['unit: {name: x, suffix: y}', /unit\.suffix: unknown key; expected name, manager/],
  ];
  for (const [written, words] of faults)
    it(`${written} is a fault`, () => assert.match(faultsOf(`{watch: {${written}}}`), words));
});

describe('a unit as a step', () => {
  it('is restarted by a program that is there', () => {
    const { steps } = load('{watch: {unit: x}, restart: {unit: dnsmasq, attempts: 2}}');
    const [step] = steps;
    assert.match(step?.argv[0] ?? '', /\/config\/restart-unit$/);
    accessSync(step?.argv[0] ?? '', constants.X_OK);
    assert.deepEqual([step?.argv.slice(1), step?.name, step?.attempts], [['dnsmasq.service'], 'dnsmasq', 2]);
  });

  it('may be one of the user, and one of several', () => {
    const ladder = '[./script, {unit: {name: a, manager: user}}, {unit: a.service, name: again}]';
    const { steps } = load(`{watch: {unit: x}, restart: ${ladder}}`);
    assert.deepEqual(
      steps.map(({ name, argv }) => [name, argv.slice(1)]),
      [
        ['script', []],
        ['a', ['--user', 'a.service']],
        ['again', ['a.service']],
      ],
    );
  });

  const faults: [written: string, words: RegExp][] = [
    ['{}', /restart\.script: is missing; expected the path of a script, or unit: and the name of a service/],
    ['{unit: x, script: ./script}', /restart\.unit: stands beside a script; expected one of the two/],
    ['{unit: x, args: [y]}', /restart\.args: belongs to a script; a unit takes no arguments/],
    ['{unit: x.timer}', /restart\.unit\.name: is not allowed; expected the name of a service/],
    ['[{unit: x}, {unit: x.service}]', /restart\[1\]\.unit: is called "x" like a step before it/],
    ['[{unit: x}, {unit: y, name: x}]', /restart\[1\]\.name: is called "x" like a step before it/],
  ];
  for (const [written, words] of faults)
    it(`${written} is a fault`, () => assert.match(faultsOf(`{watch: stack, restart: ${written}}`), words));
});
