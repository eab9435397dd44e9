/** The only loop: input -> machine -> effects. Record, then act, then tell. */
import type { Clock, Instant } from './core/clock.js';
import { SockmonError } from './core/errors.js';
import { mayRebootUnrecorded } from './core/guard.js';
import { History } from './core/history.js';
import { emptyState, next, nextDeadlineMs } from './core/machine.js';
import type { JournalEntry, JournalRecord, RecordOf } from './core/model.js';
import { type Policy, type Role, roleOf } from './core/policy.js';
import type {
  CommandAnswer,
  EvidencePort,
  Journal,
  Log,
  RebootPort,
  ReceivedCommand,
  Reporter,
  Run,
  Telling,
  Watcher,
} from './core/ports.js';
import { withJournal } from './core/run.js';
import { describe } from './core/sentence.js';
import { snapshot } from './core/snapshot.js';
import type { Snapshot } from './core/snapshot-model.js';
import type { Effect, Input } from './core/state.js';

/** setTimeout's limit; a longer wait is cut in pieces. */
const longestTimerMs = 2 ** 31 - 1;

export interface SupervisorOptions {
  readonly node: string;
  readonly version: string;
  readonly policy: Policy;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly reboot: RebootPort;
  readonly reporter: Reporter;
  readonly evidence: EvidencePort;
  readonly log: Log;
  /** Something may have changed in the snapshot. */
  readonly onChange?: () => void;
}

export class Supervisor implements Telling {
  private state = emptyState;
  private policy: Policy;
  private readonly history: History;
  private readonly started: Instant;
  private watcher: Watcher | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Inputs that come while one is being worked on wait for their turn. */
  private readonly queue: Input[] = [];
  private working = false;
  private journalFails = false;
  private stopped = false;

  constructor(private readonly options: SupervisorOptions) {
    this.policy = options.policy;
    this.history = new History(options.journal.entries);
    this.started = options.clock.now();
  }

  /** Begins to watch. The watcher delivers its inputs to `dispatch`. */
  start(watcher: Watcher): void {
    this.watcher = watcher;
    const resources = this.policy.resources.map(resource => resource.id);
    this.record([{ type: 'start', version: this.options.version, pid: process.pid, resources }]);
    this.dispatch({ kind: 'configure' });
  }

  dispatch(input: Input): void {
    if (this.stopped) return;
    this.queue.push(input);
    if (this.working) return;
    this.work();
    this.setTimer();
    this.options.reporter.sync();
    this.options.onChange?.();
  }

  private work(): void {
    this.working = true;
    try {
      for (let turn = this.queue.shift(); turn !== undefined; turn = this.queue.shift()) {
        this.perform(this.decide(turn));
        // Once the records are in the history, what depends on them.
        this.perform(this.decide({ kind: 'review' }));
      }
    } finally {
      this.working = false;
    }
  }

  /** A turn of the loop without news. */
  tick(): void {
    this.dispatch({ kind: 'tick' });
  }

