/** The wall clock jumps by years, as it does on a gateway without a battery when NTP gets through: durations and order stay true. */
import assert from 'node:assert/strict';
import { copyFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { eventsOf, scenario } from '../e2e/scenario.js';
import type { Lab } from '../lab/lab.js';
import { bootTimeMs, repository } from '../lab/paths.js';
import { run } from '../lab/proc.js';

const yearS = 365.25 * 86_400;
const toleranceMs = 1000;

/** A wall clock of the daemon's own, which can be set. */
async function ownClock(lab: Lab): Promise<{ env: Record<string, string>; setAhead(seconds: number): void }> {
  const library = `${lab.directory}/step_clock.so`;
  await run(['cc', '-O2', '-shared', '-fPIC', '-o', library, `${repository}test/chaos/step_clock.c`, '-ldl']);
  const file = `${lab.directory}/ahead`;
  const setAhead = (seconds: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(Math.round(seconds)));
    // In place: it is mapped.
    writeFileSync(file, bytes, { flag: 'a' });
    writeFileSync(file, bytes, { flag: 'r+' });
  };
  setAhead(0);
  return { env: { LD_PRELOAD: library, STEP_CLOCK_FILE: file }, setAhead };
}

/**
 * Where a pidfile belongs, as in /run. A file that is older than its process is taken for stale, and on a disk a step of the clock makes
 * it so; a tmpfs was made after the boot, which tells the two apart.
 */
function movePidfileToTmpfs(lab: Lab): void {
  const file = `/dev/shm/${basename(lab.directory)}.pid`;
  copyFileSync(lab.stack.pidfile, file);
  rmSync(lab.stack.pidfile);
  symlinkSync(file, lab.stack.pidfile);
  lab.onClose(async () => rmSync(file));
}

scenario('clock stepped by years, forth and back, also in the middle of an outage', async lab => {
  const clock = await ownClock(lab);
  movePidfileToTmpfs(lab);
  const broker = await lab.startBroker();
  const recorder = await lab.record(broker.port);
  const gate = `${lab.directory}/gate`;
  const script = lab.restartScript({ first: `[ -e '${gate}' ] || exit 9` });
  const file = lab.writeConfig({
    resources: { tcpip: lab.resource(script, { attempts: 30 }) },
    mqtt: { url: lab.brokerUrl(broker) },
  });
  // The years before the first synchronisation.
  clock.setAhead(-20 * yearS);
  const daemon = lab.start(['run', '--config', file], clock.env);
  await daemon.watching();
  assert.ok(
    Math.abs((daemon.entries('start')[0]?.wallMs ?? 0) - Date.now() + 20 * yearS * 1000) < 60_000,
    'its clock is wrong',
  );

  const first = lab.killStack('SIGKILL');
  await daemon.entry('attempt_end', 2);
  clock.setAhead(0);
  writeFileSync(gate, '');
  const firstEnd = await daemon.entry('outage_end');
  // What is not acknowledged would be told again.
  await daemon.until('it to be acknowledged', () =>
    daemon.entries('published').some(({ upTo }) => upTo >= (firstEnd?.seq ?? 0)),
  );
  clock.setAhead(10 * yearS);
  const second = lab.killStack('SIGKILL');
  const secondEnd = await daemon.entry('outage_end', 2);
  clock.setAhead(0);

  for (const [kill, end] of [
    [first, firstEnd],
    [second, secondEnd],
  ] as const) {
    const begin = daemon.entries('outage_begin').find(({ outage }) => outage === end.outage);
    assert.ok(
      Math.abs((begin?.atMs ?? 0) - kill.bootMs) < toleranceMs,
      'the begin by the clock that nobody sets',
    );
    assert.ok(
      end.durationMs > 0 && end.durationMs <= bootTimeMs() - kill.bootMs,
      `lasted ${end.durationMs} ms`,
    );
    assert.ok(Math.abs(end.endedWallMs - end.beganWallMs - end.durationMs) < 2, 'begin and end by one clock');
  }
  assert.ok(
    Math.abs(firstEnd.beganWallMs - first.wallMs) < toleranceMs,
    'told by the clock that is right now',
  );
  await recorder.until('both recoveries', () => eventsOf(recorder, 'stack_recovered').length === 2);
  const told = recorder.events().map(({ seq }) => seq);
  assert.deepEqual(
    told,
    [...new Set(told)].sort((a, b) => a - b),
    'in order, each once',
  );
});
