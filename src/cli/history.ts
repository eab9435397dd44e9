import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { SockmonError } from '../base/errors.js';
import { printable } from '../base/printable.js';
import type { OutageView } from '../report/views.js';
import type { Io } from './io.js';
import { readOutages, readStory } from './journal-reader.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';
import { lastedWords, storyText } from './story-text.js';
import { localTime, rows } from './table.js';

export interface HistoryOptions extends PlaceOptions {
  readonly json?: true;
  readonly limit: string;
}

/** @param wanted One outage, whose whole story is told; all of them in short if not given. */
export function history(wanted: string | undefined, options: HistoryOptions, io: Io): number {
  if (!/^[1-9]\d{0,8}$/.test(options.limit))
    throw new SockmonError('USAGE', `--limit ${options.limit}: expected a whole number from 1.`);
  const [outage, place] = wanted === undefined ? apart(options, io) : [wanted, options];
  const stateDir = findStateDir(place, io);
  return outage === undefined ? list(stateDir, options, io) : tell(outage, stateDir, options, io);
}

/** An outage that stands behind `--config FILE`, which takes several files, is no file. */
function apart(options: HistoryOptions, io: Io): [string | undefined, PlaceOptions] {
  const files = options.config ?? [];
  const last = files.at(-1);
  const isOutage = files.length > 1 && last !== undefined && /^[\w-]*\d$/.test(last);
  if (!isOutage || existsSync(resolve(io.cwd, last))) return [undefined, options];
  return [last, { ...options, config: files.slice(0, -1) }];
}

function list(stateDir: string, options: HistoryOptions, io: Io): number {
  const outages = readOutages(stateDir).reverse().slice(0, Number(options.limit));
  if (options.json) io.out(`${JSON.stringify(outages, null, 2)}\n`);
  else if (outages.length === 0) io.out(`No outages in the journal of ${stateDir}.\n`);
  else io.out(rows([['began', 'lasted', 'resource', 'attempts', 'outage', 'cause'], ...outages.map(row)]));
  return 0;
}

function tell(wanted: string, stateDir: string, options: HistoryOptions, io: Io): number {
  const { story, others } = readStory(stateDir, wanted);
  if (options.json) io.out(`${JSON.stringify(story, null, 2)}\n`);
  else {
    io.out(storyText(story));
    if (others.length > 0) io.out(`\nThe latest of that number. Others: ${others.join(', ')}\n`);
  }
  return 0;
}

function row(outage: OutageView): string[] {
  return [
    localTime(outage.began_at) + (outage.uncertain?.began_at === undefined ? '' : ' ?'),
    lastedWords(outage),
    outage.resource,
    String(outage.attempts),
    outage.id,
    printable(outage.cause) + (outage.drill ? ', in a drill' : ''),
  ];
}
