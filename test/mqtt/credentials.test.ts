/** Passwords and certificates that are renewed on the disk count from the next connection on. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { MqttSettings } from '../../src/core/policy.js';
import { CredentialFiles } from '../../src/mqtt/credentials.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { clientCertificateLines, makeCertificates } from './certificates.js';
import { eventually } from './eventually.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-renewed-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function started(t: TestContext, settings: MqttSettings) {
  const log = new MemoryLog();
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05, pace: 0.1 });
  t.after(() => reporter.stop());
  reporter.start(new FakeTelling());
  return { log, view: () => reporter.connection() };
}

const none = { password: null, ca: null, cert: null, key: null };

describe('the files', () => {
  it('are read each time; what cannot be read stays as it was, and is told once', async t => {
    const folder = folderOf(t);
    const file = join(folder, 'password');
    const log = new MemoryLog();
    const settings = settingsFor(1, { password: 'at the start', secretFiles: { ...none, password: file } });
    const files = new CredentialFiles(settings, log);
    assert.equal((await files.read()).password, 'at the start');
    writeFileSync(file, 'second\r\n');
    assert.equal((await files.read()).password, 'second');
    rmSync(file);
    assert.equal((await files.read()).password, 'second');
    writeFileSync(file, '');
    assert.equal((await files.read()).password, 'second', 'empty: it is being written');
    assert.equal(log.lines.length, 2);
    assert.match(
      log.lines[1]?.sentence ?? '',
      /password cannot be read again \(.*\); what was read before is used/,
    );
    assert.doesNotMatch(log.text(), /at the start|second/);
  });

  it('are none without paths', async () => {
    const settings = settingsFor(1, { password: 'p' });
    const { password, tls } = await new CredentialFiles(settings, new MemoryLog()).read();
    assert.deepEqual({ password, tls }, { password: 'p', tls: settings.tls });
  });
});

describe('renewed on the disk', { skip: skipWithoutMosquitto }, () => {
  it('a password counts without a restart of sockmon', async t => {
    const folder = folderOf(t);
    const file = join(folder, 'password');
    const users = join(folder, 'users');
    const set = (password: string): void => {
      const { status, stderr } = spawnSync('mosquitto_passwd', ['-c', '-b', users, 'gw1', password]);
      assert.equal(status, 0, String(stderr));
    };
    set('old');
    writeFileSync(file, 'old\n');
    const lines = ['allow_anonymous false', `password_file ${users}`];
    const broker = await startMosquitto({ lines });
    t.after(() => broker.stop('SIGKILL'));
    const secretFiles = { ...none, password: file };
    const { view, log } = started(
      t,
      settingsFor(broker.port, { username: 'gw1', password: 'old', secretFiles }),
    );
    await eventually('connected', () => view().connects === 1);
    set('new');
    await broker.stop();
    const again = await startMosquitto({ port: broker.port, lines });
    t.after(() => again.stop('SIGKILL'));
    await eventually('the old one is refused', () => log.find(/refuses us/));
    writeFileSync(file, 'new\n');
    await eventually('connected again', () => view().connects === 2);
  });

  it('a client certificate counts at the next connection', async t => {
    const folder = folderOf(t);
    makeCertificates(folder, { server: 'IP:127.0.0.1', before: null, renewed: null });
    const place = (name: string): void => {
      for (const kind of ['pem', 'key'])
        copyFileSync(join(folder, `${name}.${kind}`), join(folder, `client.${kind}`));
    };
    place('before');
    const lines = [...clientCertificateLines(folder), 'use_identity_as_username true'];
    const broker = await startMosquitto({ lines });
    const secretFiles = {
      password: null,
      ca: join(folder, 'ca.pem'),
      cert: join(folder, 'client.pem'),
      key: join(folder, 'client.key'),
    };
    const { view } = started(
      t,
      settingsFor(broker.port, { url: `mqtts://127.0.0.1:${broker.port}`, secretFiles }),
    );
    await eventually('connected', () => view().connects === 1);
    assert.match(broker.log(), /u'before'/);
    place('renewed');
    await broker.stop();
    const again = await startMosquitto({ port: broker.port, lines });
    t.after(() => again.stop('SIGKILL'));
    await eventually('connected again', () => view().connects === 2);
    await eventually('by the new one', () => /u'renewed'/.test(again.log()));
  });
});
