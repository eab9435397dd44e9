/** The reason that is told is the real one, and says what to do: whatever answers at the other end. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { acknowledgementOf, failureWords } from '../../src/mqtt/failure-words.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { tlsWords } from '../../src/mqtt/tls-words.js';
import { Version } from '../../src/mqtt/version.js';
import { eventually } from './eventually.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

async function toldOf(t: TestContext, url: string): Promise<string> {
  const log = new MemoryLog();
  const settings = settingsFor(0, { url });
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05 });
  t.after(() => reporter.stop());
  reporter.start(new FakeTelling());
  await eventually('told', () => log.find(/Next attempt/));
  const tries = () => log.lines.filter(({ sentence }) => /Next attempt/.test(sentence));
  await eventually('the same again', () => tries().length >= 3);
  const words = new Set(tries().map(({ sentence }) => sentence.replace(/ Next attempt.*/, '')));
  assert.equal(words.size, 1, [...words].join('\n'));
  await reporter.stop();
  return [...words].join();
}

async function portOf(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('a scheme or a port that cannot work', { skip: skipWithoutMosquitto }, () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockmon-words-'));
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const files = ['-keyout', 'key.pem', '-out', 'cert.pem'];
    execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', '-subj', '/CN=127.0.0.1', ...files], {
      cwd: folder,
      stdio: 'pipe',
    });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is told: MQTT where TLS is spoken', async t => {
    const lines = ['allow_anonymous true', `certfile ${folder}/cert.pem`, `keyfile ${folder}/key.pem`];
    const broker = await startMosquitto({ lines });
    t.after(() => broker.stop('SIGKILL'));
    const words = await toldOf(t, `mqtt://127.0.0.1:${broker.port}`);
    assert.match(words, /cannot be reached: TLS is spoken at port \d+: write mqtts:\/\/ in mqtt\.url\.$/);
    assert.match(
      await toldOf(t, `mqtts://127.0.0.1:${broker.port}`),
      /the broker's certificate is self-signed: name it in mqtt\.tls\.ca_file\.$/,
    );
  });

  it('is told: TLS and websockets where plain MQTT is spoken', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    assert.match(
      await toldOf(t, `mqtts://127.0.0.1:${broker.port}`),
      /hangs up at the TLS handshake: probably no TLS is spoken at port \d+, where mqtt:\/\/ would do\.$/,
    );
    assert.match(
      await toldOf(t, `wss://127.0.0.1:${broker.port}`),
      /hangs up at the TLS handshake: probably no TLS is spoken at port \d+, where ws:\/\/ would do\.$/,
    );
    assert.match(
      await toldOf(t, `ws://127.0.0.1:${broker.port}`),
      /no websockets are spoken at port \d+: write mqtt:\/\/ in mqtt\.url/,
    );
  });

  it('is told: a web server', async t => {
    const port = await portOf(
      t,
      createHttpServer((_request, response) => response.writeHead(404).end('no')),
    );
    assert.match(
      await toldOf(t, `mqtt://127.0.0.1:${port}`),
      /a web server answers at port \d+: give the port of MQTT \(most often 1883\)/,
    );
    assert.match(
      await toldOf(t, `mqtts://127.0.0.1:${port}`),
      /no TLS is spoken at port \d+: write mqtt:\/\/ in mqtt\.url/,
    );
    assert.match(
      await toldOf(t, `ws://127.0.0.1:${port}/mqtt`),
      /a web server answers 404 at port \d+: MQTT by websockets has another path there than \/mqtt/,
    );
  });

  it('is not claimed of one that hangs up, which any broker may do', async t => {
    const port = await portOf(
      t,
      createServer(socket => {
        socket.on('error', () => {});
        socket.once('data', () => socket.destroy());
      }),
    );
    assert.match(await toldOf(t, `mqtt://127.0.0.1:${port}`), /cannot be reached: the broker hung up\.$/);
  });
});

describe('words', () => {
  const coded = (code: string, message = code) => Object.assign(new Error(message), { code });

  it('are made of what OpenSSL dumps, known or not', () => {
    const dump = `00AB:error:0A000410:SSL routines:ssl3_read_bytes:ssl/tls alert internal error:../deps/openssl/ssl/record/rec_layer_s3.c:1605:SSL alert number 80\n`;
    assert.equal(
      tlsWords(coded('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR', dump)),
      'TLS fails: ssl/tls alert internal error',
    );
    assert.equal(tlsWords(coded('EPROTO', dump)), 'TLS fails: ssl/tls alert internal error');
    assert.equal(tlsWords(coded('ERR_SSL_SOMETHING')), 'TLS fails: ERR_SSL_SOMETHING');
    assert.match(tlsWords(coded('CERT_NOT_YET_VALID')) ?? '', /set this machine's clock/);
    assert.equal(tlsWords(coded('ECONNREFUSED')), null);
  });

  it('never have more than one line', () => {
    assert.equal(failureWords(new Error('one\ntwo')), 'one');
    assert.equal(failureWords(coded('EWHATEVER', '')), 'EWHATEVER');
  });

  it('take the end of a connection for no refusal, and a code below 0x80 for none either', () => {
    const reason = (code: number) => Object.assign(new Error('x'), { code });
    assert.equal(acknowledgementOf(new Error('Connection closed')), 'unknown');
    assert.equal(acknowledgementOf(reason(0x10)), null);
    assert.ok(acknowledgementOf(reason(0x87)) instanceof Error);
    assert.equal(acknowledgementOf(undefined), null);
  });
});

describe('the version of MQTT', () => {
  it('is changed by one silence or two hang-ups, and back by the same', () => {
    const version = new Version('auto');
    assert.ok(version.ended('silent'));
    assert.equal(version.now, 4);
    assert.ok(version.ended('silent'));
    assert.equal(version.now, 5);
    assert.ok(!version.ended('closed_early'));
    assert.ok(!version.ended(null));
    assert.ok(!version.ended('closed_early'));
    assert.ok(version.ended('closed_early'));
    assert.equal(version.name, '3.1.1');
  });

  it('that has worked stands through the silence of a frozen broker, but not for ever: it may be another one', () => {
    const version = new Version('auto');
    version.connected();
    assert.deepEqual(
      [1, 2, 3].map(() => version.ended('silent')),
      [false, false, false],
    );
    assert.ok(version.ended('silent'));
  });

  it('is left where the owner has put it', () => {
    const version = new Version('5');
    for (let i = 0; i < 9; i++) assert.ok(!version.ended('unsupported'));
    assert.equal(new Version('3.1.1').now, 4);
  });
});
