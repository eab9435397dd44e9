/** One connection from its CONNECT to its good-bye: what is said when, and what a reader can tell of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { IPublishPacket } from 'mqtt';
import { conversationTimes } from '../../src/mqtt/conversation.js';
import { MqttReporter, type ReporterOptions } from '../../src/mqtt/reporter.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, outageView, settingsFor } from './telling.js';

const root = 'sockmon/gw1';
const status = `${root}/status`;
const discovery = 'homeassistant/device/sockmon_gw1/config';
const protocols = ['5', '3.1.1'] as const;
const wholeWill = { topic: status, payload: 'offline', qos: 1, retain: true };

type More = Partial<Pick<ReporterOptions, 'conversationTimes' | 'pace' | 'random'>>;

function started(t: TestContext, port: number, protocol: '5' | '3.1.1' | 'auto' = 'auto', more: More = {}) {
  const telling = new FakeTelling();
  const log = new MemoryLog();
  const settings = settingsFor(port, { protocol });
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05, ...more });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return { telling, reporter, log };
}

describe('the session', () => {
  for (const protocol of protocols)
    it(`ends with the connection, and the will is told at once (${protocol})`, async t => {
      const broker = await StandIn.start(t);
      started(t, broker.port, protocol);
      const connect = await eventually('connected', () => broker.connects[0]);
      assert.equal(connect.clean, true, 'what was sent to us hours ago is not obeyed');
      assert.equal(connect.properties?.sessionExpiryInterval ?? 0, 0);
      // A delay, or an expiry, would keep from the owner that the gateway is gone.
      const { properties, ...will } = connect.will as NonNullable<typeof connect.will> & {
        properties?: IPublishPacket['properties'];
      };
      assert.deepEqual({ ...will, payload: will.payload.toString() }, wholeWill);
      assert.deepEqual(Object.keys(properties ?? {}), protocol === '5' ? ['userProperties'] : []);
    });

  const sessionOf = ({ properties }: { readonly properties?: IPublishPacket['properties'] | undefined }) =>
    properties?.userProperties?.session;

  it('is named by status and will of MQTT 5, another one for each connection, by the good-bye too', async t => {
    const told: IPublishPacket[] = [];
    const broker = await StandIn.start(t, { told: packet => void told.push(packet) });
    const { reporter } = started(t, broker.port, '5', { pace: 0.01 });
    const words = () => told.filter(({ topic }) => topic === status);
    await eventually('online', () => words().length === 1);
    broker.hangUp();
    await eventually('online again', () => words().length === 2);
    await reporter.stop();
    const wills = broker.connects.map(
      ({ will }) => (will as { properties?: IPublishPacket['properties'] }) ?? {},
    );
    const sessions = wills.map(sessionOf);
    assert.ok(sessions.every(session => typeof session === 'string' && /^[0-9a-f-]{36}$/.test(session)));
    assert.notEqual(sessions[0], sessions[1]);
    assert.deepEqual(
      words().map(packet => [packet.payload.toString(), sessionOf(packet)]),
      [
        ['online', sessions[0]],
        ['online', sessions[1]],
        ['offline', sessions[1]],
      ],
    );
    assert.ok(told.filter(({ topic }) => topic !== status).every(packet => sessionOf(packet) === undefined));
  });

  it('is kept by a real broker for whoever comes later, and with the will', {
    skip: skipWithoutMosquitto,
  }, async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const seen: [string, unknown][] = [];
    const listener = await Listener.on(broker, {}, status);
    t.after(() => listener.close());
    listener.client.on(
      'message',
      (_topic, payload, packet) => void seen.push([payload.toString(), sessionOf(packet)]),
    );
    started(t, broker.port, '5');
    await eventually('online', () => seen.length === 1);
    // Another one of the same id: the broker sends the will of the first.
    const rival = await Listener.on(broker, { clientId: 'sockmon-gw1' });
    t.after(() => rival.close());
    await eventually('offline', () => seen.some(([word]) => word === 'offline'));
    const offline = seen.find(([word]) => word === 'offline');
    assert.equal(typeof seen[0]?.[1], 'string');
    assert.deepEqual(offline?.[1], seen[0]?.[1]);
  });

  for (const code of [0x01, 0x7f, 0x95])
    it(`costs nothing where a broker acknowledges with code 0x${code.toString(16)}, which is not listed`, async t => {
      // mochi 2.7.9 answers a publish with user properties so: 0x01, and the properties again.
      const broker = await StandIn.start(t, {
        puback: ({ properties, messageId = 0 }) =>
          properties?.userProperties === undefined
            ? null
            : Buffer.concat([
                Buffer.from([0x40, 12, messageId >> 8, messageId & 0xff, code, 8, 0x26, 0, 1]),
                Buffer.from('a\0\u0002bc', 'latin1'),
              ]),
      });
      const { reporter, log } = started(t, broker.port, '5');
      await eventually('the state', () => broker.on(`${root}/state`).length > 0);
      if (code >= 0x80) await eventually('the refusal', () => log.find(/refused the status/));
      await reporter.stop();
      // Which is said only where nothing waits for an acknowledgement.
      assert.equal(broker.ends[0], 'disconnect');
      assert.equal(log.find(/refused the status/) !== undefined, code >= 0x80);
    });

  it('has no name by 3.1.1', async t => {
    const told: IPublishPacket[] = [];
    const broker = await StandIn.start(t, { told: packet => void told.push(packet) });
    started(t, broker.port, '3.1.1');
    await eventually('online', () => told.some(({ topic }) => topic === status));
    assert.ok(told.every(({ properties }) => properties === undefined));
  });
});

describe('a will of an earlier connection', () => {
  for (const protocol of protocols)
    it(`that comes after our first word is answered within a second, whatever waits before (${protocol})`, async t => {
      let lateMs = 0;
      let answeredMs = 0;
      const broker = await StandIn.start(t, {
        // Events are never acknowledged: what waits for its turn waits for ever.
        acknowledges: ({ topic }) => topic !== `${root}/event`,
        told: ({ topic, payload }, give) => {
          if (topic !== status || payload.toString() !== 'online') return;
          if (lateMs > 0) answeredMs ||= performance.now();
          else {
            lateMs = performance.now();
            give(status, 'offline', false);
          }
        },
      });
      const { telling, reporter } = started(t, broker.port, protocol);
      for (let i = 0; i < 50; i++) telling.outage();
      reporter.sync();
      await eventually('online again', () => answeredMs > 0);
      assert.ok(answeredMs - lateMs < 1000, `after ${Math.round(answeredMs - lateMs)} ms`);
      assert.equal(broker.on(status).at(-1), 'online');
    });
});

describe('everything retained', { skip: skipWithoutMosquitto }, () => {
  it('is told again each day, as it is by then, and no event is', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const dayMs = { min: 700, max: 1400 };
    const { telling, reporter } = started(t, broker.port, '5', {
      conversationTimes: { ...conversationTimes, dayMs },
    });
    const { end } = telling.outage();
    telling.change({ last_outage: outageView(end.seq) });
    reporter.sync();
    await eventually('all is told', () => telling.cursor === end.seq);
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    await listener.settle();
    listener.heard.length = 0;
    const topics = [discovery, status, `${root}/last_outage`, `${root}/state`];
    await eventually('told again, two days long', () =>
      topics.every(topic => listener.on(topic).length >= 2),
    );
    assert.deepEqual(listener.on(`${root}/event`), []);
    assert.ok(listener.heard.every(({ topic, retain }) => retain || !topics.includes(topic)));
    assert.deepEqual(new Set(listener.on(status).map(({ payload }) => payload)), new Set(['online']));
  });

  it('is told at another time by each, and before a broker of 24 h has forgotten it', () => {
    const { min, max } = conversationTimes.dayMs;
    assert.ok(max - min >= 3_600_000);
    // The longest timer of Node is 24.8 days; mochi forgets after 24 h.
    assert.ok(max < 24 * 3_600_000);
  });
});

describe('the birth of Home Assistant', () => {
  const birth = 'homeassistant/status';
  const times = { ...conversationTimes, birthMs: { min: 150, max: 150 }, factsAfterDiscoveryMs: 150 };

  it('is answered after a while of our own, with the facts some time after discovery', async t => {
    const toldAtMs = new Map<string, number>();
    const broker = await StandIn.start(t, {
      told: ({ topic }) => void toldAtMs.set(topic, performance.now()),
    });
    started(t, broker.port, '5', { conversationTimes: times });
    await eventually('all is told', () => broker.on(`${root}/resource/dnsmasq`).length === 1);
    await eventually('the birth is listened to', () => broker.subscribed.includes(birth));
    const bornMs = performance.now();
    broker.give(birth, 'online');
    await eventually('the facts again', () => broker.on(`${root}/resource/dnsmasq`).length === 2);
    const discoveryMs = toldAtMs.get(discovery) ?? 0;
    assert.ok(discoveryMs - bornMs >= times.birthMs.min - 5, 'ten thousand gateways do not answer at once');
    assert.ok((toldAtMs.get(`${root}/state`) ?? 0) - discoveryMs >= times.factsAfterDiscoveryMs - 5);
  });

  it('is another one than a retained word of it, which is from any time', async t => {
    const broker = await StandIn.start(t, {
      subscribed: (give, filters) => {
        if (filters.includes(birth)) give(birth, 'online', true);
      },
    });
    const atOnce = { ...conversationTimes, birthMs: { min: 0, max: 0 }, factsAfterDiscoveryMs: 0 };
    started(t, broker.port, '5', { conversationTimes: atOnce });
    await eventually('the birth is listened to', () => broker.subscribed.includes(birth));
    await eventually('all is told', () => broker.on(`${root}/resource/dnsmasq`).length === 1);
    broker.give(`${root}/cmd/run`, '{"v":1,"id":"after-that-1","action":"restart","target":"tcpip"}');
    await eventually(
      'an answer to what came later',
      () => broker.on(`${root}/result/after-that-1`).length > 0,
    );
    assert.equal(broker.on(discovery).length, 1);
  });
});

describe('a connection', () => {
  it('goes on after a fault of our own in what has come', async t => {
    const broker = await StandIn.start(t);
    const { telling, log } = started(t, broker.port);
    await eventually('commands are listened to', () => broker.subscribed.includes(`${root}/cmd/run`));
    await eventually('the state', () => broker.on(`${root}/state`).length > 0);
    const { now } = telling;
    telling.now = () => {
      telling.now = now;
      throw new Error('a fault of our own');
    };
    const command = (id: string) => JSON.stringify({ v: 1, id, action: 'restart', target: 'tcpip' });
    broker.give(`${root}/cmd/run`, command('is-lost-123'));
    await eventually('the fault is told', () => log.find(/A fault in sockmon while it talked to the broker/));
    broker.give(`${root}/cmd/run`, command('is-heard-123'));
    await eventually('the next is answered', () => broker.on(`${root}/result/is-heard-123`).length > 0);
    assert.equal(broker.connects.length, 1);
  });

  for (const protocol of protocols)
    it(`says nothing between its CONNECT and the CONNACK (${protocol})`, async t => {
      const heard: Buffer[] = [];
      let beforeConnack = Buffer.alloc(0);
      const connack = protocol === '5' ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0];
      const server = createServer(socket => {
        socket.on('error', () => {});
        socket.on('data', bytes => {
          heard.push(bytes);
          if (heard.length > 1) return;
          // By then anything that did not wait would have come.
          setTimeout(() => {
            beforeConnack = Buffer.concat(heard);
            socket.write(Buffer.from(connack));
          }, 300);
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      t.after(() => server.close());
      const address = server.address();
      assert.ok(address !== null && typeof address === 'object');
      const { reporter, telling } = started(t, address.port, protocol);
      telling.outage();
      reporter.answer({
        id: 'from-before',
        action: 'reboot',
        status: 'done',
        code: null,
        detail: '',
        at: '',
      });
      reporter.sync();
      await eventually('the CONNACK', () => beforeConnack.length > 0);
      // Its first bytes: the type, and how much follows.
      const [type = 0, low = 0, high = 0] = beforeConnack;
      const [headBytes, restBytes] = low < 128 ? [2, low] : [3, (low & 127) + 128 * high];
      assert.equal(type, 0x10);
      assert.equal(beforeConnack.length, headBytes + restBytes, 'nothing stands behind it');
      await eventually('what waited', () => Buffer.concat(heard).length > beforeConnack.length);
      assert.equal(reporter.connection().state, 'connected');
    });

  it('keeps to the receive maximum that a broker has said', async t => {
    const waiting: IPublishPacket[] = [];
    const broker = await StandIn.start(t, {
      announces: { receiveMaximum: 3 },
      told: packet => void waiting.push(packet),
      acknowledges: ({ topic }) => !topic.endsWith('/event'),
    });
    const { telling, reporter } = started(t, broker.port, '5');
    await eventually('nothing waits', () => reporter.connection().pending === 0);
    for (let i = 0; i < 20; i++) telling.outage();
    reporter.sync();
    const events = () => waiting.filter(({ topic }) => topic.endsWith('/event')).length;
    await eventually('the window is full', () => events() >= 2);
    await new Promise(resolve => setTimeout(resolve, 200));
    assert.equal(events(), 2, 'one place is left for what is urgent');
  });

  for (const protocol of protocols)
    it(`has no more than a few messages under way (${protocol})`, async t => {
      const waiting: IPublishPacket[] = [];
      const broker = await StandIn.start(t, {
        told: packet => void waiting.push(packet),
        acknowledges: ({ topic }) => topic === status || topic === discovery,
      });
      const { telling, reporter } = started(t, broker.port, protocol);
      await eventually('status and discovery', () => waiting.length >= 2);
      for (let i = 0; i < 50; i++) telling.outage();
      reporter.sync();
      const limit = protocol === '5' ? 9 : 4;
      const events = () => waiting.filter(({ topic }) => topic !== status && topic !== discovery).length;
      await eventually('the window is full', () => events() >= limit);
      await new Promise(resolve => setTimeout(resolve, 200));
      assert.equal(events(), limit, 'one place is left for what is urgent');
    });

  for (const protocol of protocols)
    for (const closes of [true, false])
      it(`ends with offline, DISCONNECT and the broker's close${closes ? '' : ', which it does not wait for long'} (${protocol})`, async t => {
        const broker = await StandIn.start(t, { closes });
        const { reporter } = started(t, broker.port, protocol);
        await eventually('the state', () => broker.on(`${root}/state`).length > 0);
        await eventually('nothing waits', () => reporter.connection().pending === 0);
        const beganMs = performance.now();
        await reporter.stop();
        const tookMs = performance.now() - beganMs;
        assert.deepEqual(broker.on(status), ['online', 'offline']);
        assert.equal(broker.ends[0], 'disconnect');
        if (closes) assert.ok(tookMs < 900, `it waited ${tookMs} ms for what had come`);
        // Ten seconds would be that of the one who stops us: systemd, or a person.
        else assert.ok(tookMs >= 990 && tookMs < 5000, `it closed after ${tookMs} ms`);
      });
});
