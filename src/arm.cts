#!/usr/bin/env -S node --max-semi-space-size=1 --no-opt --no-maglev --no-sparkplug --optimize-for-size
// Node's options stand here alone; whoever else starts the daemon reads them from this line. A daemon that idles for weeks needs
// neither a large young generation nor compilers: V8 interprets it. Resident, connected: 54 MB; with the first alone 65 MB.
//
// The program's first file. Node needs 35 ms to get here and 170 ms for everything else, so what was watched the last time is
// watched again first; the rest is loaded while the monitor thread looks on. The plan is believed only if the command line, the
// environment and every configuration file are what they were (src/start/arm-plan.ts writes it). The reflex is armed later, after the journal
// has been read: what dies in between is restarted then.
import fs = require('node:fs');
import os = require('node:os');
import path = require('node:path');

interface Plan {
  readonly key: string;
  /** Where an earlier sockmon has noted the scripts that it was running; null: nowhere. */
  readonly runs: string | null;
  readonly files: readonly { readonly file: string; readonly text: string }[];
  readonly watches: readonly { readonly resource: string; readonly sensors: unknown[] }[];
}

/** What another version has written down may mean something else. */
const { version } = require('../../package.json') as { version: string };

/** The state folder as far as it can be known without reading a configuration. */
function guessStateDir(): string {
  const at = process.argv.indexOf('--state-dir');
  const given = at === -1 ? undefined : process.argv[at + 1];
  const named = given ?? process.env.SOCKMON_STATE_DIR ?? process.env.STATE_DIRECTORY?.split(':')[0];
  if (named) return path.resolve(named);
  if (process.getuid?.() === 0) return '/var/lib/sockmon';
  return path.join(process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local/state'), 'sockmon');
}

/** Everything but the files that decides what is watched. */
function planKey(): string {
  const settings = Object.entries(process.env).filter(([name]) =>
    /^(SOCKMON_|STATE_DIRECTORY$|RUNTIME_DIRECTORY$|XDG_)/.test(name),
  );
  return JSON.stringify([
    version,
    process.argv.slice(2),
    process.cwd(),
    process.getuid?.(),
    settings.sort(),
    __filename,
  ]);
}

function readPlan(file: string, key: string): Plan | null {
  try {
    const plan = JSON.parse(fs.readFileSync(file, 'utf8')) as Plan;
    if (plan.key !== key) return null;
    return plan.files.every(({ file: config, text }) => fs.readFileSync(config, 'utf8') === text)
      ? plan
      : null;
  } catch {
    // No plan, half of one, or a file that has gone: the ordinary start reads everything and complains itself.
    return null;
  }
}

/** Removes nothing: whether this sockmon is the only one of its state folder, only the journal's lock can tell. */
function takeOverRuns(monitor: { adoptRun(run: unknown): boolean }, folder: string | null): unknown[] {
  if (folder === null || !fs.existsSync(folder)) return [];
  const { adoptedRun, readRunFiles } =
    require('./monitor/run-files.cjs') as typeof import('./monitor/run-files.cjs');
  return readRunFiles(folder).files.filter(file => monitor.adoptRun(adoptedRun(file)));
}

/** All of them or none: what nobody takes over would keep its thread and every event for ever. */
// biome-ignore lint/suspicious/noExplicitAny: as in arm()
function watchAll(monitor: any, plan: Plan): { runs: unknown[]; watches: unknown[] } {
  try {
    // Before anything is watched: a script must not be taken for the service that it starts.
    const runs = takeOverRuns(monitor, plan.runs);
    const outcomes = monitor.watchAll(plan.watches) as { reports: unknown[]; error: Error | null }[];
    const failed = outcomes.find(({ error }) => error !== null);
    if (failed !== undefined) throw failed.error;
    const watches = plan.watches.map((watch, i) => ({ ...watch, reports: outcomes[i]?.reports }));
    return { runs, watches };
  } catch (error) {
    monitor.close();
    throw error;
  }
}

function arm(plan: Plan): void {
  // biome-ignore lint/suspicious/noExplicitAny: this file must not import the types' module
  const addon = require(path.join(__dirname, '../../native/build/sockmon.node')) as any;
  const held: unknown[] = [];
  let handler = (events: unknown[]): void => void held.push(...events);
  const monitor = new addon.Monitor((events: unknown[]) => handler(events));
  const { runs, watches } = watchAll(monitor, plan);
  const takeOver = (next: typeof handler): void => {
    handler = next;
    if (held.length > 0) next(held);
  };
  Object.assign(globalThis, { [Symbol.for('sockmon.early')]: { monitor, watches, runs, takeOver } });
  const fd = Number(process.env.SOCKMON_BENCH_WATCHING_FD);
  if (fd > 2) fs.writeSync(fd, 'w');
  delete process.env.SOCKMON_BENCH_WATCHING_FD;
}

const planFile = path.join(guessStateDir(), 'arm-plan.json');
const key = planKey();
const plan = readPlan(planFile, key);
if (plan !== null) {
  try {
    arm(plan);
  } catch {
    // The ordinary start meets the same error and has words for it.
  }
}
Object.assign(globalThis, { [Symbol.for('sockmon.plan')]: { file: planFile, key } });
void import('./start/main.js').then(main => main.main(process.argv));
