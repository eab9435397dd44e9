/**
 * `npm test`: sets up, installs or names what the tests need, lints, compiles and runs them.
 * Words among the arguments choose the test files whose path contains one of them; options go to `node --test`.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { ended, Failure, main, root, say, statusOf, step } from './run.mjs';
import { filesUnder, setup } from './setup.mjs';
import { canInstall, install, missingTools } from './tools.mjs';

/** The end-to-end tests measure themselves against a real network: more at once than cores make them wait for each other. */
const concurrency = 2;
/** A hanging test is a fault, not a reason to wait for ever. */
const timeoutMs = 180_000;

const maySkip = !process.env.CI && process.env.SOCKMON_TEST_NO_SKIP !== '1';

async function provideTools() {
  let missing = missingTools();
  if (missing.length > 0 && canInstall()) {
    await install(missing);
    missing = missingTools();
  }
  if (missing.length === 0) return;
  const lines = missing.map(tool => `  ${tool.program} (package ${tool.package}): ${tool.for}`);
  const names = missing.map(tool => tool.package).join(' ');
  const list = `${lines.join('\n')}\nInstall with: apt-get install ${names}`;
  if (!maySkip) throw new Failure(`These programs are missing, and no test may be skipped:\n${list}`);
  say(`WARNING: these programs are missing, so these tests will be skipped:\n${list}`);
}

function testFiles(words) {
  const folder = join(root, 'dist', 'test');
  const all = (existsSync(folder) ? filesUnder(folder) : []).filter(file => file.endsWith('.test.js')).sort();
  const chosen =
    words.length === 0 ? all : all.filter(file => words.some(word => relative(folder, file).includes(word)));
  if (chosen.length === 0) throw new Failure(`No test file matches ${words.join(' ')}.`);
  return chosen;
}

/** Shows the run as it goes and holds back the summary, so that nothing is printed after it. */
async function runTests(options, files) {
  const scratch = mkdtempSync(join(tmpdir(), 'sockmon-test-'));
  const tap = join(scratch, 'tap');
  const reporters = ['spec', 'stdout', 'tap', tap];
  const args = ['--test', `--test-concurrency=${concurrency}`, `--test-timeout=${timeoutMs}`];
  for (let i = 0; i < reporters.length; i += 2) {
    args.push(`--test-reporter=${reporters[i]}`, `--test-reporter-destination=${reporters[i + 1]}`);
  }
  const env = { ...process.env };
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
    const skipped = Number(/^# skipped (\d+)$/m.exec(readFileSync(tap, 'utf8'))?.[1] ?? 0);
    return { status, skipped, summary };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

await main(async () => {
  const given = process.argv.slice(2);
  const options = given.filter(argument => argument.startsWith('-'));
  const words = given.filter(argument => !argument.startsWith('-'));
  await provideTools();
  await setup();
  await step('linting', join(root, 'node_modules/.bin/biome'), ['check', '--error-on-warnings', '.']);
  const { status, skipped, summary } = await runTests(options, testFiles(words));
  const isForbiddenSkip = skipped > 0 && !maySkip;
  if (skipped > 0)
    say(
      `${isForbiddenSkip ? 'ERROR' : 'WARNING'}: ${skipped} tests were skipped; their lines above say why.`,
    );
  console.log(summary.join('\n'));
  return status === 0 && isForbiddenSkip ? 1 : status;
});
