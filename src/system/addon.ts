/** Loads the native addon. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type * as Native from '../../native/index.js';
import { SockmonError } from '../base/errors.js';

export type Addon = typeof Native;

const file = fileURLToPath(new URL('../../../native/build/sockmon.node', import.meta.url));

/** @throws SockmonError ADDON when it is not there or was built for another machine. */
export function loadAddon(): Addon {
  try {
    return createRequire(import.meta.url)(file) as Addon;
  } catch (error) {
    // Its other lines name the files that asked for it.
    const [reason] = (error as Error).message.split('\n', 1);
    const words = `The native monitor cannot be loaded: ${reason}. Build it with "npm run build" in sockmon's folder.`;
    throw new SockmonError('ADDON', words, { cause: error });
  }
}
