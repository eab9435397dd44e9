/**
 * The same story with every broker that Debian has, from start to end: the built daemon in the lab, its stack killed, a command, the
 * broker restarted. What a broker can and cannot do is asserted too, and is what docs/BROKERS.md says.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { EventMessage } from '../../src/mqtt/events.js';
import { assertTold } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import { Lab } from '../lab/lab.js';
import { repository } from '../lab/paths.js';
import type { RestartScript } from '../lab/restart-script.js';
import { becomeRoot, skipWithoutLab } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { Gate } from '../mqtt/gate.js';
import { Listener } from '../mqtt/listener.js';
import { AnyBroker, type Kind, kinds, skipWithout } from './brokers.js';

await becomeRoot();

const node = 'sockmon/lab';
const status = `${node}/status`;
const state = `${node}/state`;
const about = `${node}/about`;
const lastOutage = `${node}/last_outage`;
const discovery = 'homeassistant/device/sockmon_lab/config';
const retained = [status, state, about, lastOutage, discovery];
const events = `${node}/event`;
const run = `${node}/cmd/run`;
const deadlineMs = 60_000;

interface Result {
  readonly status: string;
  readonly code: string | null;
}

const command = (id: string, action: string, target?: string) =>
  JSON.stringify({ v: 1, id, action, target, issued_at: new Date().toISOString() });

function play(kind: Kind): void {
  let lab: Lab;
  let broker: AnyBroker;
  let gate: Gate;
  let listener: Listener;
  let script: RestartScript;
  let daemon: Daemon;
  const protocolVersion = kind.protocol === '5' ? 5 : 4;
  const listen = (filter?: string) => Listener.on(broker, { protocolVersion }, filter);
  const soon = <T>(what: string, probe: () => T | false | null | undefined) =>
    daemon.until(what, probe, { deadlineMs });
  const result = (id: string, wanted: string) =>
    soon(`${id} to be ${wanted}`, () =>
      listener.json<Result>(`${node}/result/${id}`).find(answer => answer.status === wanted),
    );
  const facts = (type: string) =>
    listener.json<EventMessage>(events).filter(({ event_type }) => event_type === type);

  /** What somebody is given who subscribes now, by topic. */
  async function given(filter: string, isEnough: (topics: Set<string>) => boolean): Promise<Set<string>> {
    const late = await listen(filter);
    try {
      const topics = () => new Set(late.heard.map(({ topic }) => topic));
      await until(`enough by ${filter}`, () => isEnough(topics()));
      return topics();
    } finally {
      await late.close();
    }
  }

  before(async () => {
    lab = await Lab.open();
    broker = await AnyBroker.start(kind);
    gate = await Gate.to(broker);
    await gate.open();
    listener = await listen();
    // The stack lives when a command wants it restarted: to restart it is to end it first.
    script = lab.restartScript({ first: `kill -9 "$(cat '${lab.stack.pidfile}')" 2>/dev/null` });
  });

  after(async () => {
    await listener?.close();
    await lab?.close();
    await gate?.close();
    await broker?.close();
  });

  it('is told of a new gateway; a command that waited there is not obeyed', async () => {
    // Of an earlier sockmon, whose journal is lost.
    const left = { platform: 'sensor', unique_id: 'sockmon_lab_left' };
    const earlier = JSON.stringify({ origin: { name: 'sockmon' }, components: { left } });
    await listener.publish(discovery, earlier, true);
    await listener.publish(run, command('interop-old-1', 'restart', 'tcpip'), true);
    daemon = lab.run({
      resources: { tcpip: lab.resource(script) },
      mqtt: { url: lab.brokerUrl(gate), protocol: kind.setting },
    });
    await daemon.watching();
    await soon('online', () => listener.last(status) === 'online');
    type Announced = { components: { left?: object; alive?: object } };
    const announced = () =>
      listener.json<Announced>(discovery).filter(({ components }) => components.alive !== undefined);
    await soon('discovery, and the end of what was left', () =>
      announced().some(({ components }) => isDeepStrictEqual(components.left, { platform: 'sensor' })),
    );
    const told = await soon(
      'the connection',
      () => listener.json<{ connection: { protocol: string } }>(about)[0]?.connection.protocol,
    );
    assert.equal(told, kind.protocol);
    assert.equal((await result('interop-old-1', 'rejected')).code, 'retained');
    await soon('it to be cleared', () => listener.last(run) === '');
    await listener.settle();
    assert.equal(script.calls().length, 0);
  });

  it('is told of an outage and its end, in order', async () => {
    const kill = lab.killStack('SIGKILL');
    await soon('the recovery', () => facts('stack_recovered').length === 1);
    const [down, recovered] = [facts('stack_down')[0], facts('stack_recovered')[0]];
    assert.ok(down && recovered);
    assertTold(down, recovered, kill);
    await soon('online again', () => listener.last(status) === 'online');
    await soon('the last outage', () =>
      listener.json<{ id: string }>(lastOutage).some(({ id }) => id === down.outage),
    );
  });

  it('keeps what is retained for who comes later', async () => {
    for (const topic of retained) await given(topic, topics => topics.has(topic));
    if (kind.retainsForWildcards) {
      await given(`${node}/#`, topics => [status, state, lastOutage].every(topic => topics.has(topic)));
      return;
    }
    // A live message afterwards: had there been anything, it would have come before.
    const late = await listen('#');
    await late.settle();
    assert.deepEqual(
      late.heard.filter(({ topic }) => retained.includes(topic)),
      [],
    );
    await late.close();
  });

  it('brings a command, and gets its result', async () => {
    const before = script.calls().length;
    await listener.publish(run, command('interop-restart-1', 'restart', 'tcpip'));
    await result('interop-restart-1', 'accepted');
    await result('interop-restart-1', 'done');
    assert.equal(script.calls().length, before + 1);
    await soon('online again', () => listener.last(status) === 'online');
  });

  it('brings a command that is retained while we listen', async () => {
    await listener.publish(run, command('interop-kept-1', 'resume'), true);
    const answers = () => listener.json<Result>(`${node}/result/interop-kept-1`);
    if (kind.protocol === '5') {
      assert.equal((await result('interop-kept-1', 'rejected')).code, 'retained');
      await soon('it to be cleared', () => listener.last(run) === '');
      assert.equal(answers().length, 1);
      return;
    }
    // 3.1.1 hides the flag of a live message; the copy that was kept is refused.
    await result('interop-kept-1', 'accepted');
    await gate.close();
    await gate.open();
    if (kind.retainsForWildcards) {
      await result('interop-kept-1', 'rejected');
      await soon('it to be cleared', () => listener.last(run) === '');
    }
    await soon('a new connection', () => listener.last(status) === 'online');
    assert.equal(answers().filter(answer => answer.status === 'accepted').length, 1);
  });

  it('is restarted in the middle: everything is there again, nothing is told twice and nothing lost', async () => {
    await gate.close();
    await listener.close();
    await broker.stop();
    const count = daemon.entries('outage_end').length;
    const kill = lab.killStack('SIGKILL');
    await daemon.entry('outage_end', count + 1, { deadlineMs });
    await broker.restarted();
    listener = await listen();
    if (kind.retainsOverRestart) {
      await given(state, topics => topics.has(state));
    } else {
      const late = await listen(state);
      await late.client.subscribeAsync('mark/#', { qos: 1 });
      await late.settle();
      assert.deepEqual(late.on(state), []);
      await late.close();
    }
    await gate.open();
    await soon('the recovery', () => facts('stack_recovered').length > 0);
    const [down, recovered] = [facts('stack_down')[0], facts('stack_recovered')[0]];
    assert.ok(down && recovered);
    assertTold(down, recovered, kill);
    await soon('all to be acknowledged', () =>
      daemon.entries('published').some(({ upTo }) => upTo >= recovered.seq),
    );
    for (const topic of retained) await given(topic, topics => topics.has(topic));
    await listener.settle();
    assert.equal(listener.json(events).length, 2);
    await soon('online', () => listener.last(status) === 'online');
  });

  it('takes the result of a command whose id has a dot, or stops at most two connections for it', async t => {
    const connects = () => (daemon.log.match(/Connected to mqtt/g) ?? []).length;
    const before = connects();
    await listener.publish(run, command('interop.dot.1', 'resume'));
    if (kind.dots !== 'hangs up') {
      await result(kind.dots === 'kept' ? 'interop.dot.1' : 'interop/dot/1', 'accepted');
      return;
    }
    await soon('it to be given up', () => /answer to interop\.dot\.1/.test(daemon.log));
    // The subscription goes out before the state does.
    await soon('the new connection to be told', () => {
      const { connection } = JSON.parse(listener.last(about) ?? '{}');
      return connection?.connects === connects();
    });
    await listener.publish(run, command('interop-after-dot', 'resume'));
    await result('interop-after-dot', 'accepted');
    t.diagnostic(`${connects() - before} connections more`);
    assert.equal(connects() - before, 2);
  });

  it('tells the will when sockmon is killed', async () => {
    daemon.kill('SIGKILL');
    await daemon.ended;
    await until('offline', () => listener.last(status) === 'offline', { deadlineMs });
  });
}

const rows: string[] = [];
const yes = (is: boolean) => (is ? 'yes' : 'no');

for (const kind of kinds) {
  const skip = skipWithoutLab() || skipWithout(kind);
  describe(kind.name, { skip }, () => play(kind));
  if (skip === false) {
    rows.push(
      `| ${kind.name} | ${kind.version()} | ${kind.protocol} | ${yes(kind.retainsForWildcards)} | ${yes(kind.retainsOverRestart)} | ${kind.protocol === '5' ? 'refused' : 'obeyed once'} | ${kind.dots} |`,
    );
  }
}

describe('docs/BROKERS.md', () => {
  it('says the same', t => {
    for (const row of rows) t.diagnostic(row);
    const text = readFileSync(`${repository}docs/BROKERS.md`, 'utf8');
    // Versions come and go.
    const plain = (row: string) => row.split('|').toSpliced(2, 1).join('|');
    const written = text
      .split('\n')
      .filter(line => line.startsWith('|'))
      .map(plain);
    for (const row of rows) assert.ok(written.includes(plain(row)), `the table lacks: ${row}`);
  });
});
