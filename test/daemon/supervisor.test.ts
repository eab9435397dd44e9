import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { withJournal } from '../../src/core/attempt.js';
import type { SensorInput } from '../../src/core/input.js';
import type { Policy } from '../../src/core/policy.js';
import type { EarlierRun, ReceivedCommand, Run } from '../../src/core/ports.js';
import type { JournalEntry } from '../../src/core/records.js';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { policy, resource, sensor, step } from '../core/world.js';
import { Bench, FakeWatcher } from './fakes.js';

const press: ReceivedCommand = {
  id: 'press-1',
  action: 'reboot',
  origin: 'mqtt:press',
  press: true,
  retained: false,
  duplicate: false,
  sinceConnectMs: 60_000,
};

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

const many = (count: number) => Array.from({ length: count }, (_, i) => resource(`r${i}`));

/** As they come in one batch: of the first sensor each, or of both where all is up. */
function reports(bench: Bench, count: number, state: 'up' | 'down'): SensorInput[] {
  return many(count).flatMap(({ id }) =>
    (state === 'up' ? [0, 1] : [0]).map(sensor => ({
      kind: 'sensor' as const,
      resource: id,
      sensor,
      state,
      atMs: bench.clock.instant.bootMs,
      cause: null,
      nature: null,
      detail: '',
      carrier: null,
      interface: null,
      ownRun: false,
      reflex: null,
      replaced: null,
    })),
  );
}

