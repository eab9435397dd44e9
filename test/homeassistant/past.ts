/** Gives a Home Assistant a past: what it has just lived through is moved to the days before. */
import { join } from 'node:path';
import { run } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import type { HomeAssistant } from './instance.js';

/** What happened between two marks, shifted so that it began when it is to have begun. */
export interface Mark {
  /** Unix time in ms at which it began in truth. */
  readonly real: number;
  /** And is to have begun. */
  readonly told: number;
}

const script = `
import json, sqlite3, sys, time
file, marks = sys.argv[1], json.loads(sys.argv[2])
db = sqlite3.connect(file, timeout=30)
over = "SELECT 1 FROM events JOIN event_types t USING (event_type_id) WHERE t.event_type = 'story_over'"
deadline = time.monotonic() + 60
while not db.execute(over).fetchone():
    assert time.monotonic() < deadline, "the story is not written"
    time.sleep(0.1)
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
db.commit()
`;

/** @param entity One that had a state an hour ago, by then. */
export async function moveToThePast(
  home: HomeAssistant,
  marks: readonly Mark[],
  entity: string,
): Promise<void> {
  // It writes in order: once this is written, everything before it is.
  await home.rest('POST', '/api/events/story_over');
  const file = join(home.folder, 'home-assistant_v2.db');
  await run([home.python, '-c', script, file, JSON.stringify(marks)]);
  const since = new Date(Date.now() - 3_600_000).toISOString();
  let seen: unknown;
  const probe = async () => {
    // It remembers since when it has states; after this it has looked again. There is nothing so old that it would be purged.
    await home.callService('recorder', 'purge', { keep_days: 30 });
    const path = `/api/history/period/${since}?filter_entity_id=${entity}`;
    const [states] = await home.rest<{ last_changed: string }[][]>('GET', path);
    seen = states;
    return states?.[0] !== undefined && Date.parse(states[0].last_changed) <= Date.parse(since) + 1000;
  };
  const context = () => `${JSON.stringify(seen)}\n${home.log()}`;
  await until('a history', probe, { pollMs: 500, context });
}
