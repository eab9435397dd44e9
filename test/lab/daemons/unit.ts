/** The same daemon watched and restarted by its unit alone: what the table watches is killed, and who brings it back is seen. */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../wait.js';
import type { Bringer, Daemon } from './daemon.js';
import { show } from './look.js';
import type { Machine } from './machine.js';
import { allUp, journal, lastSeq, news, startSockmon } from './watcher.js';

/** What is not back by then is told as brought back by nobody: the slowest that is took 7 s. */
const longestMs = 30_000;

/**
 * What systemd says of a main process is asked when that is seen, and takes 15 ms or, on a busy machine, much more. One that ends before the
 * answer is taken for a helper of the start; when systemd has the next one by then, nothing is told.
 */
const answeredMs = 2000;

export interface UnitSeen {
  readonly bringer: Bringer;
  readonly entries: readonly string[];
  /** systemd's main process before and after; 0: it knows none. */
  readonly mainPids: readonly [number, number];
}

/** @param pid What the table's line watches. */
export async function playUnit(machine: Machine, daemon: Daemon, pid: number | null): Promise<UnitSeen> {
  const { unit, name } = daemon;
  const written = `{unit: ${unit.replace(/\.service$/, '')}}`;
  const mainPid = async (): Promise<number> => Number(await show(machine, unit, 'MainPID'));
  // It has died before, and may have been started as often as its limit allows.
  await machine.sh(`systemctl reset-failed ${unit}`);
  await startSockmon(machine, [{ watch: written, restart: written }]);
  await pause(answeredMs);
  const before = await mainPid();
  const seq = lastSeq(machine);
  await machine.sh(`kill -KILL ${pid}`);
  const bringer = await bringerOf(machine, seq);
  if (bringer !== 'nobody') await allUp(machine, name);
  return { bringer, entries: news(machine, seq), mainPids: [before, await mainPid()] };
}

async function bringerOf(machine: Machine, seq: number): Promise<Bringer> {
  let bringer: Bringer = 'nobody';
  const isBack = (): boolean => {
    const later = journal(machine).filter(entry => entry.seq > seq);
    const isRecovered = later.some(entry => entry.type === 'outage_end' && entry.outcome === 'recovered');
    const isNoted = later.some(
      ({ type, ...entry }) =>
        type === 'notice' && 'detail' in entry && /restarted by systemd/.test(String(entry.detail)),
    );
    if (isRecovered) bringer = 'sockmon';
    else if (isNoted) bringer = 'systemd';
    return bringer !== 'nobody';
  };
  await until('somebody to bring it back', isBack, { pollMs: 50, deadlineMs: longestMs }).catch(() => {});
  return bringer;
}
