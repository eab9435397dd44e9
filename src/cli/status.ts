import { setTimeout as wait } from 'node:timers/promises';
import { errorTable, SockmonError } from '../base/errors.js';
import { ask } from '../control/client.js';
import type { StatusAnswer } from '../control/protocol.js';
import type { Io } from './io.js';
import { type LastKnown, lastKnown } from './journal-reader.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';
import { lastKnownText, statusText } from './status-text.js';

const answerMs = 5000;
const redrawMs = 1000;

type Known = (StatusAnswer & { readonly running: true }) | LastKnown;

export async function status(options: PlaceOptions & { json?: true; watch?: true }, io: Io): Promise<number> {
  if (options.json && options.watch)
    throw new SockmonError('USAGE', '--json and --watch do not go together; choose one.');
  const stateDir = findStateDir(options, io);
  if (options.watch) return watch(stateDir, io);
  const known = await look(stateDir);
  if (options.json) io.out(`${JSON.stringify(known, null, 2)}\n`);
  else io.out(textOf(known));
  return known.running ? 0 : errorTable.NOT_RUNNING.exitStatus;
}

async function look(stateDir: string): Promise<Known> {
  try {
    const answer = await ask(stateDir, { v: 1, request: 'status' }, answerMs);
    const { snapshot, connection, network, pid, version } = answer;
    return { running: true, pid, version, snapshot, connection, network };
  } catch (error) {
    if (error instanceof SockmonError && error.code === 'NOT_RUNNING') return lastKnown(stateDir);
    throw error;
  }
}

function textOf(known: Known): string {
  return known.running ? statusText(known) : lastKnownText(known);
}

async function watch(stateDir: string, io: Io): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  try {
    while (!stop.signal.aborted) {
      // Cursor home, then clear to the end: less flicker than clearing first. ECMA-48 CUP and ED.
      io.out(`\x1b[H\x1b[J${textOf(await look(stateDir))}`);
      await wait(redrawMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
  return 0;
}
