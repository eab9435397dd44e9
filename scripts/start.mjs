/**
 * `npm start`: sets up, then runs sockmon in the foreground.
 * Without arguments it runs the shipped configuration; options alone belong to `run`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { foreground, main, root } from './run.mjs';
import { setup } from './setup.mjs';

/** They stand in the program's first line, where an installed `sockmon` finds them. */
function nodeOptions(program) {
  const [firstLine] = readFileSync(program, 'utf8').split('\n', 1);
  return firstLine.split(' ').filter(word => word.startsWith('--'));
}

function daemonArguments(given) {
  if (given.length === 0) return ['run', '--config', join(root, 'config', 'sockmon.yaml')];
  const [first] = given;
  const isForRun = first.startsWith('-') && !['--help', '-h', '--version', '-V'].includes(first);
  return isForRun ? ['run', ...given] : given;
}

await main(async () => {
  await setup();
  const program = join(root, 'dist', 'src', 'arm.cjs');
  return foreground(process.execPath, [
    ...nodeOptions(program),
    program,
    ...daemonArguments(process.argv.slice(2)),
  ]);
});
