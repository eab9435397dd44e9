/** Gives a Home Assistant a past: what it has just lived through is moved to the days before, while it is not running. */
import { join } from 'node:path';
import { run } from '../lab/proc.js';

/** What happened between two marks, shifted so that it began when it is to have begun. */
export interface Mark {
  /** Unix time in ms at which it began in truth. */
  readonly real: number;
  /** And is to have begun. */
  readonly told: number;
}

const script = `
import json, sqlite3, sys
file, marks = sys.argv[1], json.loads(sys.argv[2])
db = sqlite3.connect(file)
# The last first: what has been moved is before all marks.
for i, mark in reversed(list(enumerate(marks))):
    since = mark["real"] / 1000
    until = marks[i + 1]["real"] / 1000 if i + 1 < len(marks) else 1e12
    shift = (mark["told"] - mark["real"]) / 1000
    if shift == 0:
        continue
    for table, columns in {"states": ["last_changed_ts", "last_reported_ts", "last_updated_ts"], "events": ["time_fired_ts"]}.items():
        key = columns[-1]
        sets = ", ".join(f"{c} = {c} + {shift}" for c in columns)
        db.execute(f"UPDATE {table} SET {sets} WHERE {key} >= {since} AND {key} < {until}")
db.execute("UPDATE recorder_runs SET start = datetime('now', '-30 days') WHERE run_id = (SELECT min(run_id) FROM recorder_runs)")
db.commit()
`;

export async function moveToThePast(python: string, folder: string, marks: readonly Mark[]): Promise<void> {
  await run([python, '-c', script, join(folder, 'home-assistant_v2.db'), JSON.stringify(marks)]);
}