  /** Nothing is watched any more. The daemon is to end; the journal tells why. */
  alarm(what: RecordOf<'alarm'>['what'], detail: string): void {
    if (!this.stopped) this.record([{ type: 'alarm', what, detail }]);
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Takes up a new policy: what is unchanged goes on being watched without a gap. */
  reconfigure(policy: Policy): void {
    this.policy = policy;
    this.dispatch({ kind: 'configure' });
  }

  /** A clean stop: what dies from now on is nobody's business. */
  stop(reason: string): void {
    if (this.stopped) return;
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.record([{ type: 'stop', reason }]);
    this.watcher?.close();
  }

  // --- Telling: what the reporter and the control socket may ask ---

  entriesAfter(seq: number): readonly JournalEntry[] {
    const { entries } = this.options.journal;
    let from = entries.length;
    while (from > 0 && (entries[from - 1]?.seq ?? 0) > seq) from--;
    return entries.slice(from);
  }

  acknowledgedSeq(): number {
    return this.history.publishedSeq;
  }

  acknowledge(upTo: number): void {
    if (upTo > this.history.publishedSeq) this.record([{ type: 'published', upTo }]);
  }

  snapshot(): Snapshot {
    const { node, version, clock } = this.options;
    return snapshot(this.state, this.history, clock.now(), {
      node,
      version,
      started: this.started,
      policy: this.policy,
    });
  }

  role(resource: string): Role {
    return roleOf(this.policy.resources.find(policy => policy.id === resource));
  }

  now(): Instant {
    return this.options.clock.now();
  }

  command(command: ReceivedCommand): CommandAnswer {
    const effects = this.decide({ kind: 'command', command });
    const saved = this.recordOf(effects);
    const answer = effects.find(effect => effect.do === 'answer')?.answer;
    if (answer === undefined) throw new SockmonError('INTERNAL', 'The machine did not answer a command.');
    if (!saved && answer.action === 'reboot' && answer.status === 'accepted') {
      const intent = this.history.pendingIntent?.intent ?? '';
      this.dispatch({ kind: 'reboot_failed', intent, error: journalWords, cancelled: true });
      return { ...answer, status: 'rejected', code: 'journal_failed', detail: journalWords };
    }
    setImmediate(() => {
      this.act(
        effects.filter(effect => effect.do !== 'answer'),
        saved,
      );
      this.dispatch({ kind: 'review' });
    });
    return answer;
  }

  // --- the loop's three parts ---

  private decide(input: Input): readonly Effect[] {
    const step = next(this.state, input, {
      now: this.options.clock.now(),
      policy: this.policy,
      history: this.history,
    });
    this.state = step.state;
    return step.effects;
  }

  private perform(effects: readonly Effect[]): void {
    this.act(effects, this.recordOf(effects));
  }

  private recordOf(effects: readonly Effect[]): boolean {
    const records = effects.flatMap(effect => (effect.do === 'journal' ? [effect.record] : []));
    return records.length === 0 || this.record(records);
  }

  /** False when the disk refuses. Restarts go on then: a recovery that nobody remembers is better than none. */
  private record(records: readonly JournalRecord[]): boolean {
    const { journal, log } = this.options;
    const known = this.history.lastSeq;
    let saved = true;
    try {
      journal.append(records);
      if (this.journalFails) log.info({}, 'the journal can be written again');
    } catch (error) {
      saved = false;
      if (!this.journalFails) log.error({ err: error }, (error as Error).message);
    }
    this.journalFails = !saved;
    for (const entry of this.entriesAfter(known)) {
      this.history.apply(entry);
      const { level, text } = describe(entry);
      log[level]({ seq: entry.seq, ...('outage' in entry && { outage: entry.outage }) }, text);
    }
    return saved;
  }

  private act(effects: readonly Effect[], saved: boolean): void {
    for (const effect of effects) {
      switch (effect.do) {
        case 'watch':
          this.watcher?.watch(effect.resource, effect.policy.sensors);
          break;
        case 'unwatch':
          this.watcher?.unwatch(effect.resource);
          break;
        case 'arm':
          // As of now: at the moment of death there is no time for it.
          this.watcher?.armReflex(effect.resource, effect.run === null ? null : this.complete(effect.run));
          break;
        case 'run':
          this.watcher?.run(this.complete(effect.run));
          break;
        case 'end_run':
          this.watcher?.endRun(effect.run);
          break;
        case 'reboot':
          this.reboot(effect, saved);
          break;
        case 'drill':
          this.drill(effect.resource, effect.command);
          break;
        case 'collect':
          this.collect(effect);
          break;
        case 'answer':
          this.options.reporter.answer(effect.answer);
          break;
        case 'network':
          if (effect.state === 'lost') this.options.reporter.networkLost();
          else this.options.reporter.networkBack();
          break;
        case 'journal':
          break;
      }
    }
  }

  /** Only with its intent on disk: a reboot that nobody remembers would be the first of many. */
  private reboot(effect: Extract<Effect, { do: 'reboot' }>, saved: boolean): void {
    const { intent, level, command, automatic } = effect;
    if (!saved && !mayRebootUnrecorded(automatic, this.options.clock.now())) {
      this.dispatch({ kind: 'reboot_failed', intent, error: journalWords, cancelled: true });
      return;
    }
    this.options.reporter.sync();
    void this.options.reboot.reboot(level, command).then(error => {
      if (error !== null) this.dispatch({ kind: 'reboot_failed', intent, error, cancelled: false });
    });
  }

  /**
   * A picture of the living is taken at once: it is cheap, and the next moment may be too late. What a death leaves behind is
   * collected after everything else of this turn: neither a restart nor a message waits for it.
   */
  private collect(effect: Extract<Effect, { do: 'collect' }>): void {
    if (effect.when === 'alive') void this.collectNow(effect);
    else setImmediate(() => void this.collectNow(effect));
  }

  private async collectNow({ resource, outage, when }: Extract<Effect, { do: 'collect' }>): Promise<void> {
    const { evidence, log } = this.options;
    try {
      const found = await evidence.collect(resource, when);
      if (when !== 'alive') this.dispatch({ kind: 'evidence', resource, outage, when, evidence: found });
    } catch (error) {
      log.debug({ err: error, outage }, 'the evidence could not be collected');
    }
  }

  private complete(run: Run): Run {
    return withJournal(run, this.options.journal.entries);
  }

  private drill(resource: string, command: string): void {
    const error = this.watcher === null ? 'nothing is watched' : this.watcher.kill(resource);
    if (error !== null) this.dispatch({ kind: 'drill_failed', resource, command, error });
  }

  private setTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const deadlineMs = nextDeadlineMs(this.state);
    if (deadlineMs === null || this.stopped) return;
    const waitMs = Math.max(0, deadlineMs - this.options.clock.now().bootMs);
    this.timer = setTimeout(
      () => this.dispatch({ kind: 'tick' }),
      Math.min(Math.ceil(waitMs), longestTimerMs),
    );
  }
}

const journalWords =
  'the journal cannot be written, and a reboot that nobody remembers could be the first of many';
