import { SockmonError } from '../core/errors.js';
import { durationWords } from '../core/sentence.js';
import type { OutageView } from '../core/snapshot-model.js';
import { printable } from '../printable.js';
import type { Io } from './io.js';
import { readOutages } from './record.js';
import { findStateDir, type PlaceOptions } from './state-dir.js';
import { localTime, rows } from './table.js';

export function history(options: PlaceOptions & { json?: true; limit: string }, io: Io): number {
  if (!/^[1-9]\d{0,8}$/.test(options.limit))
    throw new SockmonError('USAGE', `--limit ${options.limit}: expected a whole number from 1.`);
  const stateDir = findStateDir(options, io);
  const outages = readOutages(stateDir).reverse().slice(0, Number(options.limit));
  if (options.json) io.out(`${JSON.stringify(outages, null, 2)}\n`);
  else if (outages.length === 0) io.out(`No outages in the journal of ${stateDir}.\n`);
  else io.out(rows([['began', 'lasted', 'resource', 'attempts', 'cause'], ...outages.map(outageRow)]));
  return 0;
}

function outageRow(outage: OutageView): string[] {
  return [
    localTime(outage.began_at) + (outage.time_uncertain ? ' ?' : ''),
    lastedWords(outage),
    outage.resource,
    String(outage.attempts),
    printable(outage.cause),
  ];
}

export function lastedWords(outage: OutageView): string {
  if (outage.outcome === 'open') return 'still open';
  const lasted = outage.duration_s === null ? '' : durationWords(outage.duration_s * 1000);
  return outage.outcome === 'forgotten' ? `${lasted}, then no longer watched` : lasted;
}
