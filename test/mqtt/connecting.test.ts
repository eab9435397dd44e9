/** Brokers that are late, silent, frozen, restarted, or of which one topic is forbidden: found out, told as that, and connected to. */
import assert from 'node:assert/strict';
import { kill } from 'node:process';
import { describe, it, type TestContext } from 'node:test';
import type { MqttSettings } from '../../src/core/policy.js';
import { connectionTimes } from '../../src/mqtt/connection.js';
import { LeftOut, leaveOutMs } from '../../src/mqtt/left-out.js';
import { MqttReporter, type ReporterOptions } from '../../src/mqtt/reporter.js';
import { eventually } from './eventually.js';
import { Gate } from './gate.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { StandIn } from './stand-in.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

type More = Partial<Pick<ReporterOptions, 'pace' | 'times' | 'random' | 'leaveOutMs'>>;

function started(t: TestContext, settings: MqttSettings, more: More = {}) {
  const log = new MemoryLog();
  const telling = new FakeTelling();
  const reporter = new MqttReporter({ settings, node: 'gw1', log, random: () => 0.05, ...more });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return { reporter, log, telling, view: () => reporter.connection() };
}

const short = { ...connectionTimes, answerMs: 400 };
const notAuthorized = (version: number | undefined) => (version === 5 ? 0x87 : 5);

describe('a broker that neither answers a CONNECT of MQTT 5 nor closes', () => {
  it('is talked to by 3.1.1', async t => {
    const broker = await StandIn.start(t, {
      accept: ({ protocolVersion }) => (protocolVersion === 5 ? null : 0),
    });
    const { view, log } = started(t, settingsFor(broker.port), { times: short });
    await eventually('connected', () => view().state === 'connected');
    assert.equal(view().protocol, '3.1.1');
    assert.deepEqual(
      broker.connects.map(({ protocolVersion }) => protocolVersion),
      [5, 4],
    );
    assert.ok(log.find(/the connection is taken and nothing is answered: the broker is frozen/));
  });

  it('is not, where the owner wants 5', async t => {
    const broker = await StandIn.start(t, {
      accept: ({ protocolVersion }) => (protocolVersion === 5 ? null : 0),
    });
    const { view } = started(t, settingsFor(broker.port, { protocol: '5' }), { times: short });
    await eventually('three attempts', () => broker.connects.length >= 3);
    assert.ok(broker.connects.every(({ protocolVersion }) => protocolVersion === 5));
    assert.equal(view().connects, 0);
  });
});

describe('a broker that says that it does not speak MQTT 5', () => {
  for (const code of [0x01, 0x84])
    it(`is talked to by 3.1.1 from then on (0x${code.toString(16)})`, async t => {
      const broker = await StandIn.start(t, {
        accept: ({ protocolVersion }) => (protocolVersion === 5 ? code : 0),
      });
      const { view } = started(t, settingsFor(broker.port));
      await eventually('connected', () => view().state === 'connected');
      broker.hangUp();
      await eventually('connected again', () => view().connects === 2);
      assert.deepEqual(
        broker.connects.map(({ protocolVersion }) => protocolVersion),
        [5, 4, 4],
      );
    });
});

