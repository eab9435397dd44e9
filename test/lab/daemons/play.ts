/** Plays the lines of one daemon: it is started and seen alive; what is routine is done to it; it is killed, seen dead, and brought back. */
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../wait.js';
import { type Claimed, playClaims } from './claims.js';
import type { Bringer, Daemon, Sight } from './daemon.js';
import { type Process, pidfilesOf, processesOf, show } from './look.js';
import type { Machine } from './machine.js';
import { playUnit, type UnitSeen } from './unit.js';
import {
  allUp,
  entriesOf,
  journal,
  lastSeq,
  news,
  sightOf,
  startSockmon,
  stopSockmon,
  watchedPids,
} from './watcher.js';

const script = '/run/restart';

/** That nothing is seen can only be seen by waiting. The slowest of what follows a reload here came after 1.2 s. */
const quietMs = 3000;

export interface Seen {
  readonly sight: Sight;
  /** Entries of the journal, in words. */
  readonly entries: readonly string[];
  /** The pid that is watched before and after. */
  readonly pids: readonly [number | null, number | null];
  /** What systemd takes for the main process afterwards. */
  readonly mainPid: number;
}

export interface Row {
  readonly daemon: Daemon;
  readonly version: string;
  readonly restartOfUnit: string;
  readonly processes: readonly Process[];
  readonly pidfiles: readonly string[];
  readonly watched: readonly (number | null)[];
  readonly mainPid: number;
  readonly reloads: readonly { readonly name: string; readonly expected: Sight; readonly seen: Seen }[];
  readonly death: {
    readonly entries: readonly string[];
    readonly backMs: number;
    readonly mainPid: number;
    readonly pid: number | null;
  };
  readonly byUnit: UnitSeen & { readonly expected: Bringer };
  readonly claims: readonly Claimed[];
  /** What differs from what the table says. */
  readonly faults: readonly string[];
}

export async function play(machine: Machine, daemon: Daemon): Promise<Row> {
  const { unit } = daemon;
  for (const [path, text] of Object.entries(daemon.files ?? {})) machine.write(path, text);
  try {
    await machine.sh('systemctl daemon-reload');
    if (daemon.before) await machine.sh(daemon.before);
    await machine.sh(`systemctl start ${unit}`);
    machine.write(script, `#!/bin/sh -e\n${daemon.restart ?? `systemctl restart ${unit}`}\n`);
    const lines = daemon.watch.map((watch, index) => ({
      watch,
      restart: index === 0 ? `{script: ${script}}` : null,
    }));
    await startSockmon(machine, lines);
    const lived = await watchItLive(machine, daemon);
    await stopSockmon(machine);
    const byUnit = await playUnit(machine, daemon, lived.death.pid);
    await stopSockmon(machine);
    const claims = await playClaims(machine, daemon);
    return judged(lived, byUnit, claims);
  } catch (error) {
    const log = await machine.try(
      `journalctl --no-pager --output=cat -n 15 -u ${unit} -u sockmon; systemctl status --no-pager -n 0 ${unit}`,
    );
    throw new Error(`${daemon.name}: ${(error as Error).message}\n${log}`);
  } finally {
    await stopSockmon(machine);
    await machine.try(`systemctl stop ${unit}`);
    if (daemon.after) await machine.try(daemon.after);
    for (const path of Object.keys(daemon.files ?? {})) await machine.try(`rm -f ${path}`);
    await machine.try('systemctl daemon-reload; systemctl reset-failed');
  }
}

type Lived = Omit<Row, 'byUnit' | 'claims'>;

/** What was seen by its unit, and of the claims, differs from the table as well. */
function judged(lived: Lived, seen: UnitSeen, claims: readonly Claimed[]): Row {
  const expected = lived.daemon.byUnit ?? (lived.restartOfUnit === 'no' ? 'sockmon' : 'systemd');
  const faults = [...lived.faults];
  if (seen.bringer !== expected)
    faults.push(`by its unit it is brought back by ${seen.bringer}, the table says ${expected}`);
  for (const { says, holds } of claims) if (!holds) faults.push(`not so: ${says}`);
  return { ...lived, byUnit: { ...seen, expected }, claims, faults };
}

async function watchItLive(machine: Machine, daemon: Daemon): Promise<Lived> {
  const { unit } = daemon;
  const count = daemon.watch.length;
  const faults: string[] = [];
  const processes = await processesOf(machine, unit);
  const pidfiles = await pidfilesOf(machine, processes);
  const watched = await watchedPids(machine, count);
  const mainPid = Number(await show(machine, unit, 'MainPID'));
  const comm = daemon.comm ?? daemon.name;
  for (const pid of watched) {
    const process = processes.find(each => each.pid === pid);
    if (process?.comm !== comm.slice(0, 15))
      faults.push(`pid ${pid} is watched: ${process?.comm ?? 'none of the unit'}`);
  }
  const reloads = [];
  for (const { name, command, sees } of daemon.reloads ?? []) {
    const seen = await reload(machine, daemon, command);
    reloads.push({ name, expected: sees, seen });
    if (seen.sight !== sees) faults.push(`${name}: ${seen.sight} is seen, the table says ${sees}`);
  }
  const death = await kill(machine, daemon);
  if (!death.entries.some(entry => entry.includes('SIGKILL')))
    faults.push('its death is not seen as SIGKILL');
  const version = await machine.try(
    `dpkg-query --show --showformat '\${Version}' ${daemon.package ?? 'none'}`,
  );
  const restartOfUnit = await show(machine, unit, 'Restart');
  return { daemon, version, restartOfUnit, processes, pidfiles, watched, mainPid, reloads, death, faults };
}

async function reload(machine: Machine, daemon: Daemon, command: string): Promise<Seen> {
  const [before = null] = await watchedPids(machine, 1);
  const seq = lastSeq(machine);
  await machine.sh(command, { MAIN: String(before), UNIT: daemon.unit });
  await pause(quietMs);
  await allUp(machine, daemon.name);
  const later = journal(machine).filter(entry => entry.seq > seq);
  const [after = null] = await watchedPids(machine, 1);
  const mainPid = Number(await show(machine, daemon.unit, 'MainPID'));
  return { sight: sightOf(later), entries: news(machine, seq), pids: [before, after], mainPid };
}

async function kill(machine: Machine, daemon: Daemon): Promise<Row['death']> {
  const [pid = null] = await watchedPids(machine, 1);
  const seq = lastSeq(machine);
  await machine.sh(`kill -KILL ${pid}`);
  const begun = () => journal(machine).filter(entry => entry.seq > seq && entry.type === 'outage_begin');
  await until(
    'the death of each line',
    () =>
      new Set(begun().map(entry => entry.type === 'outage_begin' && entry.resource)).size ===
      daemon.watch.length,
    { pollMs: 20, context: () => news(machine, seq).join('\n') },
  );
  await allUp(machine, daemon.name);
  await pause(quietMs);
  await allUp(machine, daemon.name);
  const [after = null] = await watchedPids(machine, 1);
  const ends = entriesOf(machine, 'outage_end').filter(
    entry => entry.seq > seq && entry.resource === 'line0',
  );
  return {
    entries: news(machine, seq),
    backMs: ends.at(-1)?.durationMs ?? Number.NaN,
    mainPid: Number(await show(machine, daemon.unit, 'MainPID')),
    pid: after,
  };
}
