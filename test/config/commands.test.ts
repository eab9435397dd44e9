import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fault, formatFault } from '../../src/config/load.js';
import { least, workshop } from './workshop.js';

const key = 'this one has thirty-two letters.';
const broker = 'mqtt: {url: "mqtt://h"}\nnode: gw\n';

test('without the section every command is taken, unsigned, and answered under the results', context => {
  const { write, load } = workshop(context);
  write('a.yaml', least + broker);
  const { policy, mqtt } = load(['a.yaml']);
  assert.deepEqual(policy.commands, { enabled: true, allowPress: false });
  assert.deepEqual(mqtt?.commands, { key: null, responsePrefix: 'sockmon/gw/result/' });
});

test('the key, what may come unsigned, and where answers may go', context => {
  const { write, load } = workshop(context);
  write('key', `${key}\n`, 0o600);
  const section = (more: string): string =>
    write('a.yaml', `${least}${broker}commands: {enabled: false, key_file: key, ${more}}\n`);
  section('allow_press: true, response_prefix: answers/');
  const { policy, mqtt } = load(['a.yaml']);
  assert.deepEqual(policy.commands, { enabled: false, allowPress: true });
  assert.deepEqual(mqtt?.commands, { key, responsePrefix: 'answers/' });
  section('response_prefix: false');
  assert.equal(load(['a.yaml']).mqtt?.commands.responsePrefix, null);
  write('a.yaml', least + broker);
  const env = { SOCKMON_COMMANDS_KEY_FILE: 'key', SOCKMON_COMMANDS_ENABLED: 'false' };
  assert.equal(load(['a.yaml'], { env }).mqtt?.commands.key, key);
});

test('a key from a systemd credential', context => {
  const { write, load, faults, folder } = workshop(context);
  write('a.yaml', `${least}${broker}commands: {key_credential: command-key}\n`);
  write('command-key', key, 0o600);
  assert.equal(load(['a.yaml'], { env: { CREDENTIALS_DIRECTORY: folder } }).mqtt?.commands.key, key);
  const [fault] = faults(['a.yaml']);
  assert.match(
    formatFault(fault as Fault),
    /commands\.key_credential: .*LoadCredential=command-key.*key_file/,
  );
});

test('what is wrong with it', context => {
  const { write, faults, folder } = workshop(context);
  write('key', key, 0o600);
  write('short', 'secret', 0o600);
  write('lines', `${key}\n${key}\n`, 0o600);
  const cases: [string, RegExp][] = [
    ['key_file: nowhere', /commands\.key_file: .*does not exist; expected a file that holds the key/],
    ['key_file: short', /commands\.key_file: .* less than 32 characters; make one with: openssl rand/],
    ['key_file: lines', /commands\.key_file: .* more than one line; expected the key alone/],
    ['key_file: key, key_credential: k', /commands\.key_credential: stands beside key_file/],
    ['allow_press: true', /commands\.allow_press: has no meaning without a key/],
    ['response_prefix: sockmon/+/result/', /commands\.response_prefix: is not allowed; expected a topic/],
    ['response_prefix: sockmon', /commands\.response_prefix: is not allowed/],
    ['response_prefix: $SYS/', /commands\.response_prefix: is not allowed/],
    ['key: x', /commands\.key: unknown key/],
  ];
  for (const [line, expected] of cases) {
    write('a.yaml', `${least}${broker}commands: {${line}}\n`);
    const told = faults(['a.yaml']).map(formatFault).join('\n').replaceAll(join(folder, '/'), '');
    assert.match(told, expected);
    assert.doesNotMatch(told, /secret|thirty/);
  }
});
