/** Over the boot, with the real journal on disk, the real reporter and a real broker: who commanded a reboot hears that it has come. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { ReceivedCommand } from '../../src/core/ports.js';
import { Supervisor } from '../../src/daemon/supervisor.js';
import { openJournal } from '../../src/journal/file.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import { policy } from '../core/world.js';
import { eventually } from '../mqtt/eventually.js';
import { Listener } from '../mqtt/listener.js';
import { skipWithoutMosquitto, startMosquitto } from '../mqtt/mosquitto.js';
import { settingsFor } from '../mqtt/telling.js';
import { FakeClock, FakeEvidence, FakeLog, FakeWatcher } from './fakes.js';

const press: ReceivedCommand = {
  id: 'press-over-the-boot',
  action: 'reboot',
  origin: 'mqtt:press',
  press: true,
  retained: false,
  duplicate: false,
  sinceConnectMs: 60_000,
};

describe('a reboot by command', { skip: skipWithoutMosquitto }, () => {
  it('is answered accepted before it and done after it, once', async t => {
    const broker = await startMosquitto();
    t.after(() => broker.stop());
    const listener = await Listener.on(broker);
    t.after(() => listener.close());
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-over-the-boot-'));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const clock = new FakeClock();
    const log = new FakeLog();

    const sockmon = () => {
      const journal = openJournal(folder, clock, () => true);
      const reporter = new MqttReporter({ settings: settingsFor(broker.port), node: 'gw1', log });
      const supervisor = new Supervisor({
        node: 'gw1',
        version: '0',
        policy: policy(),
        clock,
        journal,
        reporter,
        evidence: new FakeEvidence(),
        log,
        reboot: { reboot: async () => null },
      });
      supervisor.start(new FakeWatcher());
      reporter.start(supervisor);
      let isOver = false;
      const end = async (): Promise<void> => {
        if (isOver) return;
        isOver = true;
        supervisor.stop('SIGTERM');
        await reporter.stop();
        journal.close();
      };
      t.after(end);
      const told = () => eventually('all is told', () => reporter.connection().pending === 0);
      return { supervisor, reporter, end, told };
    };
    const results = () =>
      listener
        .json<{ id: string; status: string; detail: string }>(`sockmon/gw1/result/${press.id}`)
        .map(({ status, detail }) => [status, detail]);

    const before = sockmon();
    await eventually('connected', () => before.reporter.connection().state === 'connected');
    const accepted = before.supervisor.command(press);
    before.reporter.answer(accepted);
    await eventually('accepted', () => results().length === 1);
    await before.told();
    await before.end();

    clock.advance(30_000);
    clock.instant = { ...clock.instant, bootId: 'b0000002-boot', bootMs: 12_000 };
    const after = sockmon();
    await eventually('done', () => results().length === 2);
    await after.told();
    assert.deepEqual(results(), [
      ['accepted', 'the machine reboots'],
      ['done', 'the machine has rebooted in 30.0 s'],
    ]);
    await after.end();

    const again = sockmon();
    await eventually('connected', () => again.reporter.connection().state === 'connected');
    await again.told();
    await listener.settle();
    assert.equal(results().length, 2, 'what the broker has acknowledged is not told again');
  });
});
