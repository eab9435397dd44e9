/** TLS never falls back: whoever does not prove to be the broker gets nothing of ours, neither plain nor encrypted, however often we try. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import type { MqttSettings } from '../../src/core/policy.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { freePort, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const login = { username: 'the-user', password: 'the-password' };
const secrets = [login.username, login.password, 'sockmon-gw1', 'sockmon/gw1', 'MQTT'];

/** Everything that clients have sent to a port, connection by connection. */
class Recorder {
  readonly connections: Buffer[] = [];
  readonly #sockets = new Set<Socket>();

  record(socket: Socket): void {
    const index = this.connections.push(Buffer.alloc(0)) - 1;
    this.#sockets.add(socket.on('error', () => {}));
    socket.on('data', (bytes: Buffer) => {
      this.connections[index] = Buffer.concat([this.connections[index] ?? Buffer.alloc(0), bytes]);
    });
  }

  end(server: Server): void {
    for (const socket of this.#sockets) socket.destroy();
    server.close();
  }
}

async function listening(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

/** A wire that looks at what passes towards the other port. */
async function wiretap(t: TestContext, port: number): Promise<{ port: number; recorder: Recorder }> {
  const recorder = new Recorder();
  const gate = await Gate.to({ host: '127.0.0.1', port });
  const server = createServer(socket => {
    recorder.record(socket);
    gate.take(socket, Buffer.alloc(0));
  });
  t.after(async () => {
    recorder.end(server);
    await gate.close();
  });
  return { port: await listening(server), recorder };
}

/** Only TLS records (RFC 8446, 5.1), and nothing that is ours can be read in them. */
function assertTlsOnly({ connections }: Recorder): void {
  for (const bytes of connections) {
    for (let at = 0; at + 5 <= bytes.length; at += 5 + bytes.readUInt16BE(at + 3)) {
      const type = bytes[at] ?? 0;
      assert.ok(type >= 20 && type <= 23, `a byte ${type} that begins no TLS record`);
      assert.equal(bytes[at + 1], 3);
    }
    for (const secret of secrets) assert.ok(!bytes.includes(secret), `${secret} was sent in the clear`);
  }
}

describe('a TLS broker that does not prove itself', () => {
  let folder: string;
  const pem = (name: string) => readFileSync(join(folder, name));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockmon-tls-'));
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    for (const ca of ['ca', 'other'])
      openssl(
        ...['req', '-x509', ...key, '-days', '2', '-subj', `/CN=${ca}`],
        ...['-keyout', `${ca}.key`, '-out', `${ca}.pem`],
      );
    for (const [name, ca, host, days] of [
      ['good', 'ca', 'localhost', '2'],
      ['stranger', 'other', 'localhost', '2'],
      ['misnamed', 'ca', 'other.test', '2'],
      ['expired', 'ca', 'localhost', '-1'],
    ] as const) {
      const names = ['-addext', `subjectAltName=DNS:${host}`];
      openssl(
        ...['req', ...key, '-subj', `/CN=${name}`, ...names, '-keyout', `${name}.key`, '-out', `${name}.csr`],
      );
      openssl(
        ...['x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey', `${ca}.key`],
        ...['-CAcreateserial', '-copy_extensions', 'copy', '-days', days, '-out', `${name}.pem`],
      );
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const settingsOf = (port: number, scheme = 'mqtts'): MqttSettings =>
    settingsFor(port, {
      ...login,
      url: `${scheme}://localhost:${port}`,
      tls: { ca: pem('ca.pem'), cert: null, key: null, servername: null },
    });

  function started(t: TestContext, settings: MqttSettings): { reporter: MqttReporter; log: MemoryLog } {
    const log = new MemoryLog();
    const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.01 });
    t.after(() => reporter.stop());
    reporter.start(new FakeTelling());
    return { reporter, log };
  }

  const tried = (recorder: Recorder, times: number) =>
    eventually(`${times} attempts`, () => recorder.connections.length >= times);

  /** A server with a certificate; what is told to it under TLS is recorded. */
  async function tlsServer(t: TestContext, name: string, port = 0) {
    const heard = new Recorder();
    const server = createTlsServer({ cert: pem(`${name}.pem`), key: pem(`${name}.key`) }, socket => {
      heard.record(socket);
    });
    server.on('tlsClientError', () => {});
    t.after(() => heard.end(server));
    return { port: await listening(server, port), heard };
  }

  for (const [name, why] of [
    ['stranger', /unable to (verify|get)|self-signed|self signed/],
    ['misnamed', /altnames/],
    ['expired', /expired/],
  ] as const) {
    for (const scheme of ['mqtts', 'wss']) {
      it(`${name}, by ${scheme}: refused again and again, nothing is told`, async t => {
        const { port, heard } = await tlsServer(t, name);
        const tap = await wiretap(t, port);
        const { reporter, log } = started(t, settingsOf(tap.port, scheme));
        await tried(tap.recorder, 5);
        await eventually('it is told why', () => reporter.connection().last_error);
        assert.match(reporter.connection().last_error ?? '', why);
        assert.equal(reporter.connection().connects, 0);
        assertTlsOnly(tap.recorder);
        assert.equal(Buffer.concat(heard.connections).length, 0, 'not even encrypted');
        assert.ok(!log.text().includes(login.password));
      });
    }
  }

  it('is refused also where the environment tells Node to believe anybody', async t => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    t.after(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    });
    for (const scheme of ['mqtts', 'wss']) {
      const { port, heard } = await tlsServer(t, 'stranger');
      const tap = await wiretap(t, port);
      const { reporter } = started(t, settingsOf(tap.port, scheme));
      await tried(tap.recorder, 3);
      assert.equal(reporter.connection().connects, 0);
      assert.equal(Buffer.concat(heard.connections).length, 0);
    }
  });

