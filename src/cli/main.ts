/** The command line. Each subcommand is loaded only when it is called. */
import { Command, CommanderError } from 'commander';
import { errorTable, SockmonError } from '../base/errors.js';
import { ConfigError } from '../config/faults.js';
import { nearest } from '../config/nearest.js';
import type { Loaded } from '../core/policy.js';
import type { Action } from '../core/records.js';
import { version } from '../system/version.js';
import type { CommandOptions } from './command.js';
import type { DaemonOptions } from './daemon-config.js';
import type { DiscoveryOptions } from './discovery.js';
import type { DrillOptions } from './drill.js';
import {
  checkHelp,
  commandHelp,
  discoveryHelp,
  drillHelp,
  historyHelp,
  replayHelp,
  rootHelp,
  runHelp,
  statusHelp,
  summary,
} from './help.js';
import type { HistoryOptions } from './history.js';
import { type Io, processIo } from './io.js';
import type { ReplayOptions } from './replay.js';
import type { PlaceOptions } from './state-dir.js';

/**
 * Runs one command line.
 * @param argv As in process.argv: the first two are Node and the program.
 * @returns What a daemon shall do, or the exit status: as in the table of base/errors.ts, 0 when all went well.
 */
export async function run(argv: readonly string[], io: Io = processIo()): Promise<Loaded | number> {
  try {
    return await interpret(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

/**
 * As run(), and leaves it to the caller to report what is thrown.
 * @throws SockmonError, ConfigError.
 */
export async function interpret(argv: readonly string[], io: Io): Promise<Loaded | number> {
  let outcome: Loaded | number = 0;
  const program = build(io, done => {
    outcome = done;
  });
  try {
    await program.parseAsync([...argv], { from: 'node' });
    return outcome;
  } catch (error) {
    // commander has written its own words already.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : errorTable.USAGE.exitStatus;
    throw error;
  }
}

type Finish = (outcome: Loaded | number) => void;

function build(io: Io, finish: Finish): Command {
  const program = new Command('sockmon')
    .description(summary)
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .enablePositionalOptions()
    .showHelpAfterError('Try: sockmon --help')
    .configureOutput({ writeOut: text => io.out(text), writeErr: text => io.err(text) })
    .exitOverride()
    .argument('[script]', "watch this machine's network and run this script when it dies")
    .addHelpText('after', rootHelp);
  daemonOptions(program).action(async (script: string | undefined, options: DaemonOptions) => {
    if (script === undefined) program.outputHelp();
    else {
      refuseTypo(script, program);
      finish((await import('./daemon-config.js')).runSeed(script, options, io));
    }
  });
  addRun(program, io, finish);
  addCheck(program, io, finish);
  addStatus(program, io, finish);
  addHistory(program, io, finish);
  addExplain(program, io, finish);
  addReplay(program, io, finish);
  addDiscovery(program, io, finish);
  addCommands(program, io, finish);
  return program;
}

/** `sockmon stauts` names no script, it is a slip. A path with "/" is always a script. */
function refuseTypo(script: string, program: Command): void {
  const near = script.includes('/')
    ? null
    : nearest(
        script,
        program.commands.map(command => command.name()),
      );
  if (near === null) return;
  const words = `There is no command "${script}"; did you mean "${near}"? For a script of that name write ./${script}.`;
  throw new SockmonError('USAGE', words);
}

function daemonOptions(command: Command): Command {
  return command
    .option('--allow-reboot', 'let sockmon reboot this machine as the last resort, or on command')
    .option('--state-dir <folder>', 'folder of the journal and the control socket')
    .option('--log-level <level>', 'debug, info, warn or error');
}

/** How the commands that only look find the state folder. */
function placeOptions(command: Command): Command {
  return command
    .option('--config <files...>', 'take the state folder from these configuration files')
    .option('--state-dir <folder>', 'the state folder itself');
}

function addRun(program: Command, io: Io, finish: Finish): void {
  const command = program
    .command('run')
    .description('watch what the configuration says, in the foreground')
    .requiredOption('--config <files...>', 'configuration files (YAML)')
    .addHelpText('after', runHelp);
  daemonOptions(command).action(async (options: DaemonOptions & { config: string[] }) =>
    finish((await import('./daemon-config.js')).runConfigured(options, io)),
  );
}

function addCheck(program: Command, io: Io, finish: Finish): void {
  program
    .command('check')
    .description('look for faults in a configuration, and say what it would do')
    .requiredOption('--config <files...>', 'configuration files (YAML)')
    .addHelpText('after', checkHelp)
    .action(async (options: { config: string[] }) =>
      finish(await (await import('./check.js')).check(options.config, io)),
    );
}

function addStatus(program: Command, io: Io, finish: Finish): void {
  const command = program
    .command('status')
    .description('show how the running sockmon sees things')
    .option('--json', 'one JSON object')
    .option('--watch', 'redraw once a second until Ctrl-C')
    .addHelpText('after', statusHelp);
  placeOptions(command).action(async (options: PlaceOptions & { json?: true; watch?: true }) =>
    finish(await (await import('./status.js')).status(options, io)),
  );
}

function addHistory(program: Command, io: Io, finish: Finish): void {
  const command = program
    .command('history')
    .description(
      'list the outages in the journal, the latest first, or tell one; works without a running sockmon',
    )
    .argument('[outage]', 'the whole story of this one: its id, or the number at the end of it')
    .option('--json', 'a JSON array, or one JSON object')
    .option('--limit <number>', 'how many at most', '20')
    .addHelpText('after', historyHelp);
  placeOptions(command).action(async (outage: string | undefined, options: HistoryOptions) =>
    finish((await import('./history.js')).history(outage, options, io)),
  );
}

function addExplain(program: Command, io: Io, finish: Finish): void {
  const command = program
    .command('explain')
    .description('say why this machine last rebooted; works without a running sockmon')
    .option('--json', 'one JSON object');
  placeOptions(command).action(async (options: PlaceOptions & { json?: true }) =>
    finish((await import('./explain.js')).explain(options, io)),
  );
}

function addDiscovery(program: Command, io: Io, finish: Finish): void {
  program
    .command('discovery')
    .description('show what Home Assistant is told, or take the device away from it')
    .requiredOption('--config <files...>', 'configuration files (YAML)')
    .option('--print', 'the discovery payload as JSON (the default)')
    .option('--remove', 'take the device and all retained messages of this node from the broker')
    .option('--node <name>', 'with --remove: a former name of this machine, while it runs under another')
    .addHelpText('after', discoveryHelp)
    .action(async (options: DiscoveryOptions) =>
      finish(await (await import('./discovery.js')).discovery(options, io)),
    );
}

function addReplay(program: Command, io: Io, finish: Finish): void {
  program
    .command('replay')
    .description('say what another policy would have done in recorded outages; touches nothing')
    .argument('<file>', 'a journal, or lines of one')
    .option('--config <files...>', 'the policy; without it the defaults')
    .option('--never-back', 'as if nothing had come back by itself')
    .option('--allow-reboot', 'as if rebooting were allowed')
    .option('--json', 'one JSON object')
    .addHelpText('after', replayHelp)
    .action(async (file: string, options: ReplayOptions) =>
      finish((await import('./replay.js')).replay(file, options, io)),
    );
}

function addCommands(program: Command, io: Io, finish: Finish): void {
  const restart = program
    .command('restart')
    .description('ask the running sockmon to restart a resource')
    .argument('<resource>', 'its name in the configuration');
  const reboot = program.command('reboot').description('ask the running sockmon to reboot this machine');
  const pause = program
    .command('pause')
    .description('leave a resource, or everything, alone for a while: for work on it')
    .argument('[resource]', 'its name in the configuration; everything without it')
    .requiredOption('--for <duration>', 'how long, e.g. 10m; it ends by itself, and with a reboot');
  const resume = program
    .command('resume')
    .description('end a pause')
    .argument('[resource]', 'its name in the configuration; all pauses without it');
  const drill = program
    .command('drill')
    .description('kill a resource on purpose and say how long detection and recovery take')
    .argument('<resource>', 'its name in the configuration')
    .option('--yes', 'do not ask')
    .option('--json', 'one JSON object');
  for (const command of [restart, reboot, pause, resume, drill]) {
    placeOptions(command)
      .option('--dry-run', 'only ask what would be answered')
      .addHelpText('after', command === drill ? drillHelp : commandHelp);
  }
  const send = async (action: Action, target: string | undefined, options: CommandOptions) =>
    finish(await (await import('./command.js')).command(action, target, options, io));
  restart.action((target: string, options: CommandOptions) => send('restart', target, options));
  reboot.action((options: CommandOptions) => send('reboot', undefined, options));
  pause.action((target: string | undefined, options: CommandOptions) => send('pause', target, options));
  resume.action((target: string | undefined, options: CommandOptions) => send('resume', target, options));
  drill.action(async (target: string, options: DrillOptions) =>
    finish(await (await import('./drill.js')).drill(target, options, io)),
  );
}

/** Tells the person at the terminal. @returns The exit status. */
export function report(error: unknown, io: Io): number {
  if (error instanceof ConfigError) {
    const { length } = error.faults;
    io.err(
      `${error.message}\nsockmon: ${length} ${length === 1 ? 'fault' : 'faults'}; nothing was started.\n`,
    );
    return error.exitStatus;
  }
  if (error instanceof SockmonError) {
    io.err(`sockmon: ${error.message}\n`);
    return error.exitStatus;
  }
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.err(`sockmon: a fault in sockmon itself, please report it: ${words}\n`);
  return errorTable.INTERNAL.exitStatus;
}
