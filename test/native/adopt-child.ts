/** A process with a monitor and one script, for a test that kills it: `reflex` or `run`, the script, its run file, and with reflex a pidfile. */
import { addon, shell } from './helpers.js';

const [how = '', script = '', file = '', pidfile = ''] = process.argv.slice(2);
const monitor = new addon.Monitor(() => {});
const run = shell('first', script, { timeoutMs: 0, runFile: { path: file, text: 'the text' } });
if (how === 'reflex') {
  monitor.watch('r', [{ kind: 'process', pidfile }]);
  monitor.armReflex('r', run);
} else {
  monitor.run(run);
}
process.stdout.write('ready\n');
