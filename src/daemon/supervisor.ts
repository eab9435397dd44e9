/** The only loop: input -> machine -> effects. Record, then act, then tell. */

import { SockmonError } from '../base/errors.js';
import type { Announced } from '../core/announced.js';
import { withJournal } from '../core/attempt.js';
import { mayRebootUnrecorded, unrecordedWords } from '../core/guard.js';
import type { Effect, Input } from '../core/input.js';
import { emptyState, next, nextWakeMs } from '../core/machine.js';
import type { Policy, Role } from '../core/policy.js';
import type {
  CommandAnswer,
  EvidencePort,
  Journal,
  Log,
  RebootPort,
  ReceivedCommand,
  Run,
  Wanted,
  Watcher,
} from '../core/ports.js';
import type { JournalEntry, RecordOf } from '../core/records.js';
import { attemptsAtWork } from '../core/takeover.js';
import { type Clock, type Instant, isoTime, type Vantage } from '../core/time.js';
import { type LastBoot, lastBootOf } from '../report/last-boot.js';
import { Picture } from '../report/picture.js';
import { type Seen, snapshot } from '../report/snapshot.js';
import type { Reporter, Telling } from '../report/telling.js';
import type { Snapshot } from '../report/views.js';
import { EvidenceQueue } from './evidence-queue.js';
import { Recorder } from './recorder.js';

