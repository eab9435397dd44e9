/** The daemon's life: from the configuration that has been read to the exit status. */
import { greet, tellAbsent } from './cli/greeting.js';
import { processIo } from './cli/io.js';
import { startDaemon } from './daemon.js';
import type { Loaded } from './loaded.js';
import { createLog } from './log.js';
import { rereadConfiguration } from './reader.js';

/** @param argv The command line that `loaded` was read from: it is read again for SIGHUP. */
export function live({ config, warnings, files }: Loaded, argv: readonly string[]): Promise<number> {
  const log = createLog(config.log);
  const warn = (warning: string): void => log.warn({}, warning);
  warnings.forEach(warn);
  return startDaemon(config, {
    log,
    files,
    reload: async () => {
      const again = await rereadConfiguration(argv);
      again.warnings.forEach(warn);
      return again.config;
    },
    onStart: broker => greet(config, broker, log, processIo()),
    onFirstLook: snapshot => tellAbsent(snapshot, log),
  });
}
