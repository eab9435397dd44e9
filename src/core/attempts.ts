/** The attempts of all resources as the journal tells them: for the budgets, and for a sockmon that starts in the middle of one. Pure. */
import type { Instant } from './clock.js';
import type { Acted } from './history.js';
import type { JournalEntry, RecordOf } from './model.js';
import type { EarlierRun } from './ports.js';
import { rememberedAttempts, rememberedRuns } from './remembered.js';

type Attempt = Acted & RecordOf<'attempt'>;

export class Attempts {
  /** Starts by resource, the latest last. */
  private readonly begun = new Map<string, Attempt[]>();
  /** Runs whose end has not been recorded, by their id. */
  private readonly open = new Map<string, EarlierRun & { readonly bootId: string }>();

  add(attempt: Attempt): void {
    const attempts = this.begun.get(attempt.resource) ?? [];
    attempts.push(attempt);
    if (attempts.length > rememberedAttempts) attempts.shift();
    this.begun.set(attempt.resource, attempts);
  }

  /** What a shutdown has held back was no restart. */
  takeBack({ resource, run }: RecordOf<'attempt_end'>): void {
    const attempts = this.begun.get(resource) ?? [];
    const kept = attempts.filter(attempt => attempt.run !== run);
    this.begun.set(resource, kept);
  }

  of(resource: string): readonly Acted[] {
    return this.begun.get(resource) ?? [];
  }

  started(entry: JournalEntry & RecordOf<'run_started'>): void {
    const { run, resource, pid, startTicks, deadlineMs = null, graceMs, bootId } = entry;
    for (const [id, other] of this.open) if (other.bootId !== bootId) this.open.delete(id);
    const begun = this.begun.get(resource)?.findLast(attempt => attempt.run === run);
    if (begun === undefined) return;
    const { outage, attempt, step = '', script, by, atMs: startedMs } = begun;
    const purpose = { resource, outage, attempt, step, script, by };
    this.open.set(run, { ...purpose, run, pid, startTicks, startedMs, deadlineMs, graceMs, bootId });
    for (const [oldest] of this.open) if (this.open.size > rememberedRuns) this.open.delete(oldest);
  }

  ended({ run }: RecordOf<'attempt_end'>): void {
    this.open.delete(run);
  }

  /** Those of this boot that have begun and of whose end nothing is recorded. Whether they live, only their processes can tell. */
  openRuns({ bootId }: Pick<Instant, 'bootId'>): readonly EarlierRun[] {
    return [...this.open.values()].flatMap(({ bootId: of, ...run }) => (of === bootId ? [run] : []));
  }
}
