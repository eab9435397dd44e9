/** What the restart script itself stops is no death: the built program, a real script, a real other supervisor. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { StatusAnswer } from '../../src/control/protocol.js';
import { Daemon, nodeCommand } from '../lab/daemon.js';
import { isAlive, run, signalIfAlive, start } from '../lab/proc.js';
import { becomeRoot } from '../lab/root.js';
import { until } from '../lab/wait.js';

await becomeRoot();

/** A folder with a service that is there once at most, as a daemon with its port is; and sockmon, which watches it. */
class House {
  readonly folder = mkdtempSync(join(tmpdir(), 'sockmon-own-script-'));
  private readonly ended: (() => Promise<unknown>)[] = [];
  private daemon: Daemon | null = null;

  constructor(context: TestContext) {
    context.after(() => this.close());
    this.write('service', `exec 9>>'${this.folder}/port'; flock -n 9 || exit 98`, [
      `echo $$ >'${this.pidfile}.new'; mv '${this.pidfile}.new' '${this.pidfile}'`,
      'exec sleep 1000',
    ]);
  }

  get pidfile(): string {
    return join(this.folder, 'service.pid');
  }

  write(name: string, ...lines: (string | readonly string[])[]): string {
    const file = join(this.folder, name);
    writeFileSync(file, ['#!/bin/sh', ...lines.flat(), ''].join('\n'), { mode: 0o755 });
    return file;
  }

  /** A restart script; `stop` and `start` are lines that do so. */
  script(...lines: readonly string[]): void {
    this.write('restart', `cd '${this.folder}'; echo >>ran`, ...lines, 'echo >>done');
  }

  /** One that never ends by itself, and notes in `order` when it begins, and when it is asked to end. */
  hangingScript(begin: string): void {
    const signs = ['echo "begin $$" >>order', `trap 'sleep 0.2; echo "end $$" >>order; exit 1' TERM`];
    this.script(...signs, begin, 'sleep 600');
    this.ended.push(async () => {
      const [word, pid] = this.lines('order').at(-1)?.split(' ') ?? [];
      // It leads its session, so its group.
      if (word === 'begin') process.kill(-Number(pid), 'SIGKILL');
    });
  }

  readonly stop = 'kill "$(cat service.pid)" 2>/dev/null; flock port true';
  readonly begin = 'setsid ./service </dev/null >/dev/null 2>&1 &';

  /** Starts it again a tenth of a second after each of its ends. */
  async supervise(): Promise<void> {
    const file = this.write(
      'supervisor',
      `cd '${this.folder}'; while :; do ./service </dev/null >/dev/null 2>&1; sleep 0.1; done`,
    );
    const supervisor = start([file], { stdio: 'ignore' });
    this.ended.push(async () => {
      supervisor.child.kill('SIGKILL');
      await supervisor.ended;
    });
    await until('the service', () => this.pid() !== null);
  }

  async startService(): Promise<void> {
    const service = start([join(this.folder, 'service')], { stdio: 'ignore' });
    this.ended.push(() => service.ended);
    await until('the service', () => this.pid() !== null);
  }

  pid(): number | null {
    if (!existsSync(this.pidfile)) return null;
    const pid = Number(readFileSync(this.pidfile, 'utf8'));
    return pid > 1 && isAlive(pid) ? pid : null;
  }

  async watch(restart: Record<string, unknown>): Promise<Daemon> {
    const file = join(this.folder, 'sockmon.yaml');
    const stateDir = join(this.folder, 'state');
    const service = {
      watch: { process: { pidfile: this.pidfile, name: 'sleep' } },
      settle: '2s',
      restart: { script: join(this.folder, 'restart'), ...restart },
    };
    const reboot = { command: ['false'], force_command: ['false'] };
    const config = { node: 'gw', state_dir: stateDir, reboot, resources: { service } };
    writeFileSync(file, JSON.stringify(config));
    const daemon = new Daemon({
      enter: argv => [...argv],
      directory: this.folder,
      stateDir,
      arguments: ['run', '--config', file],
    });
    this.daemon = daemon;
    await daemon.watching('service');
    return daemon;
  }

  kill(): void {
    const pid = this.pid();
    assert.ok(pid !== null, 'the service lives');
    process.kill(pid, 'SIGKILL');
  }

