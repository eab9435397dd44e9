/** Where things are, seen from dist/test/lab. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { thisBoot } from '../../src/system/boot.js';

export const repository = fileURLToPath(new URL('../../../', import.meta.url));
export const program = `${repository}dist/src/arm.cjs`;

interface Addon {
  bootTimeMs(): number;
}

let addon: Addon | undefined;
const { beganMs } = thisBoot();

/** Milliseconds of CLOCK_BOOTTIME: the clock of every time in the journal. */
export function bootTimeMs(): number {
  addon ??= createRequire(import.meta.url)(`${repository}native/build/sockmon.node`) as Addon;
  return addon.bootTimeMs() - beganMs;
}
