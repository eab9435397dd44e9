/** exec -> watching: when the daemon has armed its sensors, beside `node -e 0` from exec to exit. */

import { existsSync } from 'node:fs';
import { nodeCommand } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { type Started, start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';
import { interleave, type Row, row } from './stats.js';

type Variant = 'sockmon' | 'node';
const watchingFd = 3;

export async function startupRows(rounds: number): Promise<Row[]> {
  const lab = await Lab.open();
  try {
    const config = lab.writeConfig({
      log: { level: 'info' },
      resources: { tcpip: lab.resource(lab.restartScript()) },
    });
    // --state-dir: before it has read a configuration it looks for its plan there.
    const argv = lab.namespace.enter([
      ...nodeCommand,
      'run',
      '--config',
      config,
      '--state-dir',
      lab.stateDir,
    ]);
    await writePlan(lab, argv);
    const samples: Record<Variant, number[]> = { sockmon: [], node: [] };
    const measure = {
      sockmon: () => untilWatching(argv),
      node: () => untilExit(lab.namespace.enter([process.execPath, '-e', '0'])),
    };
    await interleave(['sockmon', 'node'] as const, rounds, async variant => {
      samples[variant].push(await measure[variant]());
    });
    const rival = { name: 'node -e 0, exec -> exit', samples: samples.node };
    return [row('exec -> watching', 'ms', samples.sockmon, rival, { kind: 'ratio', atMost: 1.2 })];
  } finally {
    await lab.close();
  }
}

/** Reading a file of certificates at start costs Node 20 some 80 ms, in both. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  return env;
}

function startDaemon(argv: readonly string[]): Started {
  const env = { ...environment(), SOCKMON_BENCH_WATCHING_FD: String(watchingFd) };
  return start(argv, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'], env });
}

/** The daemon writes down what it watches, and arms that first at its next start: the first start is not measured. */
async function writePlan(lab: Lab, argv: readonly string[]): Promise<void> {
  const daemon = startDaemon(argv);
  await until('the first start to write its plan', () => existsSync(`${lab.stateDir}/arm-plan.json`));
  daemon.child.kill('SIGTERM');
  await daemon.ended;
}

async function untilWatching(argv: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const daemon = startDaemon(argv);
  const announcement = daemon.child.stdio[watchingFd];
  const watchingAt = await new Promise<number>((resolve, reject) => {
    announcement?.once('data', () => resolve(performance.now()));
    // End of file: it ended, or went on without a word.
    announcement?.once('end', () => reject(new Error('sockmon did not announce that it watches')));
  });
  daemon.child.kill('SIGKILL');
  await daemon.ended;
  return watchingAt - startedAt;
}

async function untilExit(argv: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  await start(argv, { stdio: 'ignore', env: environment() }).ended;
  return performance.now() - startedAt;
}
