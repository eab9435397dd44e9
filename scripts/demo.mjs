/** `npm run demo`: sets up, then shows the main story in a network namespace. See demo/main.ts. */
import { join } from 'node:path';
import { foreground, main, root } from './run.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  await setup();
  return foreground(process.execPath, [join(root, 'dist', 'demo', 'main.js'), ...process.argv.slice(2)]);
});
