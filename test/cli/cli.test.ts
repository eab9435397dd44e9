import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { errorTable } from '../../src/base/errors.js';
import { version } from '../../src/system/version.js';
import { programIn } from './program.js';

const commands = [
  ...['run', 'check', 'status', 'history', 'explain', 'replay', 'discovery'],
  ...['restart', 'reboot', 'pause', 'resume', 'drill'],
];

test('sockmon alone and --help print a help that names every command', async context => {
  const { run } = programIn(context);
  const [alone, help] = await Promise.all([run(), run('--help')]);
  assert.equal(alone.status, 0);
  assert.equal(alone.out, help.out);
  for (const command of [...commands, 'Examples:', '--version', '--allow-reboot', 'SOCKMON_'])
    assert.match(help.out, new RegExp(`^.*${command}`, 'm'));
  assert.equal(alone.err, '');
});

test('every command has a help of its own', async context => {
  const { run } = programIn(context);
  for (const command of commands) {
    const { status, out } = await run(command, '--help');
    assert.equal(status, 0, command);
    assert.match(out, new RegExp(`^Usage: sockmon ${command} `));
  }
});

test('--version prints the version of the package', async context => {
  const { run } = programIn(context);
  assert.deepEqual(await run('--version'), { status: 0, out: `${version}\n`, err: '' });
});

test('a command line that makes no sense', async context => {
  const { run, folder } = programIn(context);
  const lines: readonly (readonly [string[], RegExp])[] = [
    [['stauts'], /no command "stauts"; did you mean "status"\?.*\.\/stauts/],
    [['run'], /required option '--config <files\.\.\.>' not specified/],
    [['status', '--jsn'], /unknown option '--jsn'.*\n.*--json/],
    [['history', '--limit', 'x'], /--limit x: expected a whole number/],
    [['status', '--json', '--watch'], /do not go together/],
    [['restart'], /missing required argument 'resource'/],
    [['restart', 'a b'], /cannot be the name of a resource/],
    [['pause'], /required option '--for <duration>' not specified/],
    [['pause', '--for', '10'], /--for 10: expected a duration with its unit/],
    [['drill', 'dns'], /without a terminal say --yes/],
    [['replay'], /missing required argument 'file'/],
    [['discovery'], /required option '--config <files\.\.\.>' not specified/],
    [['history', 'nowhere-1'], /no outage "nowhere-1" in the journal/],
    [['./a', './b'], /too many arguments/],
  ];
  for (const [args, words] of lines) {
    const { status, out, err } = await run(...args);
    assert.equal(status, errorTable.USAGE.exitStatus, args.join(' '));
    assert.match(err, words);
    assert.equal(out, '');
    assert.doesNotMatch(err, /^\s+at /m);
  }
  assert.ok(!existsSync(join(folder, 'state')));
});

test('a script that is missing, not executable or a folder: an error, and nothing is started', async context => {
  const { run, write, folder } = programIn(context);
  write('plain', '#!/bin/sh\n');
  for (const [script, words] of [
    ['./nowhere', /nowhere cannot be used: it does not exist/],
    ['./plain', /plain is not executable; make it so with: chmod \+x /],
    ['.', /is not a file; expected an executable script/],
  ] as const) {
    const { status, out, err } = await run(script);
    assert.equal(status, errorTable.SCRIPT.exitStatus);
    assert.match(err, words);
    assert.equal(out, '');
  }
  assert.ok(!existsSync(join(folder, 'state')));
});

test('check says every fault with its place and exits 78', async context => {
  const { run, write } = programIn(context);
  write('bad.yaml', 'nide: x\nresources:\n  tcpip: {watch: tcpip, restart: ./nowhere}\n');
  const { status, out, err } = await run('check', '--config', 'bad.yaml');
  assert.equal(status, 78);
  assert.equal(out, '');
  const lines = err.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.equal(lines[0], 'bad.yaml:1:1: nide: unknown key, did you mean "node"?');
  assert.match(
    lines[1] ?? '',
    /^bad\.yaml:3:34: resources\.tcpip\.restart\.script: .*nowhere cannot be used/,
  );
  const missing = await run('check', '--config', 'nowhere.yaml');
  assert.equal(missing.status, 78);
});

