/** The connection itself, against real brokers: versions, refusals, TLS, dead links, rivals. */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import type { MqttSettings } from '../../src/core/policy.js';
import { startEmbeddedBroker } from '../../src/mqtt/embedded-broker.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { clientCertificateLines, makeCertificates } from './certificates.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { Listener } from './listener.js';
import { freePort, skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

const status = 'sockmon/gw1/status';
const events = 'sockmon/gw1/event';

function started(t: TestContext, settings: MqttSettings, log = new MemoryLog(), telling = new FakeTelling()) {
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05 });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return reporter;
}

/** A broker of a few bytes. */
async function scripted(t: TestContext, talk: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
    talk(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

const connected = (reporter: MqttReporter) =>
  eventually('connected', () => reporter.connection().state === 'connected');

describe('protocol version', () => {
  it('falls back to 3.1.1 where the broker refuses 5, tells everything there, and remembers', async t => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    t.after(() => broker.stop());
    const gate = await Gate.to(broker);
    t.after(() => gate.close());
    await gate.open();
    const listener = await Listener.on(broker, { protocolVersion: 4 });
    t.after(() => listener.close());
    const telling = new FakeTelling();
    telling.outage();
    const log = new MemoryLog();
    const reporter = started(t, settingsFor(gate.port), log, telling);
    await eventually('told', () => listener.on(events).length === 2);
    assert.equal(reporter.connection().protocol, '3.1.1');
    assert.equal(gate.passed, 2);
    assert.ok(log.find(/does not take this version of MQTT/));

    gate.cut();
    await eventually('connected again', () => reporter.connection().connects === 2);
    const refusals = log.lines.filter(({ sentence }) => /does not take this version/.test(sentence));
    assert.equal(refusals.length, 1, 'no second attempt by 5');
    await reporter.stop();
    await listener.untilLast(status, 'offline');
  });

  it('falls back where the broker just hangs up, after the second time', async t => {
    const aedes = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    t.after(() => aedes.stop());
    const gate = await Gate.to(aedes);
    t.after(() => gate.close());
    // Answers MQTT 5 as RabbitMQ 3.10 does. Byte 8 of a CONNECT is the protocol level, after one or two bytes of length.
    const versions: (number | string)[] = [];
    const port = await scripted(t, socket => {
      socket.once('data', chunk => {
        const at = chunk.indexOf('MQTT');
        // It is asked whether it speaks TLS, once.
        const level = at < 0 ? 'no MQTT' : chunk[at + 4];
        versions.push(level ?? 0);
        if (level !== 4) socket.destroy();
        else gate.take(socket, chunk);
      });
    });
    const reporter = started(t, settingsFor(port));
    await connected(reporter);
    assert.deepEqual(versions, [5, 'no MQTT', 5, 4]);
    assert.equal(reporter.connection().protocol, '3.1.1');
  });

  it('does as it is told: 5 against a broker without 5 stays away and says why', async t => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    t.after(() => broker.stop());
    const log = new MemoryLog();
    const reporter = started(t, settingsFor(broker.port, { protocol: '5' }), log);
    await eventually('it says so', () => log.find(/Set mqtt.protocol to auto/));
    assert.equal(reporter.connection().state, 'connecting');
  });
});

describe('embedded broker', () => {
  it('says in a sentence that its port is in use', async t => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    t.after(() => broker.stop());
    await assert.rejects(startEmbeddedBroker({ host: '127.0.0.1', port: broker.port }), {
      code: 'BROKER',
      message: new RegExp(`cannot listen on 127.0.0.1:${broker.port}: the port is in use`),
    });
  });

  it('stops with clients connected', async t => {
    const broker = await startEmbeddedBroker({ host: '127.0.0.1', port: 0 });
    const reporter = started(t, settingsFor(broker.port, { protocol: '3.1.1' }));
    await connected(reporter);
    await broker.stop();
    await eventually('lost', () => reporter.connection().state === 'connecting');
  });
});

