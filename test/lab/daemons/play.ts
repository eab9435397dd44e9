/** Plays the lines of one daemon: it is started and seen alive; what is routine is done to it; it is killed, seen dead, and brought back. */
import { setTimeout as pause } from 'node:timers/promises';
import type { StatusAnswer } from '../../../src/control/protocol.js';
import type { JournalEntry } from '../../../src/core/model.js';
import { readJournal } from '../../../src/journal.js';
import { nodeCommand } from '../daemon.js';
import { until } from '../wait.js';
import { type Daemon, type Sight, unitFile } from './daemon.js';
import { type Process, pidfilesOf, processesOf, show } from './look.js';
import type { Machine } from './machine.js';

/** That nothing is seen can only be seen by waiting. The slowest of what follows a reload here came after 1.2 s. */
const quietMs = 3000;

const stateDir = '/run/lab/state';
const sockmon = '/usr/lib/sockmon/dist/src/arm.cjs';
const node = ['/usr/bin/env', ...nodeCommand.slice(0, -1), sockmon].join(' ');

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
    await startSockmon(machine, daemon);
    return await watchItLive(machine, daemon);
  } catch (error) {
    const log = await machine.try(
      `journalctl --no-pager --output=cat -n 15 -u ${unit} -u sockmon; systemctl status --no-pager -n 0 ${unit}`,
    );
    throw new Error(`${daemon.name}: ${(error as Error).message}\n${log}`);
  } finally {
    await machine.try(`systemctl stop sockmon; rm -rf /run/lab; systemctl stop ${unit}`);
    if (daemon.after) await machine.try(daemon.after);
    for (const path of Object.keys(daemon.files ?? {})) await machine.try(`rm -f ${path}`);
    await machine.try('systemctl daemon-reload; systemctl reset-failed');
  }
}

async function startSockmon(machine: Machine, daemon: Daemon): Promise<void> {
  machine.write(
    '/run/lab/restart',
    `#!/bin/sh -e\n${daemon.restart ?? `systemctl restart ${daemon.unit}`}\n`,
  );
  const resources = daemon.watch.map((watch, index) => {
    const restart = index === 0 ? '\n    restart: {script: /run/lab/restart}' : '';
    return `  line${index}:\n    watch: ${watch}\n    settle: 2s${restart}`;
  });
  machine.write(
    '/run/lab/sockmon.yaml',
    `node: lab\nstate_dir: ${stateDir}\nresources:\n${resources.join('\n')}\n`,
  );
  machine.write(
    '/etc/systemd/system/sockmon.service',
    unitFile(
      `Environment=SOCKMON_TEST_NO_REBOOT=1\nKillMode=process\nExecStart=${node} run --config /run/lab/sockmon.yaml`,
    ),
  );
  await machine.sh('systemctl daemon-reload; systemctl start sockmon');
}

async function watchItLive(machine: Machine, daemon: Daemon): Promise<Row> {
  const { unit } = daemon;
  const count = daemon.watch.length;
  const faults: string[] = [];
  await until(
    'every line to be seen alive',
    () => new Set(entriesOf(machine, 'seen').map(({ resource }) => resource)).size === count,
    { pollMs: 100 },
  );
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
  await allUp(machine, daemon);
  const later = journal(machine).filter(entry => entry.seq > seq);
  const [after = null] = await watchedPids(machine, 1);
  const mainPid = Number(await show(machine, daemon.unit, 'MainPID'));
  return { sight: sightOf(later), entries: news(machine, seq), pids: [before, after], mainPid };
}

function sightOf(later: readonly JournalEntry[]): Sight {
  if (later.some(({ type }) => type === 'outage_begin')) return 'outage';
  return later.some(entry => entry.type === 'notice' && entry.what === 'replaced') ? 'replaced' : 'nothing';
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
  await allUp(machine, daemon);
  await pause(quietMs);
  await allUp(machine, daemon);
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

/** Until each line is up, and verified: what dies before that counts to the outage of before. */
async function allUp(machine: Machine, daemon: Daemon): Promise<void> {
  const isUp = async (): Promise<boolean> => {
    return (await status(machine)).snapshot.recovery === 'watching';
  };
  await until(`${daemon.name} to be back`, isUp, {
    pollMs: 500,
    deadlineMs: 120_000,
    context: () => news(machine, 0).join('\n'),
  });
}

async function status(machine: Machine): Promise<StatusAnswer> {
  // Its own status is not 0 where something is down.
  return JSON.parse(await machine.sh(`${node} status --json --state-dir ${stateDir} || true`));
}

async function watchedPids(machine: Machine, count: number): Promise<(number | null)[]> {
  const { snapshot } = await status(machine);
  return Array.from({ length: count }, (_, index) => {
    const sensors = snapshot.resources[`line${index}`]?.sensors ?? [];
    const pid = sensors.map(({ detail }) => /\bpid (\d+)/.exec(detail)?.[1]).find(Boolean);
    return pid === undefined ? null : Number(pid);
  });
}

function journal(machine: Machine): JournalEntry[] {
  return readJournal(machine.path(stateDir));
}

function entriesOf<T extends JournalEntry['type']>(
  machine: Machine,
  type: T,
): Extract<JournalEntry, { type: T }>[] {
  return journal(machine).filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
}

function lastSeq(machine: Machine): number {
  return journal(machine).at(-1)?.seq ?? 0;
}

function news(machine: Machine, seq: number): string[] {
  return journal(machine)
    .filter(entry => entry.seq > seq && entry.type !== 'evidence')
    .map(inWords);
}

/** One line for one entry; evidence is no sight. */
function inWords(entry: JournalEntry): string {
  switch (entry.type) {
    case 'outage_begin':
      return `${entry.resource} died: ${entry.sensor}, ${JSON.stringify(entry.cause)}`;
    case 'outage_cause':
      return `${entry.resource} died, as is known now: ${JSON.stringify(entry.cause)}`;
    case 'outage_end':
      return `${entry.resource} ${entry.outcome} after ${Math.round(entry.durationMs)} ms, ${entry.attempts} attempts`;
    case 'attempt_end':
      return `${entry.resource} attempt ${entry.attempt}: ${JSON.stringify(entry.result)}`;
    case 'notice':
      return `${entry.resource} ${entry.what}: ${entry.detail}`;
    default:
      return `${entry.type} ${'resource' in entry ? entry.resource : ''}`;
  }
}