describe('a subscription that is refused', () => {
  for (const protocol of ['5', '3.1.1'] as const)
    it(`is named, with what does not work without it (${protocol})`, async t => {
      for (const [refused, wanted, other] of [
        ['sockmon/gw1/cmd/run', /user read sockmon\/gw1\/cmd\/#, or no command will arrive/, /"offline"/],
        ['sockmon/gw1/status', /user read sockmon\/gw1\/status, or a late "offline"/, /no command/],
        [
          'homeassistant/status',
          /user read homeassistant\/status, or Home Assistant is not told/,
          /no command/,
        ],
      ] as const) {
        const broker = await StandIn.start(t, { refuses: filter => filter === refused });
        const { log } = started(t, settingsFor(broker.port, { protocol }));
        const { sentence } = await eventually('it is told', () => log.find(/refuses a subscription/));
        assert.match(sentence, wanted);
        assert.doesNotMatch(sentence, other);
      }
    });
});

describe('a refusal', () => {
  it('after a connection is tried again soon, and once the broker knows its users we are back', async t => {
    const broker = await StandIn.start(t, {
      accept: ({ protocolVersion }, index) => (index === 0 || index > 5 ? 0 : notAuthorized(protocolVersion)),
    });
    const { view, log } = started(t, settingsFor(broker.port), { pace: 0.01 });
    await eventually('connected', () => view().connects === 1);
    broker.hangUp();
    await eventually('connected again', () => view().connects === 2);
    const delays = log.lines
      .filter(({ sentence }) => /refuses us/.test(sentence))
      .map(({ fields }) => (fields as { delayMs: number }).delayMs / 0.01);
    // The one that is told has been tried without the will before.
    assert.equal(delays.length, 4);
    assert.ok((delays[0] ?? 0) <= 4000 && delays.every(delayMs => delayMs <= 60_000), delays.join());
  });

  it('of a password that stays wrong reaches the long waits, and is told as that', async t => {
    const broker = await StandIn.start(t, {
      accept: ({ protocolVersion }) => notAuthorized(protocolVersion),
    });
    const { view, log } = started(t, settingsFor(broker.port), { pace: 0.001, random: () => 0.9 });
    const long = (fields: object) => (fields as { delayMs: number }).delayMs >= 200;
    const line = await eventually('a long wait', () => log.lines.find(({ fields }) => long(fields)));
    assert.match(
      line.sentence,
      /refuses us: Not authorized \(code 135\)\. Check user, password and client id\./,
    );
    assert.ok(!log.lines.some(({ sentence }) => /its will/.test(sentence)));
    assert.equal(view().last_error, 'Not authorized (code 135)');
    const withoutWill = broker.connects.filter(({ will }) => will === undefined || will === null);
    assert.equal(withoutWill.length, 1, 'asked once whether it is the will');
  });

  for (const protocol of ['5', '3.1.1'] as const) {
    it(`because of the will alone is told as that (${protocol})`, async t => {
      // As HiveMQ does where the user may not write to the will's topic.
      const broker = await StandIn.start(t, {
        accept: ({ protocolVersion, will }) => (will ? notAuthorized(protocolVersion) : 0),
      });
      const { view, log } = started(t, settingsFor(broker.port, { protocol }));
      const line = await eventually('told', () => log.find(/its will/));
      assert.match(
        line.sentence,
        /takes this user, but not its will, the "offline" on sockmon\/gw1\/status: Not authorized .* Let this user write to sockmon\/gw1\/status\./,
      );
      assert.equal(log.find(/Check user, password/), undefined);
      assert.match(view().last_error ?? '', /the will on sockmon\/gw1\/status/);
      assert.equal(view().connects, 0);
      assert.deepEqual(broker.published, []);
    });
  }

  it('that ends while it is being looked into accuses nothing', async t => {
    const broker = await StandIn.start(t, {
      accept: ({ protocolVersion }, index) => (index === 0 ? notAuthorized(protocolVersion) : 0),
    });
    const { view, log } = started(t, settingsFor(broker.port));
    await eventually('connected', () => view().state === 'connected');
    assert.equal(broker.connects.length, 3);
    assert.equal(log.find(/refuses|its will/), undefined);
  });

  it('by the code for a topic name can only be the will', async t => {
    const broker = await StandIn.start(t, { accept: () => 0x90 });
    const { log } = started(t, settingsFor(broker.port));
    await eventually('told', () => log.find(/not its will.*Topic Name invalid/));
  });
});

describe('a broker that does not know MQTT 5', () => {
  for (const code of [0x01, 0x84])
    it(`and says so by ${code} is spoken to by 3.1.1, the second time at once`, async t => {
      const broker = await StandIn.start(t, {
        accept: ({ protocolVersion }) => (protocolVersion === 5 ? code : 0),
      });
      const { view } = started(t, settingsFor(broker.port), { pace: 0.01 });
      await eventually('connected', () => view().connects === 1);
      broker.hangUp();
      await eventually('connected again', () => view().connects === 2);
      assert.deepEqual(
        broker.connects.map(({ protocolVersion }) => protocolVersion),
        [5, 4, 4],
      );
    });
});

describe('a topic that is left out', () => {
  it('is told again after an hour where it was not acknowledged, after a day where it was hung up at', t => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const over = t.mock.fn();
    const leftOut = new LeftOut(leaveOutMs, over);
    leftOut.add('late');
    leftOut.add('forbidden', 'hung_up');
    t.mock.timers.tick(3_599_999);
    assert.ok(leftOut.has('late'));
    t.mock.timers.tick(1);
    assert.ok(!leftOut.has('late') && leftOut.has('forbidden'));
    t.mock.timers.tick(82_799_999);
    assert.ok(leftOut.has('forbidden'));
    t.mock.timers.tick(1);
    assert.ok(!leftOut.has('forbidden'));
    assert.equal(over.mock.callCount(), 2);
  });
});