describe('refusals', { skip: skipWithoutMosquitto }, () => {
  it('waits a minute after a wrong password and never logs it', async t => {
    const broker = await startMosquitto({ lines: ['allow_anonymous false'] });
    t.after(() => broker.stop('SIGKILL'));
    const log = new MemoryLog();
    const password = 'hunter2-correct-horse';
    const reporter = started(t, settingsFor(broker.port, { username: 'gw1', password }), log);
    const line = await eventually('refused', () => log.find(/refuses us: Not authorized/));
    assert.match(line.sentence, /Check user, password and client id\. Next attempt in (\d{2,3})\.\d s\./);
    assert.equal(reporter.connection().last_error, 'Not authorized (code 135)');
    assert.ok(!log.text().includes(password));
    assert.ok(!JSON.stringify(reporter.connection()).includes(password));
  });

  it('steps back for a minute when the broker says that another client bears its id', async t => {
    // By hand: mosquitto 2.0 closes the connection without a word. CONNACK, then DISCONNECT 0x8E, both of MQTT 5.
    const port = await scripted(t, socket => {
      socket.once('data', () => socket.end(Buffer.from([0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0])));
    });
    const log = new MemoryLog();
    started(t, settingsFor(port), log);
    const line = await eventually('taken over', () => log.find(/same client id has taken over/));
    assert.match(line.sentence, /Next attempt in 60\.0 s/);
  });

  it('tells where a broker sends it, does not go there, and waits a minute', async t => {
    const elsewhere = Buffer.from('elsewhere.test:1883');
    const properties = Buffer.concat([Buffer.from([0x1c, 0, elsewhere.length]), elsewhere]);
    const body = Buffer.concat([Buffer.from([0, 0x9d, properties.length]), properties]);
    const port = await scripted(t, socket => {
      socket.once('data', () => socket.end(Buffer.concat([Buffer.from([0x20, body.length]), body])));
    });
    const log = new MemoryLog();
    started(t, settingsFor(port), log);
    const line = await eventually('sent away', () => log.find(/does not take us/));
    assert.match(
      line.sentence,
      /Server moved \(code 157: elsewhere\.test:1883\)\. Next attempt in \d{2,3}\.\d s/,
    );
  });

  it('says so where a broker keeps nothing retained', async t => {
    const broker = await startMosquitto({ lines: ['allow_anonymous true', 'retain_available false'] });
    t.after(() => broker.stop('SIGKILL'));
    const log = new MemoryLog();
    started(t, settingsFor(broker.port), log);
    const line = await eventually('it says so', () => log.find(/does not take us: Retain not supported/));
    assert.match(line.sentence, /Next attempt in \d{2,3}\.\d s/);
  });

  it('survives a broker that talks nonsense', async t => {
    for (const bytes of [
      [0x20, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff],
      [0, 0, 0, 0],
      [0x20, 0],
      [0x30, 2, 0, 9],
    ]) {
      const port = await scripted(t, socket => {
        socket.once('data', () => socket.end(Buffer.from(bytes)));
      });
      const reporter = started(t, settingsFor(port));
      await eventually('it has noticed', () => reporter.connection().last_error);
      await reporter.stop();
    }
  });

  it('says in words where nobody listens, once per reason', async t => {
    const log = new MemoryLog();
    const port = await freePort();
    started(t, settingsFor(port), log);
    const tries = () => log.lines.filter(line => /cannot be reached/.test(line.sentence));
    await eventually('three attempts', () => tries().length >= 3);
    assert.match(
      tries()[0]?.sentence ?? '',
      /^mqtt:\/\/127\.0\.0\.1:\d+ cannot be reached: nothing listens there\./,
    );
    assert.deepEqual(
      tries()
        .slice(0, 3)
        .map(line => line.level),
      ['warn', 'debug', 'debug'],
    );
  });

  it('refuses a URL that is no broker, without repeating it', () => {
    for (const url of ['http://x', 'mqtt://', 'nonsense', 'mqtt+unix://', 'ftp://user:secret@host']) {
      assert.throws(
        () => new MqttReporter({ settings: { ...settingsFor(1), url }, node: 'n', log: new MemoryLog() }),
        (error: Error & { code?: string }) => error.code === 'CONFIG' && !error.message.includes('secret'),
      );
    }
  });
});

