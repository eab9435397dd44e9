/** Makes the program ready to run: packages, the native monitor, the compiled TypeScript. Does only what has changed. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, extname, join, relative } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { exists, Failure, main, root, step, which } from './run.mjs';

const leastNode = [20, 19];
const stampFile = join(root, 'dist', '.stamp');
/** dist/x.js comes from x.ts, and so on. */
const sourceExtensions = { '.js': '.ts', '.cjs': '.cts', '.mjs': '.mts' };

export async function setup() {
  checkMachine();
  await installPackages();
  // -s: make is silent when there is nothing to do; the monitor is small, so four jobs are enough anywhere.
  const jobs = Math.min(4, availableParallelism());
  await step('building the native monitor', 'make', ['-s', `-j${jobs}`, '-C', join(root, 'native')]);
  await compile();
}

function checkMachine() {
  if (process.platform !== 'linux') {
    throw new Failure(`sockmon watches the TCP/IP stack of Linux; this is ${process.platform}.`);
  }
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < leastNode[0] || (major === leastNode[0] && minor < leastNode[1])) {
    const least = leastNode.join('.');
    throw new Failure(
      `sockmon needs Node ${least} or newer; this is ${process.version}. See https://nodejs.org/en/download.`,
    );
  }
  const missing = ['g++', 'make'].filter(tool => which(tool) === null);
  if (missing.length > 0) {
    const [verb, them] = missing.length > 1 ? ['are', 'them'] : ['is', 'it'];
    const advice = `Install ${them}, on Debian for instance with: apt-get install g++ make`;
    throw new Failure(
      `${missing.join(' and ')} ${verb} not installed, and the native monitor is built with ${them}.\n${advice}`,
    );
  }
}

async function installPackages() {
  const installed = join(root, 'node_modules', '.package-lock.json');
  const isCurrent =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
  if (isCurrent) return;
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which is what npm writes where the
  // registry does not offer them. The versions and checksums of the lock file hold here too, and it stays as it is.
  const options = ['--no-save', '--include=dev', '--no-audit', '--no-fund'];
  await step('installing the packages', 'npm', ['install', ...options]);
  // npm leaves it alone when nothing was missing.
  const now = new Date();
  utimesSync(installed, now, now);
}

/** tsc takes seconds to find out that nothing changed; names, sizes and times of the sources tell it in milliseconds. */
async function compile() {
  const stamp = fingerprint();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  removeOrphans(join(root, 'dist'));
  await step('compiling the TypeScript', process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'),
    '-p',
    root,
  ]);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}

function fingerprint() {
  const config = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  const sources = config.include.filter(exists).flatMap(folder => filesUnder(join(root, folder)));
  const inputs = [...sources.sort(), join(root, 'tsconfig.json'), join(root, 'package-lock.json')];
  const hash = createHash('sha256').update(process.version);
  for (const file of inputs) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file}\0${size}\0${mtimeMs}\0`);
  }
  return hash.digest('hex');
}

/** The output of a source that is gone would still be found and run as a test. */
function removeOrphans(dist) {
  if (!existsSync(dist)) return;
  for (const file of filesUnder(dist)) {
    const extension = extname(file);
    const source = sourceExtensions[extension];
    if (source === undefined) continue;
    const stem = relative(dist, file).slice(0, -extension.length);
    if (exists(stem + source)) continue;
    rmSync(file);
    // tsc --incremental does not write again what it believes to be there.
    rmSync(join(dist, '.tsbuildinfo'), { force: true });
  }
}

export function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name));
}

if (fileURLToPath(import.meta.url) === argv[1]) await main(setup);