describe('a publish that is never acknowledged', () => {
  const discovery = 'homeassistant/device/sockmon_gw1/config';
  const times = { ...connectionTimes, overdueMs: 300 };

  it('is found, left out and told, and the rest is heard; later it is tried again', async t => {
    // As moquette does with a forbidden topic.
    const hour = { unacknowledged: 3600, hung_up: 86_400 };
    let isForbidden = true;
    const broker = await StandIn.start(t, {
      acknowledges: ({ topic }) => topic !== discovery || !isForbidden,
    });
    const { view, log, telling, reporter } = started(t, settingsFor(broker.port), {
      leaveOutMs: hour,
      times,
    });
    telling.outage();
    const line = await eventually('told', () => log.find(/does not acknowledge what is told on/));
    assert.match(
      line.sentence,
      /told on homeassistant\/device\/sockmon_gw1\/config\. It is left out for an hour: let this user write to it/,
    );
    await eventually('connected again', () => view().connects === 2);
    await eventually('all events', () => view().pending === 0);
    const second = () =>
      broker.published.filter(({ connection }) => connection === 1).map(({ topic }) => topic);
    await eventually('the state', () => second().includes('sockmon/gw1/state'));
    assert.ok(!second().includes(discovery), second().join());
    assert.match(view().problem ?? '', /does not acknowledge what is told on homeassistant/);
    isForbidden = false;
    const before = broker.on(discovery).length;
    await eventually('tried again', () => broker.on(discovery).length > before);
    await eventually('no problem any more', () => view().problem === null);
    reporter.sync();
    assert.equal(view().connects, 2, 'over the same connection');
  });

  it('is not one that comes late, after all that was sent before it', async t => {
    const broker = await StandIn.start(t);
    const { view, telling, reporter } = started(t, settingsFor(broker.port), { times });
    await eventually(
      'all told',
      () => view().state === 'connected' && broker.on('sockmon/gw1/state').length > 0,
    );
    const { pings } = broker;
    broker.freeze();
    telling.outage();
    reporter.sync();
    // Frozen until it has been asked: the question waits behind the publishes.
    await new Promise(resolve => setTimeout(resolve, times.overdueMs * 3));
    broker.thaw();
    await eventually('the question is read', () => broker.pings > pings);
    await eventually('all acknowledged', () => view().pending === 0);
    assert.equal(view().connects, 1);
    assert.equal(view().problem, null);
  });

  it('is not the topic where a broker acknowledges nothing at all', async t => {
    const broker = await StandIn.start(t, { acknowledges: () => false });
    const { view, log } = started(t, settingsFor(broker.port), { times });
    const line = await eventually('told', () => log.find(/acknowledges no message at all/));
    assert.match(line.sentence, /Next attempt in \d/);
    assert.equal(view().problem, null);
  });
});

describe('a broker that stands still', { skip: skipWithoutMosquitto }, () => {
  it('for a while, and then gives our place to the attempts that we have given up, has no rival for us', async t => {
    const broker = await StandIn.start(t);
    const settings = settingsFor(broker.port, { keepaliveS: 1 });
    const times = { ...connectionTimes, answerMs: 2000 };
    const { view, log } = started(t, settings, { times });
    await eventually('connected', () => view().state === 'connected');
    broker.freeze();
    const silences = () => log.lines.filter(({ sentence }) => /nothing is answered/.test(sentence)).length;
    await eventually('given up twice', () => silences() >= 2);
    const { waiting } = broker;
    await eventually('the next attempt waits', () => broker.waiting > waiting);
    broker.thaw('the last first');
    await eventually('thrown out by ourselves', () => log.find(/its place to an older one of ours/));
    await eventually('connected again', () => view().state === 'connected' && view().connects >= 3);
    assert.equal(view().problem, null);
    assert.equal(log.find(/[Aa]nother client/), undefined);
    assert.equal(view().protocol, '5', 'it has spoken 5 before');
  });

  it('is not told as one that refuses a topic when the connection is given up', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const gate = await Gate.to(broker);
    t.after(() => gate.close());
    await gate.open();
    const { view, log, telling, reporter } = started(t, settingsFor(gate.port, { keepaliveS: 1 }), {
      times: short,
    });
    await eventually('all told', () => view().state === 'connected' && view().pending === 0);
    gate.freeze();
    telling.outage();
    reporter.sync();
    await eventually('lost', () => view().state === 'connecting');
    const line = await eventually('told', () => log.find(/is lost/));
    assert.match(line.sentence, /is lost: no answer any more\./);
    assert.equal(log.find(/Let this user|Connection closed/), undefined);
  });

  it('mosquitto itself, frozen and thawed', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    const settings = settingsFor(broker.port, { keepaliveS: 1 });
    const { view, log } = started(t, settings, { times: short });
    await eventually('connected', () => view().state === 'connected');
    kill(broker.pid, 'SIGSTOP');
    const silences = () => log.lines.filter(({ sentence }) => /nothing is answered/.test(sentence)).length;
    await eventually('given up twice', () => silences() >= 2);
    kill(broker.pid, 'SIGCONT');
    await eventually('connected again', () => view().state === 'connected');
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    await listener.untilLast('sockmon/gw1/status', 'online');
    assert.equal(view().problem, null);
  });
});

describe('a broker that is restarted again and again', { skip: skipWithoutMosquitto }, () => {
  it('is no rival, however soon it is back', async t => {
    let broker = await startMosquitto();
    t.after(() => broker.stop('SIGKILL'));
    // The next attempt comes late enough to meet each new one at once.
    const { view, log } = started(t, settingsFor(broker.port), { random: () => 0.95, pace: 0.3 });
    for (let round = 1; round <= 6; round++) {
      await eventually('connected', () => view().connects === round);
      await broker.stop(round % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      broker = await startMosquitto({ port: broker.port });
    }
    await eventually('connected', () => view().connects === 7);
    assert.equal(view().problem, null);
    assert.equal(log.find(/another client/), undefined);
  });
});