describe('a dead network', { skip: skipWithoutMosquitto }, () => {
  async function frozen(t: TestContext) {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const gate = await Gate.to(broker);
    t.after(() => gate.close());
    await gate.open();
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const telling = new FakeTelling();
    const reporter = started(t, settingsFor(gate.port), new MemoryLog(), telling);
    await connected(reporter);
    await listener.untilLast(status, 'online');
    await listener.settle();
    return { gate, listener, telling, reporter };
  }

  it('replaces a half-dead connection the moment the network is back', async t => {
    const { gate, listener, telling, reporter } = await frozen(t);
    gate.freeze();
    reporter.networkLost();
    telling.outage();
    reporter.sync();
    assert.equal(reporter.connection().state, 'connected', 'nothing tells TCP');
    gate.thaw();
    reporter.networkBack();
    await eventually('told', () => listener.on(events).length === 2);
    assert.equal(reporter.connection().connects, 2);
    assert.equal(gate.passed, 2);
    await listener.untilLast(status, 'online');
  });

  it('replaces a running attempt that hangs', async t => {
    const { gate, listener, telling, reporter } = await frozen(t);
    gate.freeze();
    reporter.networkLost();
    reporter.networkBack();
    telling.outage();
    reporter.sync();
    await eventually('an attempt hangs', () => gate.hanging > 0);
    reporter.networkLost();
    gate.thaw();
    reporter.networkBack();
    await eventually('told', () => listener.on(events).length === 2);
    assert.equal(reporter.connection().connects, 2);
  });

  it('keeps a connection that answers after a short loss, and nobody hears of an offline', async t => {
    const { gate, listener, telling, reporter } = await frozen(t);
    // A commanded restart: what was heard before is no proof, and the network is back in the same breath.
    for (const isFrozen of [true, false]) {
      if (isFrozen) gate.freeze();
      reporter.networkLost();
      telling.change({ status: 'recovering' });
      telling.outage();
      reporter.sync();
      if (isFrozen) gate.mend();
      reporter.networkBack();
      telling.change({ status: 'online' });
      reporter.sync();
      await eventually('told', () => reporter.connection().pending === 0);
      // Longer than the answer is waited for.
      await new Promise(resolve => setTimeout(resolve, 1000));
    }
    await listener.untilLast(status, 'online');
    assert.equal(reporter.connection().connects, 1);
    assert.equal(gate.passed, 1);
    assert.ok(!listener.on(status).some(({ payload }) => payload === 'offline'));
  });

  it('dials at once when the question after the loss is answered by the end of the connection', async t => {
    const { gate, listener, telling, reporter } = await frozen(t);
    gate.freeze();
    reporter.networkLost();
    telling.outage();
    reporter.sync();
    gate.thaw();
    reporter.networkBack();
    assert.equal(reporter.connection().state, 'connected', 'it is asked first');
    const beganMs = performance.now();
    gate.cut();
    await eventually('told', () => listener.on(events).length === 2);
    // The back-off would be counted from here.
    assert.equal(reporter.connection().connects, 2);
    assert.ok(performance.now() - beganMs < 10_000);
    await listener.untilLast(status, 'online');
  });

  it('keeps a connection that proved itself alive meanwhile', async t => {
    const { gate, listener, telling, reporter } = await frozen(t);
    reporter.networkLost();
    telling.outage();
    reporter.sync();
    await eventually('acknowledged', () => reporter.connection().pending === 0);
    reporter.networkBack();
    await listener.settle();
    assert.equal(reporter.connection().connects, 1);
    assert.equal(gate.passed, 1);
  });
});

