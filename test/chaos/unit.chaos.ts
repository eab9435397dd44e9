/** The sensor and the step for units, under a systemd that is really PID 1, with the unit as it is shipped; on both kinds of control groups. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { JournalEntry, RecordOf } from '../../src/core/records.js';
import { causeWords } from '../../src/core/words.js';
import { until } from '../lab/wait.js';
import { Box, noBox } from './box.js';

const obstacle = noBox();
if (obstacle !== false && process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(obstacle);

const unit = (lines: string): string => `[Service]\n${lines}\n`;

const files = {
  'etc/sockmon/sockmon.yaml': `node: box
# Settled at once, since each story stands for itself: a death soon after a recovery would belong to the same outage.
resources:
  plain:
    settle: 0s
    watch: {unit: plain}
    restart: {unit: plain.service}
  again:
    settle: 0s
    watch: {unit: again.service}
    restart: {unit: again}
  base:
    watch: {unit: base}
  limit:
    settle: 0s
    watch: {unit: limit}
    restart: {unit: limit, every: 1s}
    needs: [base]
  forking:
    settle: 0s
    watch: {unit: {name: forking, manager: system}}
    restart: {unit: forking}
`,
  // Ends orderly by SIGTERM, and takes SIGHUP for a reload.
  'etc/plain': `#!/usr/bin/python3
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
signal.signal(signal.SIGHUP, lambda *_: None)
while True:
    signal.pause()
`,
  'etc/systemd/system/plain.service': unit('ExecStart=/etc/plain\nExecReload=/bin/kill -HUP $MAINPID'),
  'etc/systemd/system/again.service': unit(
    'ExecStart=/usr/bin/sleep infinity\nRestart=on-failure\nRestartSec=300ms',
  ),
  'etc/systemd/system/base.service': unit(
    'ExecStart=/usr/bin/sleep infinity\nExecStartPost=/usr/bin/touch /run/base\nExecStopPost=/usr/bin/rm -f /run/base',
  ),
  'etc/systemd/system/limit.service': `[Unit]
After=base.service
StartLimitIntervalSec=1min
StartLimitBurst=3
[Service]
ExecStart=/bin/sh -c 'test -e /run/base && exec sleep infinity; exit 7'
Restart=always
RestartSec=50ms
`,
  // As many daemons of Debian: a check before the start, and a pid that only its file tells.
  'etc/systemd/system/forking.service': unit(
    "Type=forking\nPIDFile=/run/forking.pid\nExecStartPre=/usr/bin/sleep 0.3\nExecStart=/bin/sh -c 'sleep infinity & echo $! >/run/forking.pid'",
  ),
  // Somebody's own systemd and his own sockmon: the sandbox of the shipped unit hides /run/user.
  'etc/sockmon/user.yaml': `node: mine
resources:
  mine:
    settle: 0s
    watch: {unit: {name: mine, manager: user}}
    restart: {unit: {name: mine, manager: user}}
`,
  'etc/systemd/user/mine.service': unit('ExecStart=/usr/bin/sleep infinity'),
  'etc/systemd/system/mine-sockmon.service': unit(
    'ExecStart=/usr/bin/node /usr/lib/sockmon/dist/src/arm.cjs run --config /etc/sockmon/user.yaml\nStateDirectory=mine-sockmon\nEnvironment=SOCKMON_TEST_NO_REBOOT=1',
  ),
  // What PAM and logind do elsewhere.
  'etc/systemd/system/user@0.service.d/test.conf': unit(
    'PAMName=\nRuntimeDirectory=user/0\nEnvironment=XDG_RUNTIME_DIR=/run/user/0',
  ),
  'etc/systemd/system/sockmon.service.d/test.conf': `[Unit]
After=plain.service again.service base.service limit.service forking.service
[Service]
Environment=SOCKMON_TEST_NO_REBOOT=1
`,
};

/** What the journal of the box has got since the last look. */
class Story {
  private seq = 0;
  constructor(
    private readonly box: Box,
    private readonly resource: string,
    private readonly stateDir = 'var/lib/sockmon',
  ) {
    this.forget();
  }