describe('the supervisor', () => {
  it('has disarmed the reflex by the time it says that something is left alone, and not for a mere question', t => {
    const bench = new Bench(t, policy());
    bench.up();
    const pause = { id: 'pause-1', action: 'pause', target: 'tcpip', forMs: 600_000, press: false } as const;
    const common = { origin: 'mqtt:run', retained: false, duplicate: false, sinceConnectMs: 60_000 };
    const isArmed = () => bench.watcher.armed.get('tcpip') !== null;
    assert.equal(bench.supervisor.command({ ...common, ...pause, dryRun: true }).status, 'accepted');
    assert.equal(isArmed(), true);
    assert.equal(bench.supervisor.command({ ...common, ...pause, id: 'pause-2' }).status, 'accepted');
    assert.equal(isArmed(), false);
    const resume = { ...common, ...pause, id: 'resume-1', action: 'resume' } as const;
    assert.equal(bench.supervisor.command(resume).status, 'accepted');
    assert.equal(isArmed(), true);
  });

  it('watches, arms, and does not run again what the reflex has started', t => {
    const bench = new Bench(t, policy());
    assert.deepEqual(bench.watcher.calls, ['watch tcpip stack+link']);
    const armed = bench.watcher.armed.get('tcpip');
    assert.equal(armed?.env.SOCKMON_RESOURCE, 'tcpip');
    bench.up();
    bench.sensor('down', 0, armed?.id ?? '');
    assert.equal(bench.watcher.runs.length, 0);
    bench.up();
    assert.deepEqual(bench.types(), ['start', 'seen', 'outage_begin', 'attempt', 'outage_end']);
    assert.deepEqual(bench.reporter.calls, ['lost', 'back']);
    assert.equal(bench.watcher.armed.get('tcpip')?.id, armed?.id, 'used, and armed anew once it is verified');
    const result = { kind: 'exit', code: 0 } as const;
    const { bootMs: atMs } = bench.clock.instant;
    bench.supervisor.dispatch({ kind: 'run_ended', run: armed?.id ?? '', atMs, result, output: '' });
    bench.clock.advance(10_000);
    bench.supervisor.dispatch({ kind: 'tick' });
    assert.notEqual(bench.watcher.armed.get('tcpip')?.id, armed?.id);
  });

  it('kills for a drill, and says so when there was nothing to kill', async t => {
    const killable = resource('tcpip', { sensors: [sensor('process slirp4netns')] });
    const bench = new Bench(t, policy([killable]));
    bench.up();
    const drill = { ...press, origin: 'control', press: false, action: 'drill', target: 'tcpip' } as const;
    assert.equal(bench.supervisor.command({ ...drill, id: 'drill-1' }).status, 'accepted');
    await turn();
    assert.deepEqual(bench.watcher.calls.slice(-1), ['kill tcpip']);
    assert.deepEqual(bench.reporter.answers, []);
    bench.watcher.kill = () => 'no process of tcpip is being watched now';
    bench.supervisor.command({ ...drill, id: 'drill-2' });
    await turn();
    assert.deepEqual(
      bench.reporter.answers.map(({ id, status }) => [id, status]),
      [['drill-2', 'failed']],
    );
  });

  it('has the record on disk before it runs a script', t => {
    const bench = new Bench(t, policy());
    bench.up();
    const run = bench.watcher.run.bind(bench.watcher);
    let onDisk = '';
    bench.watcher.run = (started, unlessAlive) => {
      onDisk = fs.readFileSync(`${bench.dir}/journal`, 'utf8');
      run(started, unlessAlive);
    };
    bench.sensor('down');
    assert.match(onDisk, /"type":"attempt"/);
  });

  it('watches together what begins together', t => {
    const bench = new Bench(t, policy([resource('a'), resource('b')]));
    const calls: string[][] = [];
    bench.watcher.watch = wanted => void calls.push(wanted.map(({ resource }) => resource));
    bench.supervisor.reconfigure(policy(['c', 'd', 'e'].map(id => resource(id))));
    assert.deepEqual(calls, [['c', 'd', 'e']]);
  });

  it('commits what comes at once with one write to the disk, and what was found about it with another', async t => {
    const bench = new Bench(t, policy(many(20)));
    bench.supervisor.dispatch(...reports(bench, 20, 'up'));
    await turn();
    bench.evidence.found = { kernel: ['eth0: Link is Down'], addresses: [], routes: [] };
    const syncs = t.mock.method(fs, 'fdatasyncSync');
    bench.supervisor.dispatch(...reports(bench, 20, 'down'));
    assert.equal(bench.types().filter(type => type === 'outage_begin').length, 20);
    assert.equal(bench.watcher.runs.length, 20);
    assert.equal(syncs.mock.callCount(), 1);
    while (!bench.types().includes('evidence')) await turn();
    assert.equal(bench.types().filter(type => type === 'evidence').length, 20);
    assert.equal(syncs.mock.callCount(), 2);
  });

  it('lets deaths go before the lines of a long log, which come in order and are all said at the end', async t => {
    const bench = new Bench(t, policy(many(300)));
    const died = () => bench.log.lines.filter(line => line.includes(' died')).map(line => line.split(' ')[1]);
    bench.supervisor.dispatch(...reports(bench, 300, 'up'));
    await turn();
    bench.supervisor.dispatch(...reports(bench, 300, 'down'));
    assert.equal(bench.watcher.runs.length, 300);
    assert.ok(died().length < 300, `${died().length} lines before the next turn`);
    while (died().length < 200) await turn();
    assert.deepEqual(
      died(),
      many(died().length).map(({ id }) => id),
    );
    bench.supervisor.stop('the test is over');
    assert.deepEqual(
      died(),
      many(300).map(({ id }) => id),
    );
    assert.match(bench.log.lines.at(-1) ?? '', /the test is over/);
  });

  it('says every record once, as a sentence, at its level', t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.sensor('down');
    assert.deepEqual(
      bench.log.lines.filter(line => line.includes('died')),
      [
        'warn tcpip died: no datagram passes over loopback (ENETUNREACH), while the network carries traffic: so it is the loopback interface alone',
      ],
    );
  });

  it('hears what has come before it turns, whoever turns it', async t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.sensor('down');
    const ended = { kind: 'exit', code: 1 } as const;
    const run = bench.watcher.runs[0]?.id ?? '';
    bench.supervisor.dispatch({
      kind: 'run_ended',
      run,
      atMs: bench.clock.instant.bootMs,
      result: ended,
      output: '',
    });
    bench.clock.advance(60_000);
    // As from a timer that was late; what the thread has seen comes by the poll after it.
    bench.supervisor.tick();
    bench.sensor('up');
    await turn();
    await turn();
    assert.equal(bench.watcher.runs.length, 1);
    assert.ok(bench.types().includes('outage_end'));
  });

  it('works through inputs that come while it works, in their order', t => {
    const bench = new Bench(t, policy());
    bench.up();
    const run = bench.watcher.run.bind(bench.watcher);
    bench.watcher.run = (started, unlessAlive) => {
      run(started, unlessAlive);
      bench.supervisor.dispatch({
        kind: 'run_ended',
        run: started.id,
        atMs: bench.clock.instant.bootMs,
        result: { kind: 'not_started', error: 'ENOENT' },
        output: '',
      });
      assert.ok(!bench.types().includes('attempt_end'));
    };
    bench.sensor('down');
    assert.deepEqual(bench.types().slice(-3), ['outage_begin', 'attempt', 'attempt_end']);
  });

  it('answers a command that another one replaces, and none twice', async t => {
    const bench = new Bench(t, policy());
    bench.up();
    const restart = (id: string) =>
      bench.supervisor.command({
        ...press,
        id,
        action: 'restart',
        target: 'tcpip',
        origin: 'control',
        press: false,
      });
    const returned = [restart('first').status];
    await turn();
    bench.sensor('down');
    const run = bench.watcher.runs[0]?.id ?? '';
    const result = { kind: 'exit', code: 1 } as const;
    bench.supervisor.dispatch({
      kind: 'run_ended',
      run,
      atMs: bench.clock.instant.bootMs,
      result,
      output: '',
    });
    returned.push(restart('second').status);
    await turn();
    assert.deepEqual(returned, ['accepted', 'accepted']);
    assert.deepEqual(
      bench.reporter.answers.map(({ id, status }) => [id, status]),
      [['first', 'failed']],
    );
  });

  it('answers a press before it acts, and reboots with the intent as the last line on disk', async t => {
    const bench = new Bench(t, policy());
    bench.up();
    const answer = bench.supervisor.command(press);
    assert.equal(answer.status, 'accepted');
    assert.deepEqual(bench.reboots, []);
    await turn();
    assert.equal(bench.reboots.length, 1);
    assert.match(bench.reboots[0] ?? '', /"type":"reboot_intent"/);
    assert.equal(bench.supervisor.command({ ...press, id: 'press-2' }).code, 'rate_limited');
  });

  it('tells when the reboot command fails', async t => {
    const bench = new Bench(t, policy());
    bench.rebootError = 'systemctl: not found';
    bench.up();
    bench.supervisor.command(press);
    await turn();
    await turn();
    assert.equal(bench.types().at(-1), 'reboot_failed');
    // Not the last word: the harder way is taken when its time has come.
    const last = bench.journal.entries.at(-1);
    assert.equal(last?.type === 'reboot_failed' && last.final, false);
    assert.deepEqual(bench.reporter.answers, []);
  });

  it('with a journal that cannot be written restarts all the same, and reboots for nobody', async t => {
    const bench = new Bench(t, policy());
    bench.up();
    const failing = t.mock.method(fs, 'writeSync', () => {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    });
    bench.sensor('down');
    assert.equal(bench.watcher.runs.length, 1);
    const answer = bench.supervisor.command(press);
    assert.equal(answer.code, 'journal_failed');
    await turn();
    assert.deepEqual(bench.reboots, []);
    assert.equal(bench.log.lines.filter(line => line.startsWith('error The journal')).length, 1);
    failing.mock.restore();
    bench.up();
    assert.ok(bench.log.lines.includes('info the journal can be written again'));
    assert.match(fs.readFileSync(`${bench.dir}/journal`, 'utf8'), /outage_begin/);
  });

  it('remembers what the broker has across a restart', t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.supervisor.acknowledge(2);
    bench.supervisor.acknowledge(1);
    assert.equal(bench.supervisor.acknowledgedSeq(), 2);
    assert.deepEqual(
      bench.supervisor.entriesAfter(2).map(entry => entry.type),
      ['published'],
    );
  });

  it('takes up a new policy without a gap for what has not changed', t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.supervisor.reconfigure(
      policy([resource('tcpip'), resource('dns', { sensors: [sensor('process dnsmasq')] })]),
    );
    assert.deepEqual(bench.watcher.calls, ['watch tcpip stack+link', 'watch dns process']);
    assert.deepEqual(Object.keys(bench.supervisor.snapshot().resources), ['tcpip', 'dns']);
  });

  it('records a clean stop and hears nothing afterwards', t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.supervisor.stop('SIGTERM');
    bench.sensor('down');
    assert.equal(bench.types().at(-1), 'stop');
    assert.equal(bench.watcher.calls.at(-1), 'close');
  });
});

