/** sockmon inside of the machine: started with one resource or more, and asked what it saw. */
import type { StatusAnswer } from '../../../src/control/protocol.js';
import type { JournalEntry } from '../../../src/core/records.js';
import { readJournal } from '../../../src/journal/file.js';
import { nodeCommand } from '../daemon.js';
import { until } from '../wait.js';
import { type Sight, unitFile } from './daemon.js';
import type { Machine } from './machine.js';

const stateDir = '/run/lab/state';
const sockmon = '/usr/lib/sockmon/dist/src/arm.cjs';
const node = ['/usr/bin/env', ...nodeCommand.slice(0, -1), sockmon].join(' ');

/** A resource as YAML: what follows its name. */
export interface Line {
  readonly watch: string;
  readonly restart: string | null;
}

export async function startSockmon(machine: Machine, lines: readonly Line[]): Promise<void> {
  const resources = lines.map(
    ({ watch, restart }, index) =>
      `  line${index}:\n    watch: ${watch}\n    settle: 2s${restart === null ? '' : `\n    restart: ${restart}`}`,
  );
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
  await until(
    'every line to be seen alive',
    () => new Set(entriesOf(machine, 'seen').map(({ resource }) => resource)).size === lines.length,
    { pollMs: 100 },
  );
}

/** With all that it has left: the next one begins anew. */
export async function stopSockmon(machine: Machine): Promise<void> {
  await machine.try('systemctl stop sockmon; rm -rf /run/lab');
}

/** Until each line is up, and verified: what dies before that counts to the outage of before. */
export async function allUp(machine: Machine, what: string): Promise<void> {
  const isUp = async (): Promise<boolean> => (await status(machine)).snapshot.recovery === 'watching';
  await until(`${what} to be back`, isUp, {
    pollMs: 500,
    deadlineMs: 120_000,
    context: () => news(machine, 0).join('\n'),
  });
}

async function status(machine: Machine): Promise<StatusAnswer> {
  // Its own status is not 0 where something is down.
  return JSON.parse(await machine.sh(`${node} status --json --state-dir ${stateDir} || true`));
}

export async function watchedPids(machine: Machine, count: number): Promise<(number | null)[]> {
  const { snapshot } = await status(machine);
  return Array.from({ length: count }, (_, index) => {
    const sensors = snapshot.resources[`line${index}`]?.sensors ?? [];
    const pid = sensors.map(({ detail }) => /\bpid (\d+)/.exec(detail)?.[1]).find(Boolean);
    return pid === undefined ? null : Number(pid);
  });
}

export function sightOf(later: readonly JournalEntry[]): Sight {
  if (later.some(({ type }) => type === 'outage_begin')) return 'outage';
  return later.some(entry => entry.type === 'notice' && entry.what === 'replaced') ? 'replaced' : 'nothing';
}

export function journal(machine: Machine): JournalEntry[] {
  return readJournal(machine.path(stateDir));
}

export function entriesOf<T extends JournalEntry['type']>(
  machine: Machine,
  type: T,
): Extract<JournalEntry, { type: T }>[] {
  return journal(machine).filter((entry): entry is Extract<JournalEntry, { type: T }> => entry.type === type);
}

export function lastSeq(machine: Machine): number {
  return journal(machine).at(-1)?.seq ?? 0;
}

export function news(machine: Machine, seq: number): string[] {
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
