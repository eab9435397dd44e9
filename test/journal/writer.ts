/** Appends to the journal of the folder in argv[2] for ever and says each number after it is on disk. */
import fs from 'node:fs';
import { openJournal } from '../../src/journal/file.js';

const clock = { now: () => ({ bootId: 'boot', bootMs: 1, wallMs: 1, synced: true }) };
const journal = openJournal(process.argv[2] ?? '', clock, () => true);
for (;;) {
  const [entry] = journal.add([{ type: 'stop', reason: 'x'.repeat(100) }]);
  journal.commit();
  fs.writeSync(1, `${entry?.seq}\n`);
}
