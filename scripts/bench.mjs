/** `npm run bench`: sets up, then measures sockmon beside bare C programs. See bench/README.md. */
import { join } from 'node:path';
import { foreground, main, root } from './run.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  return foreground(process.execPath, [join(root, 'dist', 'bench', 'main.js'), ...process.argv.slice(2)]);
});
