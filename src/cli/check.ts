import { errorTable } from '../base/errors.js';
import { ConfigError, type Fault, formatFault, loadConfig } from '../config/load.js';
import type { Io } from './io.js';
import { lookNow, nowText } from './now.js';
import { orderingHint } from './shutdown-order.js';
import { summarize } from './summary.js';
import { unitHint } from './unit-hint.js';

/** Faults to stderr and the status of CONFIG, whatever they are; else a summary, what there is now, and 0. */
export async function check(files: readonly string[], io: Io): Promise<number> {
  const warnings: Fault[] = [];
  try {
    const config = loadConfig({
      files,
      env: io.env,
      cwd: io.cwd,
      checkOnly: true,
      onWarning: warning => warnings.push(warning),
    });
    for (const warning of warnings) io.err(`${formatFault(warning)} (a warning)\n`);
    const now = await lookNow(config);
    const hints = `${unitHint(now)}${orderingHint(now)}`;
    io.out(`${files.join(', ')}: no faults.\n\n${summarize(config)}\n${nowText(now)}${hints}`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.message}\n`);
    return errorTable.CONFIG.exitStatus;
  }
}
