/** What the broker is sent while nothing happens, and for one death: supervisor and telling are real, the clocks and the broker are the test's. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { Announcer } from '../../src/mqtt/announcer.js';
import { type Message, Outbox } from '../../src/mqtt/outbox.js';
import { Retained } from '../../src/mqtt/retained.js';
import { topicsOf } from '../../src/mqtt/topics.js';
import { systemClock } from '../../src/system/machine.js';
import { policy, resource, sensor } from '../core/world.js';
import { Bench, FakeReporter } from './fakes.js';

const topics = topicsOf('sockmon', 'gw', 'homeassistant');
const services = Array.from({ length: 1000 }, (_, i) =>
  resource(`s${i}`, { sensors: [sensor('process x')] }),
);
const watched = policy([resource('tcpip', { sensors: [sensor('stack')] }), ...services]);

function stage(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent: Message[] = [];
  const raw = { bootMs: 3_600_000.25, wallMs: Date.parse('2026-11-30T08:00:00.437Z'), reads: 0 };
  const clock = systemClock(
    { bootTimeMs: () => raw.bootMs, clockSynchronized: () => true },
    { id: 'boot-1', beganMs: 0 },
    // Now read at once, now a millisecond later.
    () => Math.floor(raw.wallMs + (raw.reads++ % 2)),
  );
  const { journal, watcher, evidence, log } = new Bench(t, policy([]));
  const reporter = new FakeReporter();
  const reboot = { reboot: async () => null };
  const supervisor = new Supervisor({
    ...{ node: 'gw', version: '0', policy: watched, clock, journal, reboot, reporter, evidence, log },
  });
  t.after(() => supervisor.stop('test'));
  const outbox = new Outbox((message, settled) => {
    sent.push(message);
    settled(null);
  }, 16);
  const connection = reporter.connection();
  const retained = new Retained({
    telling: supervisor,
    outbox,
    topics,
    announcer: new Announcer({ node: 'gw', topics, area: null, known: [] }),
    log,
    connectionView: () => ({ ...connection, state: 'connected', since: '2026-11-30T08:00:00.437Z' }),
    maximumBytes: () => Number.POSITIVE_INFINITY,
    pace: 1,
  });
  t.after(() => retained.close());
  reporter.sync = () => retained.changed();
  supervisor.start(watcher);
  const report = (id: string, state: 'up' | 'down'): void =>
    supervisor.dispatch({
      ...{ kind: 'sensor', resource: id, sensor: 0, state, atMs: clock.now().bootMs, detail: '' },
      cause: state === 'down' ? { kind: 'signal', signal: 'SIGKILL', coreDumped: false } : null,
      nature: state === 'down' ? 'exited' : null,
      ...{ carrier: null, interface: null, ownRun: false, reflex: null, replaced: null },
    });
  const scriptEnds = (): void => {
    const run = watcher.runs.at(-1)?.id ?? '';
    const ended = { atMs: clock.now().bootMs, result: { kind: 'exit', code: 0 }, output: '' } as const;
    supervisor.dispatch({ kind: 'run_ended', run, ...ended });
  };
  /** Time goes by, and the wall clock is slewed by 500 ppm, as fast as the kernel does it. */
  const pass = (ms: number): void => {
    raw.bootMs += ms;
    raw.wallMs += ms * (1 + 500e-6);
    supervisor.dispatch({ kind: 'tick' });
    t.mock.timers.tick(250);
  };
  for (const { id } of watched.resources) report(id, 'up');
  retained.tellFacts();
  pass(1000);
  sent.length = 0;
  return { sent, raw, report, scriptEnds, pass };
}

const told = (sent: readonly Message[]) => sent.map(({ topic }) => topic.replace('sockmon/gw/', '')).sort();

describe('what the broker is sent', () => {
  it('in an idle hour with a slewed clock is nothing', t => {
    const { sent, pass } = stage(t);
    for (let second = 0; second < 3600; second++) pass(1000);
    assert.deepEqual(told(sent), []);
  });

  it('for a death is told once, with one time everywhere, and then nothing for another hour', t => {
    const { sent, report, scriptEnds, pass } = stage(t);
    report('s7', 'down');
    pass(400);
    report('s7', 'up');
    scriptEnds();
    for (let second = 0; second < 20; second++) pass(1000);
    assert.deepEqual(told(sent), [
      'last_outage',
      ...['resource/s7', 'resource/s7', 'resource/s7'],
      ...['state', 'state', 'state'],
    ]);
    const times = sent.flatMap(({ payload }) => JSON.parse(payload).began_at ?? []);
    assert.equal(new Set(times).size, 1);
    // Beside the events, which are some 700 bytes.
    const bytes = sent.reduce((sum, { topic, payload }) => sum + topic.length + payload.length, 0);
    assert.ok(bytes < 3000, `${bytes} bytes for one of a thousand`);
    sent.length = 0;
    for (let second = 0; second < 3500; second++) pass(1000);
    assert.deepEqual(told(sent), []);
  });

  it('for a clock that is set is told anew, once', t => {
    const { sent, raw, pass } = stage(t);
    raw.wallMs += 3_600_000;
    pass(1000);
    const everything = sent.length;
    assert.ok(told(sent).includes('resource/s7') && told(sent).includes('about'));
    for (let second = 0; second < 60; second++) pass(1000);
    assert.equal(sent.length, everything);
  });
});