  it('speaks no TLS at all (a plain mosquitto): nothing plain is sent, by neither version', {
    skip: skipWithoutMosquitto,
  }, async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    for (const protocol of ['auto', '5', '3.1.1'] as const) {
      const tap = await wiretap(t, broker.port);
      const { reporter } = started(t, { ...settingsOf(tap.port), protocol });
      await tried(tap.recorder, 5);
      assert.equal(reporter.connection().connects, 0);
      assertTlsOnly(tap.recorder);
      await reporter.stop();
    }
    assert.doesNotMatch(broker.log(), /sockmon-gw1|New client connected .* as sockmon/);
  });

  for (const [what, answer] of [
    ['hangs up at once, as brokers without MQTT 5 do', null],
    ['says CONNACK in the clear', Buffer.from([0x20, 2, 0, 0])],
    ['says in the clear that it knows no MQTT 5', Buffer.from([0x20, 2, 0, 1])],
  ] as const) {
    it(`${what}: no fall-back to 3.1.1 and none to plain text`, async t => {
      const recorder = new Recorder();
      const server = createServer(socket => {
        recorder.record(socket);
        socket.once('data', () => (answer === null ? socket.destroy() : socket.end(answer)));
      });
      t.after(() => recorder.end(server));
      const { reporter, log } = started(t, settingsOf(await listening(server)));
      await tried(recorder, 6);
      assert.equal(reporter.connection().connects, 0);
      assertTlsOnly(recorder);
      assert.equal(log.find(/trying 3\.1\.1/), undefined);
    });
  }

  it('takes the place of the right one, at the address that is dialled from memory', {
    skip: skipWithoutMosquitto,
  }, async t => {
    const port = await freePort();
    const lines = [
      'allow_anonymous true',
      `certfile ${folder}/good.pem`,
      `keyfile ${folder}/good.key`,
      `cafile ${folder}/ca.pem`,
    ];
    const broker = await startMosquitto({ port, lines });
    const { reporter, log } = started(t, settingsOf(port));
    await eventually('connected', () => reporter.connection().state === 'connected');
    await broker.stop('SIGKILL');
    await eventually('lost', () => reporter.connection().state === 'connecting');
    const { heard } = await tlsServer(t, 'misnamed', port);
    reporter.networkLost();
    reporter.networkBack();
    await eventually('refused', () => log.find(/altnames/));
    reporter.networkBack();
    await eventually('by name and by address', () => {
      const refusals = log.lines.filter(({ sentence }) => /altnames/.test(sentence));
      return refusals.length >= 4;
    });
    assert.equal(reporter.connection().connects, 1);
    assert.equal(Buffer.concat(heard.connections).length, 0);
  });
});
