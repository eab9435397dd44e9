/** The daemon's life: from the configuration that has been read to the exit status. */
import { greet, tellAbsent } from '../cli/greeting.js';
import { processIo } from '../cli/io.js';
import type { Loaded } from '../core/policy.js';
import { startDaemon } from '../daemon/daemon.js';
import { createLog } from '../daemon/log.js';
import { writePlan } from './arm-plan.js';
import { rereadConfiguration } from './config-process.js';

/** @param argv The command line that `loaded` was read from: it is read again for SIGHUP. */
export function live({ config, warnings, files }: Loaded, argv: readonly string[]): Promise<number> {
  const log = createLog(config.log);
  const warn = (warning: string): void => log.warn({}, warning);
  warnings.forEach(warn);
  return startDaemon(config, {
    log,
    files,
    writePlan,
    reload: async () => {
      const again = await rereadConfiguration(argv);
      again.warnings.forEach(warn);
      return again.config;
    },
    onStart: broker => greet(config, broker, log, processIo()),
    onFirstLook: snapshot => tellAbsent(snapshot, log),
  });
}
