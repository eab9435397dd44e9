/** The terminal that sockmon was started on by hand. Its end comes as SIGHUP too, which otherwise asks for a reload. */
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Not under nohup(1), nor with the output elsewhere: what is started so is to outlive its terminal. */
export function isOnTerminal(): boolean {
  return (isatty(1) || isatty(2)) && hasTerminal();
}

/** tty(4): without a controlling terminal, as after its hangup, /dev/tty cannot be opened (ENXIO). */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch {
    return false;
  }
}
