import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fault, formatFault } from '../../src/config/load.js';
import { least, type Workshop, workshop } from './workshop.js';

const secret = 'correct horse battery staple';

function withPassword({ write }: Workshop): void {
  write('a.yaml', `${least}mqtt: {url: "mqtt://h", username: u, password_file: pw}\n`);
}

test('the password is what the file holds without the line break at its end', context => {
  const shop = workshop(context);
  withPassword(shop);
  for (const [text, password] of [
    [secret, secret],
    [`${secret}\n`, secret],
    [`${secret}\r\n`, secret],
    [` ${secret} \n`, ` ${secret} `],
  ] as const) {
    shop.write('pw', text, 0o600);
    assert.equal(shop.load(['a.yaml']).mqtt?.password, password);
  }
});

test('a password file that is no use is a fault at its place', context => {
  const shop = workshop(context);
  withPassword(shop);
  mkdirSync(join(shop.folder, 'folder'));
  const told = (name: string): string => {
    shop.write('b.yaml', `mqtt: {password_file: ${name}}\n`);
    return shop.faults(['a.yaml', 'b.yaml']).map(formatFault).join('\n').replaceAll(shop.folder, 'FOLDER');
  };
  shop.write('empty', '\n', 0o600);
  shop.write('lines', `${secret}\n${secret}\n`, 0o600);
  shop.write('huge', 'x'.repeat(70_000), 0o600);
  const at = 'b.yaml:1:23: mqtt.password_file: FOLDER';
  assert.equal(
    told('nowhere'),
    `${at}/nowhere cannot be read: it does not exist; expected a file that holds the password`,
  );
  assert.equal(told('empty'), `${at}/empty is empty; expected a file that holds the password`);
  assert.equal(told('lines'), `${at}/lines holds more than one line; expected the password alone`);
  assert.equal(told('huge'), `${at}/huge is larger than 64 KiB; expected a file that holds the password`);
  assert.equal(told('folder'), `${at}/folder is not a file; expected a file that holds the password`);
});

test('a password that every user can read gets a warning, and works', context => {
  const shop = workshop(context);
  withPassword(shop);
  const warnings: Fault[] = [];
  const onWarning = (warning: Fault): void => void warnings.push(warning);
  shop.write('pw', secret, 0o644);
  assert.equal(shop.load(['a.yaml'], { onWarning }).mqtt?.password, secret);
  const path = join(shop.folder, 'pw');
  assert.deepEqual(warnings.map(formatFault), [
    `a.yaml:3:53: mqtt.password_file: ${path} can be read by every user; protect it with: chmod o-rwx ${path}`,
  ]);
  warnings.length = 0;
  shop.write('pw', secret, 0o640);
  shop.load(['a.yaml'], { onWarning });
  assert.deepEqual(warnings, []);
});

test('a systemd credential', context => {
  const shop = workshop(context);
  shop.write('a.yaml', `${least}mqtt: {url: "mqtt://h", username: u, password_credential: mqtt-password}\n`);
  shop.write('mqtt-password', `${secret}\n`, 0o644);
  const env = { CREDENTIALS_DIRECTORY: shop.folder };
  const { mqtt } = shop.load(['a.yaml'], { env });
  assert.equal(mqtt?.password, secret);
  assert.equal(mqtt?.secretFiles.password, join(shop.folder, 'mqtt-password'));
  const [fault] = shop.faults(['a.yaml']);
  assert.equal(fault?.code, 'SECRET');
  assert.match(fault?.message ?? '', /CREDENTIALS_DIRECTORY is not set.*LoadCredential=mqtt-password/);
  const warnings: Fault[] = [];
  const checked = shop.load(['a.yaml'], { checkOnly: true, onWarning: warning => warnings.push(warning) });
  assert.equal(checked.mqtt?.password, null);
  assert.equal(warnings.length, 1);
});

test('a credential cannot point out of its folder', context => {
  const shop = workshop(context);
  shop.write('a.yaml', `${least}mqtt: {url: "mqtt://h", username: u, password_credential: ../x}\n`);
  const [fault] = shop.faults(['a.yaml'], { env: { CREDENTIALS_DIRECTORY: shop.folder } });
  assert.match(formatFault(fault as Fault), /^a\.yaml:3:59: mqtt\.password_credential: is not allowed/);
});

test('certificates are read, and a private key is warned about', context => {
  const shop = workshop(context);
  const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n';
  for (const name of ['ca.pem', 'client.pem', 'client.key']) shop.write(name, pem, 0o644);
  shop.write(
    'a.yaml',
    `${least}mqtt: {url: "mqtts://h", tls: {ca_file: ca.pem, cert_file: client.pem, key_file: client.key}}\n`,
  );
  const warnings: Fault[] = [];
  const { mqtt } = shop.load(['a.yaml'], { onWarning: warning => warnings.push(warning) });
  assert.equal(mqtt?.tls.ca?.toString(), pem);
  assert.equal(mqtt?.tls.key?.toString(), pem);
  assert.deepEqual(mqtt?.secretFiles, {
    password: null,
    ca: join(shop.folder, 'ca.pem'),
    cert: join(shop.folder, 'client.pem'),
    key: join(shop.folder, 'client.key'),
  });
  assert.deepEqual(
    warnings.map(warning => warning.key),
    ['mqtt.tls.key_file'],
  );
});

test('whatever is wrong elsewhere, no fault repeats a secret', context => {
  const shop = workshop(context);
  shop.write('pw', secret, 0o600);
  const secrets = [
    'url: "mqtt://u:correct horse battery staple@h"',
    `password: ${secret}`,
    `url: ${secret}`,
    `username: [${secret}]`,
    `password_credential: ${secret}`,
    `${secret}`,
  ];
  for (const line of secrets) {
    shop.write('a.yaml', `${least}mqtt:\n  password_file: pw\n  keepalive: 1x\n  ${line}\n`);
    const told = shop
      .faults(['a.yaml'], { env: { SOCKMON_MQTT_PASSWORD: secret } })
      .map(formatFault)
      .join('\n');
    assert.doesNotMatch(told, /staple/, line);
  }
});
