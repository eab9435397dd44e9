/** The program: it alone ends the process, by system/quit.ts. */
import { SockmonError } from '../base/errors.js';
import type { Loaded } from '../core/policy.js';
import { quit } from '../system/quit.js';
import { leaveTerminal } from '../system/terminal.js';

/** What looks, asks or prints is over in a moment and does it here. */
const brief = new Set(
  'check status history explain replay discovery restart reboot pause resume drill help -h --help -V --version'.split(
    ' ',
  ),
);

export async function main(argv: readonly string[]): Promise<void> {
  try {
    const [first] = argv.slice(2);
    const outcome = await (first === undefined || brief.has(first) ? command(argv) : reading(argv));
    if (typeof outcome === 'number') quit(outcome);
    const { live } = await import('./daemon-run.js');
    const status = await live(outcome, argv);
    leaveTerminal();
    quit(status);
  } catch (error) {
    process.stderr.write(`sockmon: ${words(error)}\n`);
    quit(error instanceof SockmonError ? error.exitStatus : 70);
  }
}

async function command(argv: readonly string[]): Promise<Loaded | number> {
  const { run } = await import('../cli/main.js');
  return run(argv);
}

/** For what may become a daemon: the rest of it is loaded while another process reads the configuration. */
async function reading(argv: readonly string[]): Promise<Loaded | number> {
  const { readConfiguration } = await import('./config-process.js');
  const [outcome] = await Promise.all([readConfiguration(argv), import('./daemon-run.js')]);
  return outcome;
}

function words(error: unknown): string {
  if (error instanceof SockmonError) return error.message;
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `a fault in sockmon itself. Please report it with these lines.\n${trace}`;
}
