/** The demo's story: a real stack is killed, and what everybody saw of it. */
import type { JournalEntry } from '../src/core/records.js';
import { causeWords } from '../src/core/words.js';
import type { Daemon } from '../test/lab/daemon.js';
import type { Lab } from '../test/lab/lab.js';
import type { Message } from '../test/lab/recorder.js';
import type { Kill } from '../test/lab/stack.js';

/** What `npm run demo -- --json` prints. Durations in milliseconds since the kill. */
export interface Story {
  /** RFC 3339. */
  readonly killed_at: string;
  readonly detected_ms: number;
  readonly restart_started_ms: number;
  readonly network_back_ms: number;
  /** Receipt of the recovery's event, by a subscriber outside. */
  readonly published_ms: number;
  readonly cause: string;
  readonly attempts: number;
  readonly messages: readonly {
    readonly topic: string;
    readonly retain: boolean;
    readonly payload: string;
  }[];
}

/** A broker outside of the lab, and everything that it was given. */
export interface Elapsed {
  readonly port: number;
  readonly messages: readonly Message[];
  until(what: string, matches: (message: Message) => boolean): Promise<Message>;
}

/** Waits until sockmon watches, kills the stack, waits until the broker has been told. `onStep` is called at each turn of the story. */
export async function playStory(
  lab: Lab,
  daemon: Daemon,
  witness: Elapsed,
  onStep: (step: 'watching' | 'killed', kill?: Kill) => void,
): Promise<Story> {
  await daemon.watching();
  await witness.until(
    'sockmon to say online',
    ({ topic, payload }) => topic.endsWith('/status') && payload === 'online',
  );
  const told = witness.messages.length;
  onStep('watching');
  const kill = lab.killStack('SIGKILL');
  onStep('killed', kill);
  const end = await daemon.entry('outage_end');
  const recovered = await witness.until('the event of the recovery', isEvent('stack_recovered'));
  await witness.until(
    'online again',
    message => message.payload === 'online' && message.bootMs > kill.bootMs,
  );
  const state = (message: Message) => message.topic.endsWith('/state') && message.bootMs >= recovered.bootMs;
  await witness.until('the state afterwards', state);
  return {
    killed_at: new Date(kill.wallMs).toISOString(),
    detected_ms: since(kill, daemon.entries('outage_begin')[0]?.atMs),
    restart_started_ms: since(kill, daemon.entries('attempt')[0]?.atMs),
    network_back_ms: since(kill, end.atMs),
    published_ms: since(kill, recovered.bootMs),
    cause: causeWords(finalCause(daemon.journal())),
    attempts: end.attempts,
    messages: witness.messages.slice(told).map(({ topic, retain, payload }) => ({ topic, retain, payload })),
  };
}

/** The cause as it is known in the end: the process's exit explains why its interface went. */
function finalCause(journal: readonly JournalEntry[]) {
  const causes = journal.flatMap(entry =>
    entry.type === 'outage_begin' || entry.type === 'outage_cause' || entry.type === 'outage_end'
      ? [entry.cause]
      : [],
  );
  return causes.at(-1) ?? { kind: 'unknown' as const };
}

export function isEvent(type: string): (message: Message) => boolean {
  return ({ topic, payload }) => topic.endsWith('/event') && JSON.parse(payload).event_type === type;
}

function since(kill: Kill, bootMs: number | undefined): number {
  if (bootMs === undefined) throw new Error('the journal does not tell when this happened');
  return Math.round((bootMs - kill.bootMs) * 1000) / 1000;
}