describe('evidence', () => {
  it('is looked for after everything else has been done and told, then recorded', async t => {
    const bench = new Bench(t, policy());
    bench.sensor('up', 0);
    const { commit } = bench.journal;
    let seen: string[] | null = null;
    t.mock.method(bench.journal, 'commit', () => {
      seen ??= [...bench.evidence.calls];
      return commit.call(bench.journal);
    });
    bench.sensor('up', 1);
    assert.deepEqual(seen, ['alive tcpip'], 'before the disk, which may take its time');
    await turn();
    bench.evidence.found = { kernel: ['tap0: Link is Down'], addresses: [], routes: [] };
    bench.sensor('down');
    assert.equal(bench.watcher.runs.length, 1);
    assert.deepEqual(bench.evidence.calls, ['alive tcpip'], 'the living at once, the dead later');
    await turn();
    await turn();
    assert.deepEqual(bench.evidence.calls, ['alive tcpip', 'before tcpip']);
    assert.equal(bench.types().at(-1), 'evidence');
  });

  it('that cannot be had changes nothing', async t => {
    const bench = new Bench(t, policy());
    t.mock.method(bench.evidence, 'collect', async () => {
      throw new Error('EIO');
    });
    bench.up();
    await turn();
    await turn();
    assert.ok(bench.log.lines.includes('debug the evidence could not be collected'));
    bench.sensor('down');
    assert.equal(bench.types().at(-1), 'attempt');
  });

  it('gives a script the last lines of the journal where its step asks for them, for the reflex as of arming', t => {
    const bench = new Bench(t, policy([resource('tcpip', { steps: [step('again', { journalLines: 3 })] })]));
    bench.up();
    const lines = bench.watcher.armed.get('tcpip')?.env.SOCKMON_JOURNAL?.split('\n') ?? [];
    assert.equal((JSON.parse(lines[0] ?? '') as { type: string }).type, 'start');
    bench.sensor('down');
    const told = bench.watcher.runs[0]?.env.SOCKMON_JOURNAL?.split('\n') ?? [];
    const types = told.map(line => (JSON.parse(line) as { type: string }).type);
    assert.deepEqual(types.slice(-2), ['outage_begin', 'attempt']);
    assert.equal(types.length, 3);
  });

  it('records an alarm and does nothing afterwards', t => {
    const bench = new Bench(t, policy());
    bench.up();
    bench.supervisor.alarm('monitor_hangs', 'the monitor thread is silent');
    bench.supervisor.alarm('monitor_ended', 'it has ended');
    bench.sensor('down');
    assert.equal(bench.types().at(-1), 'alarm');
    assert.equal(bench.types().filter(type => type === 'alarm').length, 1);
    assert.ok(bench.log.lines.includes('error nothing is watched any more: the monitor thread is silent'));
    assert.ok(!bench.watcher.calls.includes('close'), 'a thread that hangs would be waited for');
  });
});

