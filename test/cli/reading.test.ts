/** The configuration comes to the daemon from another process, which ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { errorTable } from '../../src/base/errors.js';
import type { Loaded } from '../../src/core/policy.js';
import { readingFd, takeOver } from '../../src/start/config-result.js';
import { until } from '../lab/wait.js';
import { type Program, programIn, result, said } from './program.js';

const sources = fileURLToPath(new URL('../../src/', import.meta.url));
const pem = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';

/** Runs the reader as the daemon does. */
function reader(program: Program, ...args: string[]): { child: ChildProcess; handed: Promise<Buffer> } {
  const child = spawn(process.execPath, [`${sources}start/config-reader.js`, ...args], {
    cwd: program.folder,
    env: { PATH: process.env.PATH, STATE_DIRECTORY: join(program.folder, 'state') },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  child.stdio[readingFd]?.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { child, handed: new Promise(resolve => child.once('close', () => resolve(Buffer.concat(chunks)))) };
}

function loadedFrom(bytes: Buffer): Loaded {
  const reading = takeOver(bytes);
  assert.ok(reading !== null && 'loaded' in reading);
  return reading.loaded;
}

test('everything arrives: secrets, certificates as bytes, warnings, the files; and it is frozen', async context => {
  const program = programIn(context);
  program.write('password', 's3cret\n', 0o604);
  program.write('ca.pem', pem);
  program.write(
    'a.yaml',
    'resources: {tcpip: {watch: tcpip}}\nmqtt: {url: mqtts://h, username: u, password_file: password, tls: {ca_file: ca.pem}}\n',
  );
  const { handed } = reader(program, 'run', '--config', 'a.yaml', '--allow-reboot');
  const { config, warnings, files } = loadedFrom(await handed);
  assert.equal(config.mqtt?.password, 's3cret');
  assert.ok(Buffer.isBuffer(config.mqtt?.tls.ca) && config.mqtt.tls.ca.toString() === pem);
  assert.equal(config.policy.reboot.allowed, true);
  assert.match(warnings.join(), /^a\.yaml:2:\d+: mqtt\.password_file: .*can be read by every user/);
  assert.deepEqual(files, [join(program.folder, 'a.yaml')]);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.policy.resources[0]?.sensors));
});

test('a configuration larger than a pipe arrives whole; cut short it is nothing', async context => {
  const program = programIn(context);
  const ids = Array.from({ length: 1500 }, (_, i) => `resource-${'x'.repeat(40)}-${i}`);
  const lines = ids.map(id => `  ${id}: {watch: [{process: {name: sleep}}]}\n`);
  program.write('a.yaml', `resources:\n${lines.join('')}`);
  const bytes = await reader(program, 'run', '--config', 'a.yaml').handed;
  assert.ok(bytes.length > 2 * 65_536, String(bytes.length));
  assert.deepEqual(
    loadedFrom(bytes).config.policy.resources.map(({ id }) => id),
    ids,
  );
  for (const length of [0, 1, 100, bytes.length - 1]) assert.equal(takeOver(bytes.subarray(0, length)), null);
});

test('a daemon that ended meanwhile is no error of the reader', async context => {
  const program = programIn(context);
  program.write('restart', '#!/bin/sh\n', 0o755);
  const { child } = reader(program, './restart');
  const ended = result(child);
  child.stdio[readingFd]?.destroy();
  assert.deepEqual(await ended, { status: 0, out: '', err: '' });
});

/** Something that befalls the reading process alone, before it has done anything. */
function mishap(context: TestContext, script: string): Program {
  const place = programIn(context);
  const hook = place.write(
    'mishap.cjs',
    `const fs = require('node:fs');\nif (process.argv[1]?.endsWith('/config-reader.js')) { ${script} }\n`,
  );
  const program = programIn(context, { NODE_OPTIONS: `--require ${hook}` });
  program.write('restart', '#!/bin/sh\n', 0o755);
  return program;
}

test('a reader that is killed: a clear error, and nothing is started', async context => {
  const program = mishap(context, "process.kill(process.pid, 'SIGKILL');");
  const { status, out, err } = await program.run('./restart');
  assert.equal(status, errorTable.INTERNAL.exitStatus);
  assert.match(
    err,
    /^sockmon: The process that reads the configuration was ended by SIGKILL before it had finished\. Look .*\n$/,
  );
  assert.equal(out, '');
  assert.equal(existsSync(join(program.folder, 'state')), false);
});