/** What does not mind whether a resource is watched yet: 3,000 that begin together are watched together. */
const mayPass: readonly Effect['do'][] = ['watch', 'journal', 'collect', 'answer'];
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
  private state = emptyState();
  private policy: Policy;
  private readonly recorder: Recorder;
  private readonly evidence: EvidenceQueue;
  private readonly started: Instant;
  readonly told = new Picture(() => this.seen());
  private lastBoot: LastBoot | null = null;
  private watcher: Watcher | null = null;
  private timer: NodeJS.Timeout | null = null;
  /** Inputs that come while one is being worked on wait for their turn. */
  private readonly queue: Input[] = [];
  private working = false;
  private stopped = false;

  constructor(private readonly options: SupervisorOptions) {
    this.policy = options.policy;
    this.recorder = new Recorder(options.journal, options.log);
    this.evidence = new EvidenceQueue(options.evidence, options.log, inputs => this.dispatch(...inputs));
    this.started = options.clock.now();
  }

  /** Begins to watch. The watcher delivers its inputs to `dispatch`. */
  start(watcher: Watcher): void {
    this.watcher = watcher;
    const resources = this.policy.resources.map(resource => resource.id);
    this.recorder.record([{ type: 'start', version: this.options.version, pid: process.pid, resources }]);
    const earlier = watcher.takeOver(this.recorder.history.openRuns(this.options.clock.now()));
    for (const { resource, attempt, pid, run, isOver = false } of earlier)
      if (!isOver && !resources.includes(resource))
        this.options.log.warn({ run }, unwatchedWords(resource, attempt, pid));
    this.dispatch({ kind: 'configure', earlier });
  }

  /** What is given at once is committed to the disk at once: 1,000 deaths are one fdatasync, not 1,000. */
  dispatch(...inputs: readonly Input[]): void {
    if (this.stopped) return;
    this.queue.push(...inputs);
    if (this.working) return;
    this.work();
    this.setTimer();
    this.options.reporter.sync();
    this.options.onChange?.();
  }

  private work(): void {
    this.working = true;
    try {
      while (this.queue.length > 0) {
        const effects = this.queue.splice(0).flatMap(input => this.decide(input));
        // Once the records are in the history, what depends on them.
        effects.push(...this.decide({ kind: 'review' }));
        this.evidence.picture(effects);
        this.act(effects, this.recorder.commit());
        this.recorder.tell();
      }
    } finally {
      this.working = false;
    }
  }

  /** A turn of the loop without news. Timers come before the poll: what the thread has seen meanwhile is to be heard first. */
  tick(): void {
    setImmediate(() => this.dispatch({ kind: 'tick' }));
  }

  /** Nothing is watched any more. The daemon is to end; the journal tells why. */
  alarm(what: RecordOf<'alarm'>['what'], detail: string): void {
    if (!this.stopped) this.recorder.record([{ type: 'alarm', what, detail }]);
    this.recorder.tellAll();
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
    const running = attemptsAtWork(this.state);
    this.recorder.record([{ type: 'stop', reason, ...(running.length > 0 && { running }) }]);
    this.recorder.tellAll();
    this.watcher?.close();
  }

  // --- Telling: what the reporter and the control socket may ask ---

  entriesAfter(seq: number): readonly JournalEntry[] {
    return this.recorder.after(seq);
  }

  acknowledgedSeq(): number {
    return this.recorder.history.publishedSeq;
  }

  acknowledge(upTo: number): void {
    if (upTo > this.recorder.history.publishedSeq) this.recorder.record([{ type: 'published', upTo }]);
  }

  announced(): Announced {
    return this.recorder.history.announced;
  }

  noteAnnounced({ entities, each, resources, topic }: Announced): void {
    const known = { entities: [...entities], each, resources: [...resources] };
    this.recorder.record([{ type: 'announced', ...known, ...(topic !== null && { topic }) }]);
  }

  snapshot(): Snapshot {
    return snapshot(this.seen());
  }

  private seen(): Seen {
    const { state, policy, started, recorder } = this;
    const { node, version, clock, journal } = this.options;
    const now = clock.now();
    // Looked up once: it does not change.
    this.lastBoot ??= lastBootOf(journal.entries, now);
    const info = { node, version, started, policy, journalFault: recorder.fault, lastBoot: this.lastBoot };
    return { state, history: recorder.history, now, info };
  }

  role(resource: string): Role {
    return this.policy.resources.find(policy => policy.id === resource)?.role ?? 'service';
  }

  now(): Vantage {
    return this.recorder.history.seenFrom(this.options.clock.now());
  }

  command(command: ReceivedCommand): CommandAnswer {
    if (this.stopped) return stoppedAnswer(command, this.options.clock.now());
    const effects = this.decide({ kind: 'command', command });
    const reviewed = this.decide({ kind: 'review' });
    const saved = this.recorder.commit();
    // Not in the next turn, before which a slow disk may stand: whoever is told that something is left alone may kill it at once.
    this.act(reviewed, saved);
    this.recorder.tell();
    const answer = effects.find(effect => effect.do === 'answer')?.answer;
    if (answer === undefined) throw new SockmonError('INTERNAL', 'The machine did not answer a command.');
    if (!saved && answer.action === 'reboot' && answer.status === 'accepted') {
      const intent = this.recorder.history.pendingIntent?.intent ?? '';
      this.dispatch({ kind: 'reboot_failed', intent, error: unrecordedWords, cancelled: true });
      return { ...answer, status: 'rejected', code: 'journal_failed', detail: unrecordedWords };
    }
    setImmediate(() => {
      this.act(
        // Not the one that is returned; the answer to a command that this one replaces is among them too.
        effects.filter(effect => effect.do !== 'answer' || effect.answer !== answer),
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
      history: this.recorder.history,
    });
    this.state = step.state;
    this.recorder.add(step.effects.flatMap(effect => (effect.do === 'journal' ? [effect.record] : [])));
    return step.effects;
  }

  private act(effects: readonly Effect[], saved: boolean): void {
    const wanted: Wanted[] = [];
    for (const effect of effects) {
      if (wanted.length > 0 && !mayPass.includes(effect.do)) this.watcher?.watch(wanted.splice(0));
      switch (effect.do) {
        case 'watch':
          wanted.push({ resource: effect.resource, sensors: effect.policy.sensors });
          break;
        case 'unwatch':
          this.watcher?.unwatch(effect.resource);
          break;
        case 'arm':
          // As of now: at the moment of death there is no time for it.
          this.watcher?.armReflex(
            effect.resource,
            effect.run === null ? null : this.complete(effect.run),
            effect.natures,
          );
          break;
        case 'run':
          this.watcher?.run(this.complete(effect.run), effect.unlessAlive);
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
          this.evidence.look(effect);
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
    if (wanted.length > 0) this.watcher?.watch(wanted);
  }

  /** Only with its intent on disk: a reboot that nobody remembers would be the first of many. */
  private reboot(effect: Extract<Effect, { do: 'reboot' }>, saved: boolean): void {
    const { intent, level, command, automatic } = effect;
    // The harder ways belong to an intent that is recorded.
    const mustBeSaved = level === 'command' && !mayRebootUnrecorded(automatic, this.options.clock.now());
    if (!saved && mustBeSaved) {
      this.dispatch({ kind: 'reboot_failed', intent, error: unrecordedWords, cancelled: true });
      return;
    }
    this.options.reporter.sync();
    void this.options.reboot.reboot(level, command).then(error => {
      if (error !== null) this.dispatch({ kind: 'reboot_failed', intent, error, cancelled: false });
    });
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
    const deadlineMs = nextWakeMs(this.state);
    if (deadlineMs === null || this.stopped) return;
    const waitMs = Math.max(0, deadlineMs - this.options.clock.now().bootMs);
    this.timer = setTimeout(() => this.tick(), Math.min(Math.ceil(waitMs), longestTimerMs));
  }
}

function unwatchedWords(resource: string, attempt: number, pid: number): string {
  return `${resource} is not watched any more; the script of its attempt ${attempt}, started by an earlier sockmon (pid ${pid}), goes on and is not ended at its time`;
}

function stoppedAnswer({ id, action }: ReceivedCommand, now: Instant): CommandAnswer {
  const at = isoTime(now.wallMs);
  return { id, action, status: 'rejected', code: 'busy', detail: 'sockmon is being stopped', at };
}
