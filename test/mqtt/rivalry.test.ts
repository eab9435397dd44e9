/** A second client with our id: told to the owner, and never a fight that the broker suffers from. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { Rivalry, rivalryTimes } from '../../src/mqtt/rivalry.js';
import { eventually } from './eventually.js';
import { Listener } from './listener.js';
import { skipWithoutMosquitto, startMosquitto } from './mosquitto.js';
import { FakeTelling, MemoryLog, settingsFor } from './telling.js';

/** Fifty times faster. */
const pace = 0.02;

interface State {
  readonly problems: string[];
  readonly connection: { readonly problem: string | null };
}

function started(t: TestContext, port: number, more = {}, atPace = pace) {
  const log = new MemoryLog();
  const telling = new FakeTelling();
  const reporter = new MqttReporter({
    settings: settingsFor(port, more),
    node: 'gw1',
    log,
    random: () => 0.5,
    pace: atPace,
  });
  t.after(() => reporter.stop());
  reporter.start(telling);
  return { reporter, log, telling };
}

const minute = 60_000;
const discovery = 'homeassistant/device/sockmon_gw1/config';

describe('the guess', () => {
  const guessed = (rivalry: Rivalry, nowMs: number) =>
    [0, 1, 2, 3].map(turn => rivalry.closed(1000, nowMs + turn * 1000));

  it('takes four closed connections in a row: three restarts of a broker are none', () => {
    const rivalry = new Rivalry();
    assert.deepEqual(guessed(rivalry, 0), [false, false, false, true]);
    assert.equal(rivalry.known(3000), 'guessed');
  });

  it('is not made of connections that lasted, nor over an attempt that failed', () => {
    const rivalry = new Rivalry();
    const lived = [1000, 1000, 1000, rivalryTimes.soonMs, 1000, 1000, 1000];
    assert.ok(lived.every(livedMs => !rivalry.closed(livedMs, 0)));
    rivalry.unreachable();
    assert.equal(rivalry.closed(1000, 0), false);
  });

  it('is not made of our own connections that a frozen broker reads late, each of which counts once', () => {
    const rivalry = new Rivalry();
    for (let i = 0; i < 3; i++) rivalry.leftBehind(i * 20_000);
    assert.equal(rivalry.proven(minute), false);
    assert.equal(rivalry.closed(50, minute + 1), false);
    assert.equal(rivalry.closed(50, minute + 2), false);
    assert.equal(rivalry.known(minute + 2), null);
    assert.equal(rivalry.proven(minute + 3), true, 'there is a rival beside them');
    assert.equal(rivalry.known(minute + 3), 'proven');
  });

  it('is not put off by a connection that was left behind long ago, or before one that lasted', () => {
    const rivalry = new Rivalry();
    rivalry.leftBehind(0);
    assert.equal(rivalry.proven(rivalryTimes.soonMs), true);
    const other = new Rivalry();
    other.leftBehind(0);
    other.closed(rivalryTimes.soonMs, 1000);
    assert.equal(other.proven(2000), true);
  });

  it('takes one once a rival is known, also one of a minute: the other backs off too', () => {
    const rivalry = new Rivalry();
    rivalry.proven(0);
    assert.equal(rivalry.closed(minute, 2 * minute), true);
    assert.equal(rivalry.closed(3 * minute, 6 * minute), false);
    assert.equal(rivalry.known(6 * minute), 'proven');
  });

  it('is over ten minutes after the last take-over, and begins from nothing then', () => {
    const rivalry = new Rivalry();
    rivalry.proven(0);
    assert.equal(rivalry.known(10 * minute - 1), 'proven');
    assert.equal(rivalry.known(10 * minute), null);
    assert.deepEqual(guessed(rivalry, 11 * minute), [false, false, false, true]);
    assert.equal(rivalry.known(11 * minute + 3000), 'guessed');
  });
});

