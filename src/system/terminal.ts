/** The terminal that sockmon was started on by hand. Its end comes as SIGHUP too, which otherwise asks for a reload. */
import { closeSync, constants, openSync } from 'node:fs';
import { isatty } from 'node:tty';

/** Looked at now: of a terminal that has gone isatty(3) says no. */
const terminals = [0, 1, 2].filter(fd => isatty(fd));

const shortages = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** Not under nohup(1), nor with the output elsewhere: what is started so is to outlive its terminal. */
export function isOnTerminal(): boolean {
  return terminals.some(fd => fd > 0) && hasTerminal();
}

/**
 * tty(4): without a controlling terminal, as after its hangup, /dev/tty cannot be opened (ENXIO). A shortage of descriptors or memory says
 * nothing about the terminal: then it is believed to be there, since a SIGHUP must not end a daemon that only was asked to reload.
 */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', constants.O_RDONLY | constants.O_NOCTTY));
    return true;
  } catch (error) {
    return shortages.includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

/**
 * To be called right before the end, since whatever is written afterwards goes nowhere: Node aborts when it cannot give a terminal its
 * modes back (tcsetattr: EIO after a hangup; seen with 20.20). Of a stream that is closed it lets go.
 */
export function leaveTerminal(): void {
  if (!hasTerminal()) for (const fd of terminals) closeSync(fd);
}