describe('TLS', { skip: skipWithoutMosquitto }, () => {
  let folder: string;
  const pem = (name: string) => readFileSync(join(folder, name));

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'sockmon-tls-'));
    makeCertificates(folder, { server: 'DNS:broker.test,DNS:localhost', client: null });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function tlsBroker(t: TestContext) {
    const lines = clientCertificateLines(folder);
    const broker = await startMosquitto({ lines });
    t.after(() => broker.stop('SIGKILL'));
    return broker;
  }
  const tlsSettings = (port: number, tls: Partial<MqttSettings['tls']>): MqttSettings =>
    settingsFor(port, {
      url: `mqtts://127.0.0.1:${port}`,
      tls: {
        ca: pem('ca.pem'),
        cert: pem('client.pem'),
        key: pem('client.key'),
        servername: 'broker.test',
        ...tls,
      },
    });

  it('connects with an authority of its own and a client certificate', async t => {
    const broker = await tlsBroker(t);
    const reporter = started(t, tlsSettings(broker.port, {}));
    await connected(reporter);
    assert.equal(reporter.connection().broker, `mqtts://127.0.0.1:${broker.port}`);
  });

  it('checks the name also when it dials the remembered address', async t => {
    const gate = await Gate.to(await tlsBroker(t));
    t.after(() => gate.close());
    await gate.open();
    const settings = tlsSettings(gate.port, { servername: null });
    const reporter = started(t, { ...settings, url: `mqtts://localhost:${gate.port}` });
    await connected(reporter);
    const lookup = t.mock.method(dns, 'lookup');
    gate.cut();
    await eventually('connected again', () => reporter.connection().connects === 2);
    assert.equal(lookup.mock.callCount(), 0);
  });

  it('never connects to a broker whose certificate does not fit', async t => {
    const broker = await tlsBroker(t);
    for (const [tls, why] of [
      [{ ca: null }, /unable to|self-signed|self signed/],
      [{ servername: 'somebody.else' }, /altnames/],
      [{ servername: null }, /altnames|IP/],
      [{ cert: null, key: null }, /asks for a client certificate|hang/],
      [{ cert: Buffer.from('rubbish') }, /PEM|no start line/i],
    ] as const) {
      const log = new MemoryLog();
      const reporter = started(t, tlsSettings(broker.port, tls), log);
      await eventually(`refused for ${why}`, () => reporter.connection().last_error);
      assert.match(reporter.connection().last_error ?? '', why);
      assert.equal(reporter.connection().connects, 0);
      await reporter.stop();
    }
  });
});

describe('other ways to the broker', { skip: skipWithoutMosquitto }, () => {
  it('connects by websockets', async t => {
    // Debian's mosquitto has none; aedes speaks through MQTT.js's own ws.
    const { WebSocketServer, createWebSocketStream } = createRequire(
      createRequire(import.meta.url).resolve('mqtt'),
    )('ws');
    const aedes = await Aedes.createBroker();
    const http = createHttpServer().listen(0, '127.0.0.1');
    await once(http, 'listening');
    const sockets = new WebSocketServer({ server: http, path: '/mqtt' });
    sockets.on('connection', (socket: unknown) => aedes.handle(createWebSocketStream(socket)));
    const address = http.address();
    assert.ok(address !== null && typeof address === 'object');
    const url = `ws://127.0.0.1:${address.port}/mqtt`;
    const reporter = started(t, settingsFor(address.port, { url }));
    await connected(reporter);
    assert.equal(reporter.connection().broker, url);
    await reporter.stop();
    aedes.close();
    http.close();
  });

  it('connects by a UNIX socket', async t => {
    const path = join(mkdtempSync(join(tmpdir(), 'sockmon-unix-')), 'mosquitto.sock');
    t.after(() => rmSync(join(path, '..'), { recursive: true, force: true }));
    const broker = await startMosquitto({ lines: [`listener 0 ${path}`, 'allow_anonymous true'] });
    t.after(() => broker.stop('SIGKILL'));
    const reporter = started(t, settingsFor(broker.port, { url: `mqtt+unix://${path}` }));
    await connected(reporter);
  });

  it('dials the last good address before it asks the resolver again', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const gate = await Gate.to(broker);
    t.after(() => gate.close());
    await gate.open();
    const reporter = started(t, settingsFor(gate.port, { url: `mqtt://localhost:${gate.port}` }));
    await connected(reporter);
    const lookup = t.mock.method(dns, 'lookup');
    gate.cut();
    await eventually('connected again', () => reporter.connection().connects === 2);
    assert.equal(lookup.mock.callCount(), 0);
  });

  it('asks the resolver again when the broker has moved', async t => {
    const before = await startMosquitto({ host: '127.0.0.2' });
    t.after(() => before.stop('SIGKILL'));
    const behind = await startMosquitto({ host: '127.0.0.3', port: before.port });
    t.after(() => behind.stop('SIGKILL'));
    let address = before.host;
    type Done = (error: null, addresses: { address: string; family: number }[]) => void;
    const lookup = t.mock.method(dns, 'lookup', (_host: string, _options: object, done: Done) =>
      done(null, [{ address, family: 4 }]),
    );
    const log = new MemoryLog();
    const reporter = started(t, settingsFor(0, { url: `mqtt://broker.test:${before.port}` }), log);
    await connected(reporter);
    assert.equal(lookup.mock.callCount(), 1);
    address = behind.host;
    await before.stop('SIGKILL');
    await eventually('connected again', () => reporter.connection().connects === 2);
    assert.equal(lookup.mock.callCount(), 2);
    assert.ok(log.find(/nothing listens there/), 'the old address came first');
  });
});

