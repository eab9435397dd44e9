/**
 * A real Home Assistant for the tests, in a cache folder: the Python it needs, newer than most machines have, out of Debian's packages,
 * and the Python packages that test/homeassistant/requirements.txt pins, or those of requirements-oldest.txt for the oldest release that
 * README promises. Nothing is installed on the machine, nobody needs to be root.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { cacheFolder, provideIn } from './cache.mjs';
import { Failure, main, root, say, step, which } from './run.mjs';

const folderOfPins = join(root, 'test', 'homeassistant');
const newestPins = join(folderOfPins, 'requirements.txt');
const oldestPins = join(folderOfPins, 'requirements-oldest.txt');
/** Which release a test gets, where it is not the newest that is pinned. The daemon leaves names with TEST_ alone. */
export const releaseVariable = 'SOCKMON_TEST_HA_RELEASE';
/** To be counted up when the way of installing changes: what is in the cache is made anew then. */
const layout = 1;
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Fast when it is there already. Gives the program that runs its Python (`<python> -m homeassistant`), and the release. */
export async function provideHomeAssistant(wanted = process.env[releaseVariable]) {
  const newest = pinnedIn(newestPins);
  const pins = pinsOf(wanted || newest);
  const release = pinnedIn(pins);
  const chosen = process.env.SOCKMON_HA_CACHE;
  // One folder holds one release: they would push each other out of it.
  const folder = cacheFolder(
    chosen && release !== newest ? `${chosen}-${release}` : chosen,
    `homeassistant-${release}`,
  );
  await provideIn(folder, fingerprint(pins), async partial => {
    await makePython(partial, pythonOf(release));
    await pip(partial, `installing Home Assistant ${release}`, ['--no-deps', '-r', pins]);
  });
  return { program: programIn(folder), release };
}

function pinsOf(release) {
  const known = [newestPins, oldestPins].map(file => [pinnedIn(file), file]);
  const file = new Map(known).get(release);
  if (file !== undefined) return file;
  const names = known.map(([version]) => version).join(' and ');
  throw new Failure(
    `Home Assistant ${release} is not pinned, only ${names} are.\nPin it with: node scripts/homeassistant.mjs --renew ${release}`,
  );
}

/** The Debian release with the Python that a release of Home Assistant asks for: 3.14 since 2026.3. */
function pythonOf(release) {
  return isBefore(release, '2026.3.0')
    ? { suite: 'trixie', python: 'python3.13' }
    : { suite: 'forky', python: 'python3.14' };
}

function isBefore(one, other) {
  const [a, b] = [one, other].map(version => version.split('.').map(Number));
  const at = a.findIndex((part, i) => part !== b[i]);
  return at !== -1 && a[at] < b[at];
}

function programIn(folder) {
  return join(folder, 'usr', 'bin', 'python3');
}