describe('a broker that says so', () => {
  it('is believed at once', async t => {
    // By hand: mosquitto 2.0 closes the connection without a word. CONNACK, then DISCONNECT 0x8E, both of MQTT 5.
    const server = createServer(socket => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end(Buffer.from([0x20, 3, 0, 0, 0, 0xe0, 2, 0x8e, 0])));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const { reporter } = started(t, address.port);
    const problem = await eventually('the problem', () => reporter.connection().problem);
    assert.match(problem, /another client with the id sockmon-gw1 takes over .* its own node name/);
  });
});

describe('a connection that is closed', { skip: skipWithoutMosquitto }, () => {
  for (const isShaken of [false, true]) {
    it(isShaken ? 'accuses nobody when its own network has died meanwhile' : 'accuses a rival', async t => {
      const broker = await startMosquitto();
      t.after(() => broker.stop('SIGKILL'));
      // A connection that ends soon is one of less than 12 s then.
      const listener = await Listener.on(broker);
      t.after(() => listener.close());
      const { reporter } = started(t, broker.port, {}, 0.1);
      for (let round = 1; round <= 4; round++) {
        await eventually('connected', () => reporter.connection().connects === round);
        // What is in flight might be what a broker hangs up at; discovery comes last.
        await eventually('all is told', () => listener.on(discovery).length === round);
        await listener.settle();
        if (isShaken) reporter.networkLost();
        const rival = await Listener.on(broker, { clientId: 'sockmon-gw1' });
        t.after(() => rival.close());
        await eventually(
          'lost',
          () => reporter.connection().last_error ?? reporter.connection().connects > round,
        );
      }
      assert.equal(reporter.connection().problem === null, isShaken);
    });
  }
});

/**
 * Ten times faster: a back-off of a minute takes 6 s, the alarm ends after 60 s. Still faster, each would come back before what the other told first is
 * acknowledged, and both would look for a guilty topic.
 */
const fightPace = 0.1;

describe('two machines of one id', { skip: skipWithoutMosquitto, concurrency: true }, () => {
  for (const protocol of ['5', '3.1.1'] as const) {
    it(`connect by ${protocol} no more than once a minute each, and both say why`, async t => {
      const broker = await startMosquitto();
      t.after(() => broker.stop('SIGKILL'));
      const listener = await Listener.on(broker);
      t.after(() => listener.close());
      const one = started(t, broker.port, { protocol }, fightPace);
      await eventually('the first has told all', () => one.telling.announced().entities.length > 0);
      const other = started(t, broker.port, { protocol }, fightPace);
      const both = [one, other];
      const connectsOf = ({ reporter }: typeof one) => reporter.connection().connects;
      await eventually('both know', () =>
        both.every(({ reporter }) => /another client/.test(reporter.connection().problem ?? '')),
      );
      const fought = Math.max(...both.map(connectsOf));
      t.diagnostic(`${fought} connections each until both knew`);
      assert.ok(fought <= 8, `${fought} connections until both knew`);

      // From now on at the pace of the back-off, for as long as somebody looks.
      const startMs = performance.now();
      const before = both.map(connectsOf);
      await eventually('four more connections', () => {
        const more = both.map((machine, i) => connectsOf(machine) - (before[i] ?? 0));
        return (more[0] ?? 0) + (more[1] ?? 0) >= 4;
      });
      const rounds = (performance.now() - startMs) / (60_000 * fightPace);
      for (const [i, machine] of both.entries()) {
        const more = connectsOf(machine) - (before[i] ?? 0);
        assert.ok(more <= rounds + 1, `${more} connections in ${rounds} times the back-off`);
      }
      const states = listener.json<State>('sockmon/gw1/state');
      assert.ok(
        states.some(({ problems }) =>
          problems.some(problem => /probably another client has the id/.test(problem)),
        ),
        'what is retained tells Home Assistant',
      );
      const warnings = one.log.lines.filter(
        ({ level, sentence }) => level === 'warn' && /is there/i.test(sentence),
      );
      assert.equal(warnings.length, 1, 'told once, not at every take-over');

      await other.reporter.stop();
      await eventually(
        'the alarm is over',
        () => {
          const state = listener.json<State>('sockmon/gw1/state').at(-1);
          return one.reporter.connection().state === 'connected' && state?.problems.length === 0;
        },
        120_000,
      );
      assert.equal(one.reporter.connection().problem, null);
    });
  }
});
