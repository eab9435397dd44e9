/**
 * A real Home Assistant for the tests, in a cache folder: the Python it needs, newer than most machines have, out of Debian's packages,
 * and the Python packages that test/homeassistant/requirements.txt pins. Nothing is installed on the machine, nobody needs to be root.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { cacheFolder, provideIn } from './cache.mjs';
import { Failure, main, root, say, step, which } from './run.mjs';

const requirementsFile = join(root, 'test', 'homeassistant', 'requirements.txt');
/** The Debian release with the Python that Home Assistant asks for. */
const suite = 'forky';
const python = 'python3.14';
/** To be counted up when the way of installing changes: what is in the cache is made anew then. */
const layout = 1;
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Fast when it is there already. Gives the program that runs its Python: `<python> -m homeassistant`. */
export async function provideHomeAssistant() {
  const folder = cacheFolder(process.env.SOCKMON_HA_CACHE, `homeassistant-${pinnedVersion()}`);
  await provideIn(folder, fingerprint(), async partial => {
    await makePython(partial);
    await pip(partial, 'installing Home Assistant', ['--no-deps', '-r', requirementsFile]);
  });
  return programIn(folder);
}

function programIn(folder) {
  return join(folder, 'usr', 'bin', 'python3');
}

function pinnedVersion() {
  const version = /^homeassistant==(\S+)$/m.exec(readFileSync(requirementsFile, 'utf8'))?.[1];
  if (version === undefined) throw new Failure(`${requirementsFile} does not pin homeassistant.`);
  return version;
}

/** Another list of packages is another Home Assistant. */
function fingerprint() {
  const recipe = `${layout} ${process.arch} ${suite} ${python}`;
  return createHash('sha256').update(recipe).update(readFileSync(requirementsFile)).digest('hex');
}

/** Debian's Python unpacked into a folder, with its own C library: the machine's own packages stay as they are. */
async function makePython(folder) {
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
  writeFileSync(programIn(folder), launcher(folder), { mode: 0o755 });
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
function launcher(folder) {
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

/** Finds out by installing what a release needs, and pins that. */
async function renew(version) {
  const folder = `${cacheFolder()}.renew`;
  await makePython(folder);
  await pip(folder, `installing Home Assistant ${version}`, [`homeassistant==${version}`]);
  const needed = outputOf(folder, [join(root, 'test', 'homeassistant', 'requirements.py')]);
  writeFileSync(join(folder, 'needed.txt'), `homeassistant==${version}\n${needed}`);
  const where = outputOf(folder, ['-c', 'import homeassistant; print(homeassistant.__path__[0])']).trim();
  const constraints = join(where, 'package_constraints.txt');
  await pip(folder, 'installing what it needs', ['-c', constraints, '-r', join(folder, 'needed.txt')]);
  const pins = outputOf(folder, [pipIn(folder), 'freeze'])
    .trim()
    .split('\n');
  const comment = readFileSync(requirementsFile, 'utf8').match(/^#.*\n/gm) ?? [];
  pins.sort((one, other) => one.localeCompare(other, 'en'));
  writeFileSync(requirementsFile, `${comment.join('')}${pins.join('\n')}\n`);
  rmSync(folder, { recursive: true });
  say(`${requirementsFile} pins Home Assistant ${version} now.`);
}

function outputOf(folder, args) {
  const { status, stdout, stderr } = spawnSync(programIn(folder), args, { encoding: 'utf8' });
  if (status !== 0) throw new Failure(`${stderr}\n${args.join(' ')} failed.`);
  return stdout;
}

if (fileURLToPath(import.meta.url) === argv[1]) {
  const [option, version] = argv.slice(2);
  await main(async () => {
    if (option === '--renew' && version !== undefined) await renew(version);
    else console.log(await provideHomeAssistant());
  });
}
