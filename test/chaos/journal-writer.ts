/**
 * Appends to the journal of the folder in argv[2] for ever and says each number once it is on disk. argv[3]: so many entries at first, in
 * one go. argv[4] `unsynced`: a journal that does not wait for the disk, for comparison.
 */
import fs from 'node:fs';
import type { JournalRecord } from '../../src/core/records.js';
import { openJournal } from '../../src/journal/file.js';

const [, , stateDir = '', first = '0', how] = process.argv;
if (how === 'unsynced') fs.fdatasyncSync = () => {};

const clock = { now: () => ({ bootId: 'boot', bootMs: 1, wallMs: Date.now(), synced: true }) };
const entry: JournalRecord = {
  type: 'notice',
  resource: 'r',
  atMs: 1,
  what: 'degraded',
  detail: 'x'.repeat(100),
};
const journal = openJournal(stateDir, clock, () => true);
journal.add(Array.from({ length: Number(first) }, () => entry));
journal.commit();
for (;;) {
  const [added] = journal.add([entry]);
  journal.commit();
  fs.writeSync(1, `${added?.seq}\n`);
}
