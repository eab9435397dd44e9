/**
 * The program's other process: it reads the command line and the configuration, hands the outcome to the daemon and ends. What that
 * takes (commander, yaml, convict, zod) would otherwise stay in the daemon's memory for as long as it lives.
 */

import { SockmonError } from '../base/errors.js';
import { processIo } from '../cli/io.js';
import { interpret, report } from '../cli/main.js';
import { handOver } from './config-result.js';

const io = processIo();
try {
  const outcome = await interpret(process.argv, io);
  if (typeof outcome === 'number') process.exitCode = outcome;
  else handOver({ loaded: outcome });
} catch (error) {
  if (error instanceof SockmonError) handOver({ fault: error.message });
  process.exitCode = report(error, io);
}
