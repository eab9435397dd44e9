/**
 * The brokers that Debian does not have, for test/interop: fetched by the client of their own language, compiled, and kept in a cache folder.
 * What they are started by stands in test/interop/programs, with the version of each.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { cacheFolder, provideIn } from './cache.mjs';
import { Failure, main, root, step } from './run.mjs';
import { missingTools, toolsOfBrokers } from './tools.mjs';

/** To be counted up when the way of making them changes: what is in the cache is made anew then. */
const layout = 1;
/** Another release may name its jars in another way. */
const mavenPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
/** Its go.mod asks for it; an older one says so only in errors of compilation. */
const leastGo = [1, 21];

const recipes = {
  moquette: { language: 'java', make: java },
  hivemq: { language: 'java', make: java },
  mochi: { language: 'go', make: go },
  amqtt: { language: 'python', make: python },
};

export const fetchedBrokers = Object.keys(recipes);

/**
 * Fast when it is there already. Gives its folder: `classes` and `jars` of a Java program, `broker` of a Go one, `packages` of a Python one.
 * @throws Failure when a tool is missing, or it cannot be fetched.
 */
export async function provideBroker(name) {
  const recipe = recipes[name];
  if (recipe === undefined) throw new Failure(`Name one of these brokers: ${fetchedBrokers.join(', ')}.`, 2);
  const missing = missingTools(toolsOfBrokers.filter(tool => tool.languages?.includes(recipe.language)));
  if (missing.length > 0) {
    const programs = missing.map(tool => tool.program).join(' and ');
    const packages = missing.map(tool => tool.package).join(' ');
    throw new Failure(
      `The tests against ${name} need ${programs}, which cannot be found. On Debian: apt-get install ${packages}`,
    );
  }
  const sources = join(root, 'test', 'interop', 'programs', name);
  const folder = cacheFolder(null, `broker-${name}`);
  await provideIn(folder, fingerprint(sources, recipe.language), partial => {
    mkdirSync(partial, { recursive: true });
    return recipe.make(name, sources, partial);
  });
  return folder;
}

/** What is compiled for one release of a language may not run in another one. */
function fingerprint(sources, language) {
  const hash = createHash('sha256').update(`${layout} ${mavenPlugin} ${process.arch} ${versionOf(language)}`);
  for (const file of readdirSync(sources).sort())
    hash.update(`${file}\0`).update(readFileSync(join(sources, file)));
  return hash.digest('hex');
}

function versionOf(language) {
  const asked = { java: ['javac', '-version'], go: ['go', 'env', 'GOVERSION'], python: ['python3', '-VV'] };
  const [program, ...args] = asked[language];
  return spawnSync(program, args, { encoding: 'utf8', cwd: root }).stdout;
}

async function java(name, sources, folder) {
  const jars = join(folder, 'jars');
  const options = ['-q', '-B', '-f', join(sources, 'pom.xml'), '-DincludeScope=runtime'];
  await fetching(name, 'Maven', 'mvn', [...options, `-DoutputDirectory=${jars}`, mavenPlugin]);
  const compile = ['-cp', join(jars, '*'), '-d', join(folder, 'classes'), join(sources, 'Broker.java')];
  await step(`compiling ${name}`, 'javac', compile);
}

async function go(name, sources, folder) {
  const version = /go(\d+)\.(\d+)/.exec(versionOf('go'));
  const [major, minor] = [Number(version?.[1]), Number(version?.[2])];
  if (!(major > leastGo[0] || (major === leastGo[0] && minor >= leastGo[1]))) {
    throw new Failure(
      `The tests against ${name} need Go ${leastGo.join('.')} or newer; this is ${version?.[0] ?? 'unknown'}. Debian 12 has it in its backports: apt-get install -t bookworm-backports golang-go`,
    );
  }
  await fetching(name, 'Go', 'go', ['-C', sources, 'build', '-trimpath', '-o', join(folder, 'broker'), '.']);
}

/** Without a virtual environment: such a one does not survive being moved to its place. */
async function python(name, sources, folder) {
  const target = ['--target', join(folder, 'packages')];
  const options = ['-q', '--no-deps', ...target, '-r', join(sources, 'requirements.txt')];
  await fetching(name, 'pip', 'python3', ['-m', 'pip', 'install', ...options], {
    ...process.env,
    PIP_ROOT_USER_ACTION: 'ignore',
    PIP_USER: '0',
  });
}

/** A step that mostly fails for one reason. */
async function fetching(name, client, ...args) {
  try {
    await step(`fetching ${name}`, ...args);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(
      `${error.message}\n${name} is fetched by ${client}: see that its packages can be reached, then try again.`,
    );
  }
}

if (fileURLToPath(import.meta.url) === argv[1]) {
  await main(async () => console.log(await provideBroker(argv[2])));
}
