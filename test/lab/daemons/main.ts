/**
 * Plays docs/DAEMONS.md: `node dist/test/lab/daemons/main.js [--image FOLDER] [--install] [--json] [NAME ...]`, as root, on Debian.
 * It installs nothing on this machine and starts nothing outside of a container of its own.
 */
import { parseArgs } from 'node:util';
import { noBox } from '../../chaos/box.js';
import { daemons } from './daemons.js';
import { hasImage, install } from './image.js';
import { Machine } from './machine.js';
import { play } from './play.js';
import { printed } from './print.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { image: { type: 'string' }, install: { type: 'boolean' }, json: { type: 'boolean' } },
});

async function main(): Promise<number> {
  const obstacle = noBox();
  if (obstacle !== false) throw new Error(`The daemons cannot be played: ${obstacle}`);
  const { image } = values;
  if (values.install && image === undefined)
    throw new Error('--install needs --image FOLDER to install into.');
  if (image !== undefined && values.install) await install(image);
  if (image !== undefined && !hasImage(image))
    throw new Error(`${image} holds no image. Make it with --install.`);
  const chosen = daemons.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  if (chosen.length === 0) throw new Error(`No daemon is called ${positionals.join(' or ')}.`);
  const machine = new Machine(image ?? null);
  let failed = 0;
  for (const [name, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ] as const)
    process.once(name, () => void machine.close().finally(() => process.exit(128 + number)));
  try {
    await machine.boot();
    for (const daemon of chosen) {
      const isThere = (await machine.try(`test -e ${daemon.program} && echo yes`)) !== '';
      if (daemon.notPlayed !== undefined || !isThere) {
        const why =
          daemon.notPlayed ?? `${daemon.program} is not installed (${daemon.package ?? 'not in Debian'})`;
        console.log(`${daemon.name}: NOT PLAYED: ${why}\n`);
        continue;
      }
      try {
        const row = await play(machine, daemon);
        failed += row.faults.length > 0 ? 1 : 0;
        console.log(values.json ? JSON.stringify(row) : printed(row));
      } catch (error) {
        failed++;
        console.log(`${daemon.name}: FAILED: ${(error as Error).message}\n`);
      }
    }
  } finally {
    await machine.close();
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main().catch((error: Error) => {
  console.error(error.message);
  return 2;
});