  private all(): JournalEntry[] {
    return this.box
      .journal(this.stateDir)
      .filter(entry => 'resource' in entry && entry.resource === this.resource);
  }

  forget(): void {
    this.seq = this.box.journal(this.stateDir).at(-1)?.seq ?? 0;
  }

  of<T extends JournalEntry['type']>(type: T): (JournalEntry & RecordOf<T>)[] {
    return this.all().filter(
      (entry): entry is JournalEntry & RecordOf<T> => entry.seq > this.seq && entry.type === type,
    );
  }

  next<T extends JournalEntry['type']>(type: T, what = ''): Promise<JournalEntry & RecordOf<T>> {
    const matches = (entry: JournalEntry) => what === '' || ('what' in entry && entry.what === what);
    return until(`${this.resource}: ${type} ${what}`, () => this.of(type).find(matches), {
      context: () => JSON.stringify(this.all().slice(-10), null, 1),
    });
  }
}

for (const cgroup of [1, 2] as const) {
  describe(`a unit under a real systemd, control groups v${cgroup}`, { skip: obstacle }, () => {
    const box = new Box(files, cgroup);
    const main = (name: string): Promise<string> => box.show(name, 'MainPID');
    const systemctl = (...args: readonly string[]): Promise<string> => box.run('systemctl', ...args);
    const status = (): Promise<string> => box.show('sockmon', 'StatusText');
    const allUp = () => until('everything to be up', async () => (await status()) === '5 resources are up');

    before(async () => {
      for (const name of ['plain', 'again', 'base', 'limit', 'forking']) box.enable(name);
      await box.boot();
      await allUp();
    });
    after(() => box.close());

    it('killed, and nobody else restarts it: the reflex does, by the step for units', async () => {
      const story = new Story(box, 'plain');
      await box.run('kill', '-KILL', await main('plain'));
      const end = await story.next('outage_end');
      assert.equal(end.outcome, 'recovered');
      assert.equal(causeWords(end.cause), 'killed by SIGKILL');
      const [attempt] = story.of('attempt');
      assert.equal(attempt?.by, 'reflex');
      assert.match(attempt?.script ?? '', /\/restart-unit plain\.service$/);
      assert.deepEqual(story.of('attempt').length, 1);
      await allUp();
    });

    it('ended orderly, but by nobody who spoke to systemd: a death as well', async () => {
      const story = new Story(box, 'plain');
      await box.run('kill', '-TERM', await main('plain'));
      const end = await story.next('outage_end');
      assert.deepEqual(
        [end.outcome, end.attempts, causeWords(end.cause)],
        ['recovered', 1, 'exited with status 0'],
      );
      await allUp();
    });

    it('restarted by systemd itself: a note, and no run of ours', async () => {
      const story = new Story(box, 'again');
      await box.run('kill', '-SEGV', await main('again'));
      const { detail } = await story.next('notice');
      assert.match(detail, /^it was restarted by systemd within \d+ ms: killed by SIGSEGV$/);
      await allUp();
      assert.deepEqual([story.of('outage_begin'), story.of('attempt')], [[], []]);
      assert.equal(await box.show('again', 'NRestarts'), '1');
    });

    it('restarted by a person: a note', async () => {
      const story = new Story(box, 'plain');
      await systemctl('restart', 'plain');
      const { detail, what } = await story.next('notice');
      assert.deepEqual(
        [what, detail.replace(/\d+ ms/, 'N ms')],
        ['replaced', 'it was restarted by an order to systemd within N ms: exited with status 0'],
      );
      assert.deepEqual(story.of('outage_begin'), []);
      await allUp();
    });

    it('a reload, and a systemd that executes itself anew: nothing', async () => {
      const story = new Story(box, 'plain');
      await systemctl('reload', 'plain');
      await systemctl('daemon-reexec');
      await systemctl('daemon-reload');
      // What would have been told by now would stand before this.
      await box.run('kill', '-KILL', await main('plain'));
      await story.next('outage_end');
      assert.equal(story.of('outage_begin').length, 1);
      assert.deepEqual(story.of('notice'), []);
      await allUp();
    });

    it('stopped on purpose: told, and left alone, also by the next sockmon', async () => {
      const story = new Story(box, 'plain');
      await systemctl('stop', 'plain');
      const { detail } = await story.next('notice', 'stopped');
      assert.equal(
        detail,
        'it was stopped by an order to systemd; it is left alone until it is started again',
      );
      await systemctl('restart', 'sockmon');
      await until('the next sockmon', async () => /^4 of 5|4 resources|plain/.test(await status()));
      assert.equal(await box.show('plain', 'ActiveState'), 'inactive');
      await systemctl('start', 'plain');
      await story.next('seen');
      assert.deepEqual([story.of('outage_begin'), story.of('attempt')], [[], []]);
      await allUp();
    });

    it('given up by systemd: told within a second as that, and restarted when what it needs is back', async () => {
      const story = new Story(box, 'limit');
      const base = new Story(box, 'base');
      await box.run('kill', '-KILL', await main('base'));
      await base.next('outage_begin');
      await until(
        'base to be cleared away',
        async () => (await box.show('base', 'ActiveState')) === 'failed',
      );
      await box.run('kill', '-KILL', await main('limit'));
      await until('systemd to give up', async () => (await box.show('limit', 'ActiveState')) === 'failed');
      const givenUpMs = Date.now();
      const begin = await story.next('outage_begin');
      assert.ok(Date.now() - givenUpMs < 1000, `${Date.now() - givenUpMs} ms`);
      assert.equal(
        causeWords(begin.cause),
        'systemd has given it up: more than 3 starts within 1 min; it exited with status 7',
      );
      assert.equal(begin.root, base.of('outage_begin')[0]?.outage, 'a part of the story of its need');
      assert.deepEqual(story.of('attempt'), []);
      await systemctl('start', 'base');
      const end = await story.next('outage_end');
      assert.deepEqual([end.outcome, end.attempts], ['recovered', 1]);
      await allUp();
    });

    it("a user's own unit", async () => {
      const story = new Story(box, 'mine', 'var/lib/mine-sockmon');
      const ofUser = (...args: readonly string[]): Promise<string> =>
        box.run('env', 'XDG_RUNTIME_DIR=/run/user/0', 'systemctl', '--user', ...args);
      await systemctl('start', 'user@0');
      await ofUser('start', 'mine');
      await systemctl('start', 'mine-sockmon');
      await story.next('seen');
      // The first one may come before sockmon has heard of the settings: whose end it is, nobody knows then.
      const note = await until(
        'a note of a restart',
        async () => {
          await ofUser('restart', 'mine');
          return story.of('notice')[0];
        },
        { pollMs: 500 },
      );
      assert.match(note.detail, /^it was restarted by an order to systemd/);
      await ofUser('kill', '--signal=KILL', 'mine');
      assert.deepEqual((await story.next('outage_end')).attempts, 1);
      await ofUser('stop', 'mine');
      await story.next('notice', 'stopped');
      assert.deepEqual(story.of('outage_begin').length, 1);
    });

    it('a daemon that forks: its own pid counts, not those of its start', async () => {
      const story = new Story(box, 'forking');
      await box.run('kill', '-KILL', await main('forking'));
      const end = await story.next('outage_end');
      assert.deepEqual([end.attempts, causeWords(end.cause)], [1, 'killed by SIGKILL']);
      assert.ok(end.durationMs > 300, 'it is back once its start is over');
      const pid = await main('forking');
      await allUp();
      assert.deepEqual(story.of('notice'), []);
      assert.match(
        await box.run(
          'node',
          '/usr/lib/sockmon/dist/src/arm.cjs',
          'status',
          '--state-dir',
          '/var/lib/sockmon',
        ),
        new RegExp(`pid ${pid}`),
      );
    });
  });
}