describe('the journal for a script', () => {
  const purpose = { resource: 'x', outage: 'x', attempt: 1, step: 'x', script: '/x', by: 'ladder' } as const;
  const run: Run = {
    id: 'x',
    argv: ['/x'],
    env: {},
    journalLines: 100,
    purpose,
    timeoutMs: 0,
    graceMs: 0,
  };
  const entry = (seq: number, reason: string): JournalEntry => ({
    seq,
    bootId: 'b',
    bootMs: 0,
    wallMs: 0,
    synced: true,
    type: 'stop',
    reason,
  });

  it('is cut to what an environment holds, the oldest lines first', () => {
    const entries = Array.from({ length: 100 }, (_, seq) => entry(seq, 'ü'.repeat(100)));
    const text = withJournal(run, entries).env.SOCKMON_JOURNAL ?? '';
    assert.ok(Buffer.byteLength(text) <= 8192 && Buffer.byteLength(text) > 7500);
    assert.equal((JSON.parse(text.split('\n').at(-1) ?? '') as { seq: number }).seq, 99);
    assert.equal(withJournal(run, [entry(1, 'x'.repeat(9000))]).env.SOCKMON_JOURNAL, '');
  });

  it('is not given where nobody asks', () => {
    assert.ok(!('SOCKMON_JOURNAL' in withJournal({ ...run, journalLines: 0 }, [entry(1, 'x')]).env));
  });
});