  /** Nothing is verified any more, and nothing runs. */
  async settled(daemon: Daemon): Promise<void> {
    const all = [...nodeCommand, 'status', '--json', '--state-dir', join(this.folder, 'state')];
    await daemon.until(
      'everything to be over',
      async () => (JSON.parse(await run(all)) as StatusAnswer).snapshot.recovery === 'watching',
      { pollMs: 200, deadlineMs: 60_000 },
    );
  }

  count(name: 'ran' | 'done' | 'later'): number {
    return this.lines(name).length;
  }

  lines(name: string): string[] {
    const file = join(this.folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
  }

  private async close(): Promise<void> {
    if (this.daemon !== null) {
      this.daemon.kill('SIGKILL');
      await this.daemon.ended;
    }
    const pid = this.pid();
    for (const end of this.ended.reverse()) {
      // Who waits for it ends with it.
      const now = this.pid();
      if (now !== null) signalIfAlive(now, 'SIGKILL');
      await end();
    }
    const last = this.pid() ?? pid;
    if (last !== null) signalIfAlive(last, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

for (const isSupervised of [false, true]) {
  const beside = isSupervised ? 'beside a supervisor that is back within a tenth of a second' : 'alone';
  test(`a script of 3 s that stops and starts its service, every: 1s, ${beside}`, async context => {
    const house = new House(context);
    house.script('sleep 1.5', house.stop, 'sleep 1.3', house.begin);
    await (isSupervised ? house.supervise() : house.startService());
    const daemon = await house.watch({ every: '1s', timeout: '20s' });
    for (let death = 1; death <= 2; death++) {
      house.kill();
      await daemon.entry('outage_end', isSupervised ? 2 * death : death);
      await daemon.until('the end of the script', () => house.count('done') === death);
      await house.settled(daemon);
      assert.equal(daemon.entries('outage_begin').length, death);
      assert.equal(daemon.entries('attempt').length, death);
      assert.equal(house.count('ran'), death, 'runs of the script');
    }
    const reopened = daemon.entries('outage_reopened');
    assert.deepEqual(
      reopened.map(({ run: id, inDoubt }) => [id, inDoubt]),
      isSupervised ? daemon.entries('attempt').map(attempt => [attempt.run, undefined]) : [],
    );
    if (isSupervised) assert.match(daemon.log, /service was stopped by our own restart .* after it was back/);
  });
}

test('a script that leaves a restart of its service in the background', async context => {
  const house = new House(context);
  const later = `sleep 0.7; ${house.stop}; sleep 0.3; ${house.begin}`;
  house.script(house.begin, `nohup sh -c '${later} echo >>later' </dev/null >/dev/null 2>&1 &`);
  await house.startService();
  const daemon = await house.watch({ every: '3s', timeout: '20s' });
  house.kill();
  await daemon.until('its work in the background', () => house.count('later') === 1);
  await daemon.entry('outage_end', 2);
  await house.settled(daemon);
  assert.equal(daemon.entries('outage_begin').length, 1);
  assert.equal(house.count('ran'), 1);
  const [reopened] = daemon.entries('outage_reopened');
  assert.equal(reopened?.inDoubt, true, 'the script was over: it may have been anybody');
  assert.match(daemon.log, /service died again .* after it was back, soon after our own restart/);

  // It is not forgotten how to answer a death.
  house.kill();
  await daemon.entry('outage_begin', 2);
  await daemon.until('the second run', () => house.count('later') === 2);
  assert.equal(house.count('ran'), 2);
});

for (const isService of [false, true]) {
  const who = isService ? 'whose child is the service' : 'that has let go of the service';
  test(`a script ${who} and hangs is ended before the next one is run`, async context => {
    const house = new House(context);
    house.hangingScript(isService ? house.begin : `(${house.begin})`);
    await house.startService();
    const daemon = await house.watch({ every: '1s', timeout: '2s' });
    for (let death = 1; death <= 3; death++) {
      house.kill();
      await daemon.entry('outage_end', death);
      // Beside what lives it is let go, however long it takes: it may be what keeps that alive.
      await house.settled(daemon);
      assert.equal(house.count('ran'), death, 'runs of the script');
      assert.equal(daemon.entries('attempt_end').length, death - 1);
    }
    const order = house.lines('order').map(line => line.split(' '));
    assert.deepEqual(
      order.map(([word]) => word),
      ['begin', 'end', 'begin', 'end', 'begin'],
    );
    for (const at of [0, 2]) assert.equal(order[at]?.[1], order[at + 1]?.[1], 'the one before, and no other');
    assert.equal(daemon.entries('outage_begin').length, 3);
  });
}