test('a reader that crashes at SIGHUP: it is told with its words, and the old configuration stays', async context => {
  const program = mishap(context, "if (fs.existsSync('broken')) throw new Error('out of luck');");
  const daemon = program.start('./restart');
  await program.ready(daemon);
  program.write('broken', '');
  const told = said(
    daemon,
    /error the configuration cannot be taken up, the old one stays in force: The process [^\n]*status 1 /,
  );
  const words = said(daemon, /out of luck/);
  daemon.kill('SIGHUP');
  await Promise.all([told, words]);
  const { out } = await program.run('status', '--json');
  assert.deepEqual(Object.keys(JSON.parse(out).snapshot.resources), ['tcpip']);
});

test('SIGHUP takes up what is new, with its warnings', async context => {
  const program = programIn(context);
  program.write('a.yaml', 'resources: {one: {watch: stack}}\n');
  const daemon = program.start('run', '--config', 'a.yaml');
  await program.ready(daemon);
  program.write('password', 's3cret\n', 0o604);
  program.write(
    'a.yaml',
    'resources: {two: {watch: stack}}\nmqtt: {url: mqtt://127.0.0.1:1, username: u, password_file: password}\n',
  );
  const all = [
    /warn {2}a\.yaml:2:\d+: mqtt\.password_file: /,
    /warn {2}node, state_dir, mqtt, .* have changed/,
    /read again: two\n/,
  ];
  const told = Promise.all(all.map(words => said(daemon, words)));
  daemon.kill('SIGHUP');
  await told;
  const { out } = await program.run('status', '--json');
  assert.deepEqual(Object.keys(JSON.parse(out).snapshot.resources), ['two']);
});

test('a hundred SIGHUPs are two or three readings, and the last word counts', async context => {
  const program = programIn(context);
  program.write('a.yaml', 'resources: {one: {watch: stack}}\n');
  const daemon = program.start('run', '--config', 'a.yaml');
  await program.ready(daemon);
  const told = said(daemon, /read again: two\n/);
  for (let i = 0; i < 50; i++) daemon.kill('SIGHUP');
  program.write('a.yaml', 'resources: {two: {watch: stack}}\n');
  for (let i = 0; i < 50; i++) daemon.kill('SIGHUP');
  const readings = (await told).match(/read again/g)?.length ?? 0;
  assert.ok(readings <= 3, `${readings} readings`);
});

test('Ctrl-C while the configuration is read ends it at once', async context => {
  const program = mishap(
    context,
    "fs.writeFileSync('reading', String(process.pid)); while (!fs.existsSync('go')) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);",
  );
  const pidFile = join(program.folder, 'reading');
  const daemon = program.start('./restart');
  const ended = new Promise(resolve => daemon.once('exit', (_, signal) => resolve(signal)));
  await until('the reader to be at work', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
  daemon.kill('SIGINT');
  assert.equal(await ended, 'SIGINT');
  const pid = readFileSync(pidFile, 'utf8');
  writeFileSync(join(program.folder, 'go'), '');
  await until('the reader to end by itself', () => !existsSync(`/proc/${pid}`));
});

/** Packages that a compiled file and everything it imports would load, sooner or later. */
function packagesFrom(file: string, seen = new Set<string>(), packages = new Set<string>()): Set<string> {
  if (seen.has(file)) return packages;
  seen.add(file);
  for (const [, name = ''] of readFileSync(file, 'utf8').matchAll(
    /(?:from |import\(|import |require\()'([^']+)'/g,
  )) {
    if (name.startsWith('.')) packagesFrom(join(dirname(file), name), seen, packages);
    else if (!name.startsWith('node:')) packages.add(name.split('/')[0] ?? name);
  }
  return packages;
}

test('the daemon loads none of what reading a configuration takes', () => {
  // Each of them costs some MB of resident memory; together with V8's optimizer it was 14 MB of 73.
  assert.deepEqual([...packagesFrom(`${sources}start/daemon-run.js`)].sort(), ['aedes', 'mqtt', 'pino']);
  assert.deepEqual([...packagesFrom(`${sources}start/config-process.js`)], []);
  assert.ok(readdirSync(`${sources}start`).includes('config-reader.js'));
  assert.ok(packagesFrom(`${sources}start/config-reader.js`).has('zod'), 'the search finds what is there');
});
