/** The disk below the journal fails: recovery goes on, what must not be forgotten is refused. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { ask } from '../../src/control/client.js';
import type { JournalEntry } from '../../src/core/records.js';
import { parseJournal } from '../../src/journal/lines.js';
import { eventsOf, scenario } from '../e2e/scenario.js';
import type { Daemon } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { rebootBy, rebootStub } from '../lab/reboot.js';
import { until } from '../lab/wait.js';
import { areConsecutive, noSoonDeaths, timesInLog } from './chaos.js';
import { Disk, makeImage, noLoopDevice } from './disk.js';

const refused = /The journal .* cannot be written/;
const back = /tcpip is back after/;

function recoveries(daemon: Daemon): number {
  return timesInLog(daemon, back);
}

/** Kills the stack and waits until it is there again, by what the daemon says of it. */
async function killAndRecover(lab: Lab, daemon: Daemon): Promise<void> {
  await noSoonDeaths(daemon);
  const before = recoveries(daemon);
  lab.killStack('SIGKILL');
  await daemon.until('the stack to be back', () => recoveries(daemon) > before && lab.stack.pid() !== null);
}

function onDisk(daemon: Daemon): JournalEntry[] {
  return parseJournal(readFileSync(daemon.journalFile)).entries;
}

/** The last block of the journal has room for some lines more. */
async function killUntilRefused(lab: Lab, daemon: Daemon): Promise<number> {
  let kills = 0;
  while (!refused.test(daemon.log)) {
    await killAndRecover(lab, daemon);
    kills++;
  }
  return kills;
}

function askToReboot(lab: Lab) {
  return ask(lab.stateDir, { request: 'command', v: 1, action: 'reboot' }, 5000);
}

scenario(
  'disk full: restarts go on and are told, a commanded reboot is refused, the entries are written when there is room',
  async lab => {
    const disk = await Disk.tmpfs(lab, 256 * 1024);
    lab.stateDir = `${disk.path}/state`;
    const broker = await lab.startBroker();
    const recorder = await lab.record(broker.port);
    const stub = rebootStub(lab);
    const script = lab.restartScript();
    const daemon = lab.run({
      resources: { tcpip: lab.resource(script) },
      reboot: rebootBy(stub),
      mqtt: { url: lab.brokerUrl(broker) },
    });
    await daemon.watching();
    disk.fill();

    const kills = (await killUntilRefused(lab, daemon)) + 1;
    await killAndRecover(lab, daemon);
    // The log is written first.
    await daemon.entry('outage_end', kills);
    assert.equal(script.calls().length, kills, 'every death was answered');
    assert.ok(
      onDisk(daemon).filter(({ type }) => type === 'outage_end').length < kills,
      'the disk did refuse',
    );
    assert.equal(daemon.entries('outage_end').length, kills, 'sockmon history knows them all');
    await until(
      'the broker to know all the same',
      () => eventsOf(recorder, 'stack_recovered').length === kills,
      {
        context: () => lab.story(),
      },
    );

    const { answer } = await askToReboot(lab);
    assert.equal(answer.status, 'rejected');
    assert.equal(answer.code, 'journal_failed');
    assert.match(answer.detail, /the journal cannot be written/);

    // Killed with entries that no disk has: the next one finds them.
    daemon.kill('SIGKILL');
    await daemon.ended;
    const next = lab.start(['run', '--config', `${lab.directory}/sockmon.yaml`]);
    await next.watching();

    disk.makeRoom();
    await killAndRecover(lab, next);
    await next.entry('outage_end', kills + 1);
    assert.equal(next.entries('outage_begin').length, kills + 1);
    assert.ok(areConsecutive(onDisk(next)), next.story());
    await next.until('everything to be on the disk', () => isDeepStrictEqual(onDisk(next), next.journal()));
    assert.match(next.log, /the journal can be written again/);
    assert.equal(stub.calls().length, 0);
  },
);