test('check summarizes what would be watched and exits 0', async context => {
  const { run, write, folder } = programIn(context);
  write('script', '#!/bin/sh\n', 0o755);
  write('pw', 'hunter2\n', 0o644);
  write(
    'good.yaml',
    `node: gw
resources:
  tcpip: {watch: tcpip, restart: ./script}
  dns: {watch: {process: {name: dnsmasq}}}
mqtt: {url: "mqtt://broker.lan", username: u, password_file: pw}
`,
  );
  const { status, out, err } = await run('check', '--config', 'good.yaml');
  assert.equal(status, 0);
  // What there is now is this machine's affair: see now.test.ts.
  const [summary = '', now = ''] = out.replaceAll(folder, 'FOLDER').split('\nNow:\n');
  assert.match(now, /^ {2}tcpip +\w+ +stack: .*; uplink: .*\n {2}dns +\w+ +process dnsmasq: /);
  assert.equal(
    summary,
    `good.yaml: no faults.

tcpip (the network)
  watched by    a datagram to itself over loopback, every 1m and at every doubt
                the interface that leads to the internet: dead when gone, down, or without address or route for 10s; whole with IPv4, or IPv6 where it has never had IPv4
  at its death  FOLDER/script runs, at most 6 times, 30s apart, each for at most 1m
  then          a reboot is asked for, and refused: rebooting is not allowed
  at most       30 attempts in 1h
  verified      alive for 10s after its script; what dies before belongs to the same outage

dns (a service)
  watched by    the process named dnsmasq
  at its death  it is told; nothing is restarted
  then          sockmon goes on watching

node      gw
broker    mqtt://broker.lan as u; topics under sockmon/…; Home Assistant discovery under homeassistant
commands  unsigned, from whoever may write them to the broker
reboot    not allowed (reboot.allowed: true or --allow-reboot would allow it)
state     FOLDER/state
log       info and worse, as text
`,
  );
  assert.match(err, /^good\.yaml:5:62: mqtt\.password_file: .*can be read by every user.*\(a warning\)\n$/);
  assert.doesNotMatch(out + err, /hunter2/);
});

test('run refuses a faulty configuration and starts nothing', async context => {
  const { run, write, folder } = programIn(context);
  write('bad.yaml', 'resources: {a: {watch: stck}}\n');
  const { status, err } = await run('run', '--config', 'bad.yaml');
  assert.equal(status, errorTable.CONFIG.exitStatus);
  assert.match(err, /^bad\.yaml:1:24: .*\nsockmon: 1 fault; nothing was started\.\n$/);
  assert.ok(!existsSync(join(folder, 'state')));
  assert.equal(
    (await run('run', '--config', 'nowhere.yaml')).status,
    errorTable.CONFIG_UNREADABLE.exitStatus,
  );
});

test('status and history without a running sockmon say so', async context => {
  const { run, folder, write } = programIn(context);
  const state = join(folder, 'state');
  const text = await run('status');
  assert.equal(text.status, errorTable.NOT_RUNNING.exitStatus);
  assert.equal(
    text.out,
    `sockmon is not running on ${state}. Nothing is watched.\nIts journal is empty. If sockmon runs with another state folder, name it: --state-dir FOLDER\n`,
  );
  const json = await run('status', '--json');
  assert.equal(json.status, errorTable.NOT_RUNNING.exitStatus);
  assert.deepEqual(JSON.parse(json.out), {
    running: false,
    state_dir: state,
    last_entry_at: null,
    stopped: null,
    last_outage: null,
    outages_total: 0,
  });
  assert.deepEqual(await run('history'), {
    status: 0,
    out: `No outages in the journal of ${state}.\n`,
    err: '',
  });
  assert.deepEqual(await run('history', '--json'), { status: 0, out: '[]\n', err: '' });
  write('some.yaml', `state_dir: ${state}\n`);
  // --config takes several files, and the outage after it is none.
  const behind = await run('history', '--config', 'some.yaml', 'tcpip-1');
  assert.match(behind.err, /no outage "tcpip-1" in the journal of /);
  const misspelt = await run('history', '--config', 'some.yaml', 'nowhere');
  assert.match(misspelt.err, /nowhere: cannot be read: it does not exist/);
  const boot = JSON.parse((await run('explain', '--json')).out);
  assert.deepEqual([boot.by, boot.reboot, boot.pending], ['unknown', null, null]);
  assert.match((await run('explain')).out, /^This machine was booted at .*\nThe journal does not reach back/);
  const refused = await run('reboot');
  assert.equal(refused.status, errorTable.NOT_RUNNING.exitStatus);
  assert.match(refused.err, /No sockmon is running on the state folder/);
});
