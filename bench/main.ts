/** `npm run bench [-- --json] [-- --rounds N] [-- NAME…]`: sockmon beside bare C programs, in the same run. */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { becomeRoot, labObstacle, labPrograms } from '../test/lab/root.js';
import { absentRows, namesRows } from './absent.js';
import { comesRows } from './comes.js';
import { crowdRows } from './crowd.js';
import { deathRows } from './death.js';
import { heldRows } from './held.js';
import { idleRows } from './idle.js';
import { manyRows } from './many.js';
import { networkRows } from './network.js';
import { pidfdRows } from './pidfds.js';
import { compileC } from './programs.js';
import { table } from './report.js';
import { stackRows } from './stack.js';
import { startupRows } from './startup.js';
import type { Row } from './stats.js';
import { toldBytesRows } from './told-bytes.js';

const names = {
  seen: 'kill -> seen in the native monitor, beside C on a pidfd',
  script: 'kill -> first line of the restart script, beside C with posix_spawn',
  held: 'a server killed -> first line of the restart script over a held connection, beside C that holds the same',
  crowd: '10,000 held connections: memory, and 30 s with nothing to do',
  pidfds: '10,000 processes by their pidfiles: memory, and 30 s with nothing to do',
  names: '1,000 names that nobody bears, watched at the start',
  comes: 'what is absent comes -> seen, with the proc connector and without',
  absent: '20 absent names beside 400 processes: CPU, first and later, and when they come then',
  network: 'a network that changes: CPU, beside ip monitor and keepalived',
  stack: 'the lab: kill of slirp4netns -> script -> TCP works, beside C on rtnetlink and on a pidfd',
  bytes: 'one death among 1,000 resources: what the broker is sent, and CPU; beside --rival',
  many: '300 to 10,000 resources: start, all killed at once, memory; beside --rival',
  told: 'network back -> outage acknowledged by the broker',
  start: 'exec -> watching, beside node -e 0',
  idle: '30 s with nothing to do: CPU and context switches',
  memory: 'resident memory',
} as const;
type Name = keyof typeof names;

const usage = `usage: npm run bench [-- [--json] [--rounds N] [--rival PATH] [NAME…]]

Without a NAME it measures everything, in some twenty minutes:
${Object.entries(names)
  .map(([name, what]) => `  ${name.padEnd(8)} ${what}`)
  .join('\n')}

  --rounds N   how often each thing is measured (default: 300 deaths, 20 deaths of the stack, 20 starts)
  --rival PATH a built clone of another commit, measured in the same run where that is possible (bytes, many)
  --json       print one JSON object
`;

interface Rounds {
  readonly death: number;
  readonly stack: number;
  readonly start: number;
}

async function measure(wanted: ReadonlySet<Name>, rounds: Rounds, rival: string | null): Promise<Row[]> {
  const has = (name: Name) => wanted.has(name);
  const say = (line: string) => process.stderr.write(`bench: ${line} …\n`);
  const rows: Row[] = [];
  await compileC();
  if (has('seen') || has('script')) {
    say('deaths of a process');
    rows.push(...(await deathRows(rounds.death, { seen: has('seen'), script: has('script') })));
  }
  if (has('held')) {
    say('deaths of a server');
    rows.push(...(await heldRows(rounds.death)));
  }
  if (has('crowd')) {
    say('held connections');
    rows.push(...(await crowdRows()));
  }
  if (has('pidfds')) {
    say('pidfds');
    rows.push(...(await pidfdRows()));
  }
  if (has('names')) {
    say('absent names at the start');
    rows.push(...(await namesRows()));
  }
  if (has('comes')) {
    say('what comes');
    rows.push(...(await comesRows(rounds.start)));
  }
  if (has('absent')) {
    say('absent names, for two minutes and a half');
    rows.push(...(await absentRows()));
  }
  if (has('network')) {
    say('a network that changes');
    rows.push(...(await networkRows(rounds.death)));
  }
  if (has('stack') || has('told')) {
    say('deaths of the stack');
    rows.push(...(await stackRows(rounds.stack, { stack: has('stack'), told: has('told') })));
  }
  if (has('bytes')) {
    say('one death among many');
    rows.push(...(await toldBytesRows(Math.min(rounds.stack, 5), rival)));
  }
  if (has('many')) {
    say('very many resources');
    rows.push(...(await manyRows(Math.min(rounds.stack, 3), rival)));
  }
  if (has('start')) {
    say('starts');
    rows.push(...(await startupRows(rounds.start)));
  }
  if (has('idle') || has('memory')) {
    say('idleness');
    rows.push(...(await idleRows({ idle: has('idle'), memory: has('memory') })));
  }
  return rows;
}

function isName(word: string): word is Name {
  return Object.hasOwn(names, word);
}

/** null: an option that does not exist. */
function parse() {
  const options = {
    json: { type: 'boolean' },
    rounds: { type: 'string' },
    rival: { type: 'string' },
    help: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch {
    // TypeError of parseArgs: the caller shows the usage.
    return null;
  }
}

async function main(): Promise<number> {
  const parsed = parse();
  const given = Number(parsed?.values.rounds ?? 0);
  if (
    parsed === null ||
    parsed.values.help ||
    !parsed.positionals.every(isName) ||
    !Number.isInteger(given) ||
    given < 0
  ) {
    process.stderr.write(usage);
    return parsed?.values.help ? 0 : 64;
  }
  const { values, positionals } = parsed;
  await becomeRoot();
  const obstacle = labObstacle([...labPrograms, 'mosquitto']);
  if (obstacle !== null) {
    process.stderr.write(`The benchmark cannot run here: ${obstacle}\n`);
    return 69;
  }
  const wanted = new Set(
    positionals.length === 0 ? (Object.keys(names) as Name[]) : positionals.filter(isName),
  );
  const rows = await measure(
    wanted,
    { death: given || 300, stack: given || 20, start: given || 20 },
    values.rival ?? null,
  );
  const machine = { node: process.version, kernel: release(), cpus: cpus().map(({ model }) => model) };
  // `npm run bench --json`, without the `--`, gives the option to npm.
  const isJson = values.json ?? process.env.npm_config_json === 'true';
  process.stdout.write(isJson ? `${JSON.stringify({ machine, rows })}\n` : table(rows));
  return 0;
}

process.exit(await main());