describe('a broker with limits', { skip: skipWithoutMosquitto }, () => {
  it('is not sent what it cannot take, and hears of the rest', async t => {
    const broker = await startMosquitto({ lines: ['allow_anonymous true', 'max_packet_size 800'] });
    t.after(() => broker.stop('SIGKILL'));
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const log = new MemoryLog();
    const telling = new FakeTelling();
    telling.outage();
    const reporter = started(t, settingsFor(broker.port), log, telling);
    await eventually('told', () => reporter.connection().pending === 0);
    const topics = topicsOf('sockmon', 'gw1', 'homeassistant');
    await eventually('smaller entities are told', () => listener.last(topics.entity('sensor', 'connects')));
    assert.equal(reporter.connection().connects, 1);
    assert.equal(listener.last(topics.discovery ?? ''), undefined);
    // Its command template does not fit.
    assert.equal(listener.last(topics.entity('number', 'pause_time')), undefined);
    const refused =
      /refused discovery \(with \d+ bytes it is larger than the 800 that the broker takes\)\. Let the broker/;
    assert.equal(log.lines.filter(({ sentence }) => refused.test(sentence)).length, 1);
  });

  it('is asked as often whether it lives as it wants to be', async t => {
    let pings = 0;
    // CONNACK with a server keepalive of 3 s; ours would be 15.
    const port = await scripted(t, socket => {
      socket.once('data', () => socket.write(Buffer.from([0x20, 6, 0, 0, 3, 0x13, 0, 3])));
      socket.on('data', chunk => {
        if (!chunk.equals(Buffer.from([0xc0, 0]))) return;
        pings += 1;
        socket.write(Buffer.from([0xd0, 0]));
      });
    });
    const reporter = started(t, settingsFor(port));
    await connected(reporter);
    await eventually('three pings', () => pings >= 3);
    assert.equal(reporter.connection().connects, 1);
  });

  it('is told twenty outages, though it takes two at once', async t => {
    const broker = await startMosquitto({ lines: ['allow_anonymous true', 'max_inflight_messages 2'] });
    t.after(() => broker.stop('SIGKILL'));
    const telling = new FakeTelling();
    for (let i = 0; i < 20; i++) telling.outage();
    const reporter = started(t, settingsFor(broker.port), new MemoryLog(), telling);
    await eventually('told', () => reporter.connection().pending === 0);
    assert.equal(reporter.connection().connects, 1);
    assert.equal(reporter.connection().state, 'connected');
  });
});
