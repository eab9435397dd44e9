/**
 * `npm test`: sets up, installs or names what the tests need, lints, compiles and runs them. `--chaos` runs the slow proofs of test/chaos
 * instead, `--clients` the tests with the clients that configure networks, `--interop` those with other brokers, `--homeassistant` those with a
 * real Home Assistant, `--all` all of them in turn.
 * `--homeassistant --release 2025.10.0` runs with another release of it than the newest that is pinned.
 * Words among the arguments choose the test files whose path contains one of them; options go to `node --test`.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { fetchedBrokers, provideBroker } from './brokers.mjs';
import { provideClients } from './clients.mjs';
import { provideHomeAssistant, releaseVariable } from './homeassistant.mjs';
import { ended, Failure, main, root, say, statusOf, step } from './run.mjs';
import { filesUnder, setup } from './setup.mjs';
import { browsers, canInstall, containers, install, missingTools, toolsOfBrokers } from './tools.mjs';

/**
 * The end-to-end tests measure themselves against a real network: more at once than cores make them wait for each other.
 * A hanging test is a fault, not a reason to wait for ever.
 */
const suites = {
  test: { ending: '.test.js', concurrency: 2, timeoutMs: 900_000 },
  chaos: {
    ending: '.chaos.js',
    concurrency: 1,
    timeoutMs: 900_000,
    provide: () => provideTools(containers),
  },
  // Its files mostly wait for leases to end.
  clients: {
    ending: '.clients.js',
    concurrency: 2,
    timeoutMs: 300_000,
    provide: async () => {
      await provideTools(containers);
      // Nobody else can play them.
      if (canInstall()) await provideClients();
    },
  },
  interop: {
    ending: '.interop.js',
    concurrency: 1,
    timeoutMs: 900_000,
    provide: async files => {
      await provideTools(toolsOfBrokers);
      await provideBrokers(files);
    },
  },
  homeassistant: {
    ending: '.ha.js',
    concurrency: 1,
    timeoutMs: 900_000,
    provide: async () => {
      await provideTools(browsers);
      await provideHomeAssistant();
    },
  },
};

const maySkip = !process.env.CI && process.env.SOCKMON_TEST_NO_SKIP !== '1';

async function provideTools(wanted) {
  let missing = missingTools(wanted);
  if (missing.length > 0 && canInstall()) {
    await install(missing);
    missing = missingTools(wanted);
  }
  if (missing.length === 0) return;
  const lines = missing.map(tool => `  ${tool.program} (package ${tool.package}): ${tool.for}`);
  const names = missing.map(tool => tool.package).join(' ');
  const list = `${lines.join('\n')}\nInstall with: apt-get install ${names}`;
  if (!maySkip) throw new Failure(`These programs are missing, and no test may be skipped:\n${list}`);
  say(`WARNING: these programs are missing, so these tests will be skipped:\n${list}`);
}

/** Before the clock of a test runs. Each has a file of its name. */
async function provideBrokers(files) {
  const names = files.map(file => basename(file, suites.interop.ending));
  for (const name of fetchedBrokers.filter(broker => names.includes(broker))) {
    try {
      await provideBroker(name);
    } catch (error) {
      if (!maySkip || !(error instanceof Failure)) throw error;
      say(`WARNING: the tests against ${name} will be skipped: ${error.message.trim()}`);
    }
  }
}

function testFiles({ ending }, words) {
  const folder = join(root, 'dist', 'test');
  const all = (existsSync(folder) ? filesUnder(folder) : []).filter(file => file.endsWith(ending)).sort();
  return words.length === 0
    ? all
    : all.filter(file => words.some(word => relative(folder, file).includes(word)));
}

/** Shows the run as it goes and holds back the summary, so that nothing is printed after it. */
async function runTests({ concurrency, timeoutMs }, options, files) {
  const scratch = mkdtempSync(join(tmpdir(), 'sockmon-test-'));
  const tap = join(scratch, 'tap');
  const reporters = ['spec', 'stdout', 'tap', tap];
  const args = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`];
  for (let i = 0; i < reporters.length; i += 2) {
    args.push(`--test-reporter=${reporters[i]}`, `--test-reporter-destination=${reporters[i + 1]}`);
  }
  // The addon refuses to reboot then, whatever a test does.
  const env = { ...process.env, SOCKMON_TEST_NO_REBOOT: '1', RUNTIME_DIRECTORY: join(scratch, 'run') };
  if (!maySkip) env.SOCKMON_TEST_NO_SKIP = '1';
  if (process.stdout.isTTY && !env.NO_COLOR) env.FORCE_COLOR ??= '1';
  const child = spawn(process.execPath, [...args, ...options, ...files], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  try {
    const summary = [];
    const ending = ended(child);
    for await (const line of createInterface({ input: child.stdout })) {
      if (summary.length > 0 || /^\W*ℹ \S*tests \d+/.test(line)) summary.push(line);
      else console.log(line);
    }
    const status = statusOf(await ending);
    const text = readFileSync(tap, 'utf8');
    const [passed, failed, cancelled, skipped] = ['pass', 'fail', 'cancelled', 'skipped'].map(count =>
      Number(new RegExp(`^# ${count} (\\d+)$`, 'm').exec(text)?.[1] ?? 0),
    );
    // What took too long is called cancelled.
    return { status, passed, failed: failed + cancelled, skipped, summary };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Gives the exit status, after the summary. */
async function runSuite(suite, options, files) {
  const run = await runTests(suite, options, files);
  const isForbiddenSkip = run.skipped > 0 && !maySkip;
  if (run.skipped > 0) {
    const weight = isForbiddenSkip ? 'ERROR' : 'WARNING';
    say(`${weight}: ${run.skipped} tests were skipped; their lines above say why.`);
  }
  console.log(run.summary.join('\n'));
  return { ...run, status: run.status === 0 && isForbiddenSkip ? 1 : run.status };
}

function chosenSuites(options) {
  if (options.includes('--all')) return Object.values(suites);
  const named = Object.keys(suites).find(name => options.includes(`--${name}`));
  return [suites[named ?? 'test']];
}

/** Takes `--release VERSION` out of the arguments. It reaches the tests by the environment, as they ask for a Home Assistant themselves. */
function takeRelease(given) {
  const at = given.indexOf('--release');
  if (at === -1) return given;
  const release = given[at + 1];
  if (release === undefined)
    throw new Failure('--release needs a version after it, as in --release 2025.10.0.');
  process.env[releaseVariable] = release;
  return given.toSpliced(at, 2);
}

await main(async () => {
  const given = takeRelease(process.argv.slice(2));
  const options = given.filter(argument => argument.startsWith('-'));
  const words = given.filter(argument => !argument.startsWith('-'));
  await provideTools();
  await setup();
  await step('linting', join(root, 'node_modules/.bin/biome'), ['check', '--error-on-warnings', '.']);
  const plans = chosenSuites(options)
    .map(suite => ({ suite, files: testFiles(suite, words) }))
    .filter(({ files }) => files.length > 0);
  if (plans.length === 0) throw new Failure(`No test file matches ${words.join(' ')}.`);
  const forNode = options.filter(option => option !== '--all' && !(option.slice(2) in suites));
  const runs = [];
  for (const { suite, files } of plans) {
    await suite.provide?.(files);
    runs.push(await runSuite(suite, forNode, files));
  }
  const sum = count => runs.reduce((total, run) => total + run[count], 0);
  if (runs.length > 1) console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  return runs.find(({ status }) => status !== 0)?.status ?? 0;
});
