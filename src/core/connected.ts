/** The snapshot together with what only the reporter knows. Pure. */
import type { ConnectionView, Snapshot } from './snapshot-model.js';

/** A connection that wants a person is a problem like any other. */
export function withProblemOf({ problem }: ConnectionView, snapshot: Snapshot): Snapshot {
  return problem === null ? snapshot : { ...snapshot, problems: [...snapshot.problems, problem] };
}