function pinnedIn(file) {
  const version = /^homeassistant==(\S+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
  if (version === undefined) throw new Failure(`${file} does not pin homeassistant.`);
  return version;
}

/** Another list of packages is another Home Assistant. */
function fingerprint(pins) {
  const { suite, python } = pythonOf(pinnedIn(pins));
  const recipe = `${layout} ${process.arch} ${suite} ${python}`;
  return createHash('sha256').update(recipe).update(readFileSync(pins)).digest('hex');
}

/** Debian's Python unpacked into a folder, with its own C library: the machine's own packages stay as they are. */
async function makePython(folder, { suite, python }) {
  checkMachine();
  const mirror = debianMirror();
  const apt = join(folder, 'apt');
  for (const part of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(apt, part), { recursive: true });
  writeFileSync(join(apt, 'status'), '');
  writeFileSync(join(apt, 'sources.list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
  const options = aptOptions(apt);
  const source = `Debian's mirror ${mirror}`;
  await fetching(source, `looking up Debian ${suite}`, 'apt-get', [...options, 'update']);
  const install = ['install', '-y', '--download-only', python, `${python}-venv`];
  await fetching(source, `fetching ${python}`, 'apt-get', [...options, ...install]);
  // Without what it depends on: two Python packages are compiled against its headers, with the machine's compiler.
  const archives = join(apt, 'cache', 'archives');
  const download = ['-c', `cd "$0" && exec apt-get "$@" download lib${python}-dev`, archives, ...options];
  await fetching(source, `fetching the headers of ${python}`, 'sh', download);
  const unpack = 'for package in "$0"/*.deb; do dpkg-deb -x "$package" "$1" || exit; done';
  await step(`unpacking ${python}`, 'sh', ['-c', unpack, archives, folder]);
  rmSync(apt, { recursive: true });
  writeFileSync(programIn(folder), launcher(folder, python), { mode: 0o755 });
}

function aptOptions(apt) {
  const settings = {
    'Dir::State': apt,
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': join(apt, 'status'),
    'Dir::Cache': join(apt, 'cache'),
    'Dir::Etc::sourcelist': join(apt, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Sandbox::User': '',
    'APT::Install-Recommends': 'false',
    'APT::Update::Error-Mode': 'any',
    'Acquire::Languages': 'none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
  };
  return ['-q', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
}

/** A step that mostly fails for one reason. */
async function fetching(source, ...args) {
  try {
    await step(...args);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const next = `The tests with Home Assistant get it from ${source}: see that it can be reached, then try again.`;
    throw new Failure(`${error.message}\n${next}`);
  }
}

/** The folder may be moved, so it finds itself. */
function launcher(folder, python) {
  const libraries = readdirSync(join(folder, 'usr', 'lib')).find(name => name.endsWith('-linux-gnu'));
  const loader = readdirSync(join(folder, 'usr', 'lib', libraries)).find(name =>
    /^ld-linux.*\.so\.\d$/.test(name),
  );
  return `#!/bin/sh
usr=$(dirname "$(dirname "$(readlink -f "$0")")")
libraries=$usr/lib/${libraries}
exec "$libraries/${loader}" --argv0 "$usr/bin/python3" --library-path "$libraries" "$usr/bin/${python}" "$@"
`;
}

function checkMachine() {
  const missing = ['apt-get', 'dpkg-deb', 'g++'].filter(tool => which(tool) === null);
  if (missing.length > 0) {
    throw new Failure(
      `The tests with Home Assistant fetch its Python with Debian's tools and compile two packages, but ${missing.join(' and ')} ` +
        'cannot be found.\nRun them on Debian, after: apt-get install g++',
    );
  }
  if (!existsSync(keyring)) {
    throw new Failure(
      `Debian's packages cannot be checked without ${keyring}.\nInstall it with: apt-get install debian-archive-keyring`,
    );
  }
}

/** Where this machine gets its own Debian packages from; its own apt knows. */
function debianMirror() {
  if (process.env.SOCKMON_DEBIAN_MIRROR) return process.env.SOCKMON_DEBIAN_MIRROR;
  const args = ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages'];
  const { stdout } = spawnSync('apt-get', args, { encoding: 'utf8' });
  const mirror = /^Debian (\S+)$/m.exec(stdout)?.[1];
  if (mirror !== undefined) return mirror;
  throw new Failure(
    'apt knows no Debian mirror, and Home Assistant needs a Python out of Debian.\n' +
      'Run apt-get update first, or name a mirror in SOCKMON_DEBIAN_MIRROR.',
  );
}

async function pip(folder, what, args) {
  const source = "pip's package index";
  await fetching(source, what, programIn(folder), [pipIn(folder), 'install', '-q', ...args], {
    ...process.env,
    CPATH: join(folder, 'usr', 'include'),
    // The folder is ours, whatever Debian says of a system's Python.
    PIP_BREAK_SYSTEM_PACKAGES: '1',
    PIP_ROOT_USER_ACTION: 'ignore',
    PIP_NO_WARN_SCRIPT_LOCATION: '1',
    PIP_USER: '0',
  });
}

function pipIn(folder) {
  const wheels = join(folder, 'usr', 'share', 'python-wheels');
  return join(wheels, readdirSync(wheels).find(name => name.startsWith('pip-')) ?? '', 'pip');
}

/** Until 2026 its own list of requirements lets a pycares in by which its aiodns cannot be imported. */
const missingConstraints = { '2025.10.0': ['pycares==4.11.0'] };
/** Integrations that those which the tests load import without naming them; newer releases say so themselves. */
const unnamed = {
  '2025.10.0': ['assist_pipeline', 'camera', 'cloud', 'conversation', 'stream'],
};

/** Finds out by installing what a release needs, and pins that: an older one than the newest as the oldest. */
async function renew(version) {
  const pins = isBefore(version, pinnedIn(newestPins)) ? oldestPins : newestPins;
  const folder = `${cacheFolder(undefined, `homeassistant-${version}`)}.renew`;
  await makePython(folder, pythonOf(version));
  const itself = `homeassistant==${version}`;
  await pip(folder, `fetching Home Assistant ${version}`, ['--no-deps', itself]);
  const find =
    'import importlib.util as u; print(u.find_spec("homeassistant").submodule_search_locations[0])';
  const constraints = join(outputOf(folder, ['-c', find]).trim(), 'package_constraints.txt');
  const bound = ['-c', constraints, ...(missingConstraints[version] ?? [])];
  await pip(folder, `installing Home Assistant ${version}`, [...bound, itself]);
  const needed = outputOf(folder, [join(folderOfPins, 'requirements.py'), ...(unnamed[version] ?? [])]);
  writeFileSync(join(folder, 'needed.txt'), `${itself}\n${needed}`);
  await pip(folder, 'installing what it needs', [...bound, '-r', join(folder, 'needed.txt')]);
  const frozen = outputOf(folder, [pipIn(folder), 'freeze'])
    .trim()
    .split('\n');
  const comment = readFileSync(pins, 'utf8').match(/^#.*\n/gm) ?? [];
  frozen.sort((one, other) => one.localeCompare(other, 'en'));
  writeFileSync(pins, `${comment.join('')}${frozen.join('\n')}\n`);
  rmSync(folder, { recursive: true });
  say(`${pins} pins Home Assistant ${version} now.`);
}

function outputOf(folder, args) {
  const { status, stdout, stderr } = spawnSync(programIn(folder), args, { encoding: 'utf8' });
  if (status !== 0) throw new Failure(`${stderr}\n${args.join(' ')} failed.`);
  return stdout;
}

if (fileURLToPath(import.meta.url) === argv[1]) {
  const [option, version] = argv.slice(2);
  await main(async () => {
    if (option === '--renew' && version !== undefined) {
      await renew(version);
      return;
    }
    const { program, release } = await provideHomeAssistant();
    console.log(`${program}\n${release}`);
  });
}