describe('a restart of sockmon in the middle of a script', () => {
  /** A second supervisor on the same journal, which finds these scripts alive. */
  function next(t: TestContext, bench: Bench, living: readonly EarlierRun[], of: Policy = policy()) {
    const watcher = new FakeWatcher();
    watcher.living = living;
    const { clock, journal, reporter, evidence, log } = bench;
    const reboot = { reboot: async () => null };
    const supervisor = new Supervisor({
      node: 'gw',
      version: '0',
      policy: of,
      clock,
      journal,
      reboot,
      reporter,
      evidence,
      log,
    });
    t.after(() => supervisor.stop('test'));
    supervisor.start(watcher);
    return { watcher, supervisor };
  }

  function inTheMiddle(t: TestContext): { bench: Bench; run: EarlierRun } {
    const bench = new Bench(t, policy());
    bench.up();
    bench.sensor('down');
    const { id, purpose, timeoutMs, graceMs } = bench.watcher.runs[0] as Run;
    const { bootMs: startedMs } = bench.clock.instant;
    const process = { pid: 4711, startTicks: 360_000 };
    bench.supervisor.dispatch({ kind: 'run_started', run: id, atMs: startedMs, ...process });
    const run = { ...purpose, run: id, ...process, startedMs, deadlineMs: startedMs + timeoutMs, graceMs };
    return { bench, run };
  }

  it('in order: the journal and the log say what becomes of it, and the next one asks for it', t => {
    const { bench, run } = inTheMiddle(t);
    bench.supervisor.stop('SIGTERM');
    const stop = bench.journal.entries.at(-1);
    assert.ok(stop?.type === 'stop');
    assert.deepEqual(stop.running, [{ resource: 'tcpip', attempt: 1, run: run.run }]);
    assert.match(
      bench.log.lines.at(-1) ?? '',
      /^info sockmon stops: SIGTERM; the restart script of tcpip \(attempt 1\)/,
    );
    const { watcher, supervisor } = next(t, bench, [run]);
    assert.deepEqual(watcher.recorded, [run]);
    assert.deepEqual(watcher.runs, []);
    assert.equal(supervisor.snapshot().resources.tcpip?.state, 'restarting');
    supervisor.dispatch({
      kind: 'run_ended',
      run: run.run,
      atMs: bench.clock.instant.bootMs,
      result: { kind: 'exit', code: 0 },
      output: '',
    });
    assert.equal(bench.types().filter(type => type === 'attempt_end').length, 1);
  });

  it('of what is not watched any more: the log says that nobody ends it', t => {
    const { bench, run } = inTheMiddle(t);
    bench.supervisor.stop('SIGTERM');
    next(t, bench, [run], policy([resource('dns')]));
    const warning = bench.log.lines.find(line => line.startsWith('warn tcpip is not watched any more'));
    assert.match(warning ?? '', /attempt 1, started by an earlier sockmon \(pid 4711\), goes on/);
  });
});