for (const [uptime, seconds, reboots] of [
  ['less than a day', 0, 0],
  ['more than a day', 90_000, 1],
] as const) {
  scenario(`disk full, and only a reboot is left: ${reboots} after an uptime of ${uptime}`, async lab => {
    const disk = await Disk.tmpfs(lab, 256 * 1024);
    lab.stateDir = `${disk.path}/state`;
    const stub = rebootStub(lab);
    const hopeless = `${lab.directory}/hopeless`;
    const script = lab.restartScript({ first: `[ ! -e '${hopeless}' ] || exit 1` });
    const config = {
      resources: { tcpip: { ...lab.resource(script, { attempts: 1 }), reboot: true } },
      reboot: rebootBy(stub),
    };
    // time_namespaces(7): to what runs inside, the machine was started earlier.
    const daemon = lab.run(config, ['unshare', '--time', '--boottime', `${seconds}`]);
    await daemon.watching();
    disk.fill();
    await killUntilRefused(lab, daemon);
    writeFileSync(hopeless, '');
    lab.killStack('SIGKILL');

    await daemon.until('the attempts to be used up', () =>
      /rebooting|reboot/.test(daemon.log.split('did not come back')[1] ?? ''),
    );
    if (reboots > 0) await daemon.until('the reboot', () => stub.calls().length > 0);
    else await daemon.until('the refusal', () => /a reboot that nobody remembers/.test(daemon.log));
    assert.equal((await daemon.stop()).code, 0);
    assert.equal(stub.calls().length, reboots);
  });
}

scenario(
  'the disk turns read-only: restarts go on, a commanded reboot is refused, a new start watches all the same',
  async lab => {
    const image = `${lab.directory}/image`;
    await makeImage(image, 16 * 1024 * 1024);
    const disk = await Disk.ext4(lab, image);
    lab.stateDir = `${disk.path}/state`;
    const stub = rebootStub(lab);
    const script = lab.restartScript();
    const config = { resources: { tcpip: lab.resource(script) }, reboot: rebootBy(stub) };
    const daemon = lab.run(config);
    await daemon.watching();
    // What the kernel does itself at the first error of the medium.
    writeFileSync(`/sys/fs/ext4/${await disk.device()}/trigger_fs_error`, '1');

    await killAndRecover(lab, daemon);
    await killAndRecover(lab, daemon);
    await daemon.entry('outage_end', 2);
    assert.equal(script.calls().length, 2);
    assert.match(daemon.log, /The journal .* cannot be written: EROFS/);
    assert.equal(onDisk(daemon).filter(({ type }) => type === 'outage_begin').length, 0);
    assert.equal((await askToReboot(lab)).answer.code, 'journal_failed');
    assert.equal((await daemon.stop()).code, 0, 'it can still be stopped in order');

    const next = lab.run(config);
    await next.watching();
    await killAndRecover(lab, next);
    await next.entry('outage_end', 3);
    assert.equal(script.calls().length, 3);
    assert.equal(next.entries('outage_end').length, 3, 'what it has been through is still known');
    assert.equal((await askToReboot(lab)).answer.code, 'journal_failed');
    assert.equal(stub.calls().length, 0);
  },
  noLoopDevice,
);

scenario(
  'a read-only disk that has never had a state folder: it watches, restarts and says so',
  async lab => {
    const image = `${lab.directory}/image`;
    await makeImage(image, 16 * 1024 * 1024);
    const disk = await Disk.ext4(lab, image);
    writeFileSync(`/sys/fs/ext4/${await disk.device()}/trigger_fs_error`, '1');
    lab.stateDir = `${disk.path}/var/lib/sockmon`;
    const script = lab.restartScript();
    const daemon = lab.run({ resources: { tcpip: lab.resource(script) } });
    await daemon.watching();
    await killAndRecover(lab, daemon);
    await daemon.entry('outage_end', 1);
    assert.equal(script.calls().length, 1);
    assert.match(daemon.log, /The journal .* cannot be written: EROFS/);
    assert.equal((await daemon.stop()).code, 0);
  },
  noLoopDevice,
);
