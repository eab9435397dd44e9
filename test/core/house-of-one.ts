/**
 * A house with one service: it, its restart script, another supervisor and sockmon itself, each with a life of its own, around the pure
 * machine. Time is simulated. Everything that happens is kept, and each rule that is broken is told at the moment when it is.
 */
import assert from 'node:assert/strict';
import type { Effect, Input } from '../../src/core/input.js';
import type { Run } from '../../src/core/ports.js';
import type { Cause, RunResult } from '../../src/core/records.js';
import { policy, resource, sensor, step, World } from './world.js';

/** What one execution of the restart script does; times from its start. What comes after its end is done in the background. */
export interface ScriptPlan {
  readonly lengthMs: number;
  /** null: it only starts. */
  readonly stopAtMs: number | null;
  readonly startAtMs: number;
  /** daemon: leaves the script's session. child: stays in it, and dies where the script is ended. exec: the script itself is the service. */
  readonly as: 'daemon' | 'child' | 'exec';
  readonly status: number;
  /** So many of the first executions do nothing but fail, so long after their begin. */
  readonly failures: number;
  readonly failsAfterMs: number;
}

export interface HousePlan {
  readonly script: ScriptPlan;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly settleMs: number;
  readonly riseMs: number;
  /** Who starts it as well, so long after each of its deaths, and so often. */
  readonly other: { readonly afterMs: number; readonly times: number } | null;
  /** Each so long after the one before. */
  readonly deaths: readonly { readonly gapMs: number; readonly cause: Cause }[];
  /** Restarts of sockmon. atDeath: in the same moment as the next death, whatever the gap. */
  readonly restarts: readonly {
    readonly gapMs: number;
    readonly awayMs: number;
    readonly how: 'killed' | 'stopped' | 'at_death';
  }[];
  /** How long sockmon needs to see what has been started, in turn. */
  readonly scansMs: readonly number[];
  /** How long the disk takes for what is to be recorded. */
  readonly commitMs: number;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly what: () => void;
}

/** A script that is at work. */
interface Work {
  readonly run: Run;
  readonly startedMs: number;
  isService: boolean;
  /** The service was its child. */
  hasServed: boolean;
  /** Ended before its own end: what it was to do next is not done. */
  isCut: boolean;
}

/** What the oracle has to say: a run that was started, and whether it was needed. */
interface Counted {
  readonly atMs: number;
  readonly needed: boolean;
}

const id = 'dns';
/** Whoever supervises it as well is given so long. */
const othersMs = 2000;
/** Everything is over by then: the ladder, and the first retries of what was given up. */
const longestMs = 2 * 3_600_000;
const graceMs = 2000;

const term: Cause = { kind: 'signal', signal: 'SIGTERM', coreDumped: false };

export class House {
  readonly world: World;
  readonly runs: Counted[] = [];
  /** Deaths that are nobody's doing here, and hit a living service. */
  injected = 0;
  /** Of them, those that certainly are outages of their own. */
  separate = 0;
  /** What happened, for whoever reads a counterexample. */
  readonly diary: string[] = [];

  private readonly events: Event[] = [];
  private order = 0;
  /** Of the service that lives: 0, 1, 2, ...; null: none does. */
  private life: number | null = 0;
  private lives = 0;
  /** The work whose process, or whose child, is the living service. */
  private server: Work | null = null;
  private otherStartsMs: number | null = null;
  private otherTimes: number;
  private readonly works = new Set<Work>();
  /** When scripts, also in the background, will start it. */
  private readonly startsMs = new Set<number>();
  private isAwake = true;
  /** Of this sockmon: what was meant for an earlier one is dropped. */
  private epoch = 0;
  /** Ended while no sockmon was there. */
  private readonly overUnseen: Work[] = [];
  /** What the loop has not heard yet. */
  private readonly inbox: Input[] = [];
  private armed: Run | null = null;
  /** What the monitor thread has told last. */
  private isSeen = false;
  /** The loop waits for the disk until then. */
  private busyUntilMs = 0;
  private scans = 0;
  /** Since when nothing has happened that the next death could be a consequence of. */
  private quietSinceMs = 0;
  private begun = 0;
  private deathsLeft: number;
  private isStoppedInOrder = false;
  private isNobodysBusiness = false;
  private diesWithNext: number | null = null;

  constructor(readonly plan: HousePlan) {
    const { everyMs, timeoutMs, settleMs, riseMs } = plan;
    const restart = step('restart', { everyMs, timeoutMs, graceMs });
    const sensors = [sensor('process dnsmasq')];
    const dns = resource(id, {
      sensors,
      steps: [restart],
      rebootWhenFailed: false,
      settleMs,
      riseMs,
    });
    this.world = new World(policy([dns]));
    this.otherTimes = plan.other?.times ?? 0;
    this.deathsLeft = plan.deaths.length;
    this.follow(this.world.effects.splice(0));
    this.see(true);
    let atMs = this.nowMs;
    for (const { gapMs, cause } of plan.deaths) {
      atMs += gapMs;
      this.at(atMs, () => this.inject(cause));
    }
    atMs = this.nowMs;
    for (const { gapMs, awayMs, how } of plan.restarts) {
      atMs += gapMs;
      this.at(atMs, () => this.leave(awayMs, how));
    }
  }

  private get nowMs(): number {
    return this.world.bootMs;
  }

  private note(words: string): void {
    this.diary.push(`${((this.nowMs - 3_600_000) / 1000).toFixed(3)} ${words}`);
  }

  private at(atMs: number, what: () => void): void {
    this.events.push({ atMs, order: this.order++, what });
  }

  /** Until nothing is left to happen but time, and then for as long as anything could still come of it. */
  live(): void {
    const untilMs = this.nowMs + longestMs;
    let aliveSinceMs: number | null = null;
    for (;;) {
      const dueMs = this.nextMs();
      const isCalm = this.isCalm();
      aliveSinceMs = isCalm ? (aliveSinceMs ?? this.nowMs) : null;
      const { settleMs, everyMs } = this.plan;
      if (aliveSinceMs !== null && this.nowMs - aliveSinceMs > settleMs + everyMs + 60_000) return;
      if (aliveSinceMs !== null && dueMs === null) return;
      assert.ok(dueMs !== null, `it never ends: ${this.world.phase(id).name}`);
      assert.ok(dueMs <= untilMs, `it does not end: ${this.world.phase(id).name}`);
      this.turn(dueMs);
    }
  }

  /** All deaths have come, it lives, and sockmon knows it. */
  private isCalm(): boolean {
    if (this.deathsLeft > 0 || !this.isAwake) return false;
    const { name } = this.world.phase(id);
    // What died after an orderly stop is nobody's business.
    if (this.isNobodysBusiness && name === 'absent' && this.life === null) return true;
    return name === 'up' && this.life !== null;
  }

  private nextMs(): number | null {
    const moments = this.events.map(({ atMs }) => atMs);
    const deadlineMs = this.isAwake ? this.world.deadline() : null;
    if (deadlineMs !== null) moments.push(Math.max(deadlineMs, this.busyUntilMs));
    return moments.length === 0 ? null : Math.max(this.nowMs, Math.min(...moments));
  }

  private turn(dueMs: number): void {
    this.world.advance(dueMs - this.nowMs);
    const [first] = this.events.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order);
    if (first !== undefined && first.atMs <= this.nowMs) {
      this.events.splice(this.events.indexOf(first), 1);
      first.what();
    } else this.input({ kind: 'tick' });
    this.check();
  }

  // --- sockmon ---

  /** To the machine, in order, when the loop is free. */
  private tell(input: Input): void {
    if (!this.isAwake) return;
    this.inbox.push(input);
    this.hear();
  }

  private hear(): void {
    while (this.inbox.length > 0 && this.nowMs >= this.busyUntilMs) this.input(this.inbox.shift() as Input);
  }

  private input(input: Input): void {
    const count = this.world.effects.length;
    const name = this.world.phase(id).name;
    this.world.input(input);
    const after = this.world.phase(id).name;
    if (after !== name) this.note(`  ${input.kind}: ${name} -> ${after}`);
    this.follow(this.world.effects.slice(count));
  }

  /** Recorded, and then done. */
  private follow(effects: readonly Effect[]): void {
    const { commitMs } = this.plan;
    const { epoch } = this;
    const isRecorded = effects.some(effect => effect.do === 'journal');
    if (!isRecorded || commitMs === 0) {
      this.act(effects);
      return;
    }
    this.busyUntilMs = this.nowMs + commitMs;
    this.at(this.busyUntilMs, () => {
      if (epoch !== this.epoch) return;
      this.act(effects);
      this.hear();
    });
  }

  private act(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.do === 'arm') this.armed = effect.run;
      if (effect.do === 'run') this.run(effect.run, effect.unlessAlive);
      if (effect.do === 'end_run')
        for (const work of this.works) if (work.run.id === effect.run) this.end(work);
    }
  }

  private run(run: Run, unlessAlive: boolean): void {
    if (unlessAlive && this.life !== null) {
      this.note(`run ${run.id} is held back`);
      const result = { kind: 'not_needed' } as const;
      this.tell({ kind: 'run_ended', run: run.id, atMs: this.nowMs, result, output: '' });
      this.see(true);
    } else this.work(run);
  }

  /** The monitor thread looks at the service. */
  private see(isUp: boolean, more: { cause?: Cause; reflex?: string | null } = {}): void {
    if (!this.isAwake || isUp === this.isSeen) return;
    this.isSeen = isUp;
    this.isNobodysBusiness = false;
    this.quietSinceMs = this.nowMs;
    const ownRun = isUp && this.server !== null && this.works.has(this.server);
    this.tell(this.world.report(id, isUp ? 'up' : 'down', { ownRun, ...more }));
  }

  private leave(awayMs: number, how: HousePlan['restarts'][number]['how']): void {
    if (!this.isAwake) return;
    if (how === 'at_death') {
      this.diesWithNext = awayMs;
      return;
    }
    if (how === 'stopped') {
      this.world.append({ type: 'stop', reason: 'SIGTERM' });
      this.isStoppedInOrder = true;
    }
    this.sleep(awayMs);
  }

  private sleep(awayMs: number): void {
    this.note(`sockmon ends for ${awayMs} ms`);
    this.isAwake = false;
    this.epoch++;
    this.inbox.length = 0;
    this.armed = null;
    this.isSeen = false;
    this.at(this.nowMs + awayMs, () => this.wake());
  }

  private wake(): void {
    this.isAwake = true;
    this.busyUntilMs = 0;
    this.quietSinceMs = this.nowMs;
    this.isNobodysBusiness = (this.isStoppedInOrder || this.isNobodysBusiness) && this.life === null;
    this.isStoppedInOrder = false;
    const { world } = this;
    const living = [...this.works].map(({ run, startedMs }) => world.earlierRun(run, startedMs));
    // Their run files are left, or they stand in the journal.
    const files = this.overUnseen.splice(0).map(({ run, startedMs }) => world.earlierRun(run, startedMs));
    const known = new Set([...living, ...files].map(({ run }) => run));
    const recorded = world.history.openRuns(world.now()).filter(({ run }) => !known.has(run));
    const over = [...files, ...recorded].map(run => ({ ...run, isOver: true as const }));
    const count = world.effects.length;
    world.restart(world.bootId, [...living, ...over]);
    this.note(`sockmon starts, ${living.length} runs go on: ${this.world.phase(id).name}`);
    this.follow(world.effects.slice(count));
    if (this.life !== null) this.see(true);
    else this.tell(this.world.report(id, 'absent'));
  }

  // --- the service ---

  private begin(by: string, server: Work | null = null): void {
    if (this.life !== null) return;
    this.note(`${by} starts the service`);
    this.life = ++this.lives;
    this.server = server;
    if (server !== null) server.hasServed = true;
    this.otherStartsMs = null;
    const { life, epoch } = this;
    const { scansMs } = this.plan;
    const scanMs = scansMs[this.scans++ % scansMs.length] ?? 0;
    this.at(this.nowMs + scanMs, () => {
      if (life === this.life && epoch === this.epoch) this.see(true);
    });
  }

  private inject(cause: Cause): void {
    this.deathsLeft--;
    if (this.life === null) return;
    this.injected++;
    const mustBeOne = this.isOnItsOwn();
    if (mustBeOne) this.separate++;
    const { begun } = this;
    const awayMs = this.diesWithNext;
    this.diesWithNext = null;
    this.die('a stranger', cause, awayMs);
    if (!mustBeOne || awayMs !== null) return;
    this.at(this.nowMs + 2 * this.plan.commitMs + 1, () =>
      assert.equal(this.begun, begun + 1, 'a death long after everything else was no outage of its own'),
    );
  }

  /** Seen alive, and nothing of ours at work, for longer than anything has to be verified. */
  private isOnItsOwn(): boolean {
    const { settleMs, riseMs, timeoutMs, commitMs } = this.plan;
    const isWork = [...this.works].some(work => work !== this.server);
    const dueMs = this.quietSinceMs + settleMs + riseMs + timeoutMs + graceMs + commitMs + 1;
    return this.isAwake && this.isSeen && !isWork && this.nowMs >= this.busyUntilMs && this.nowMs > dueMs;
  }

  private die(by: string, cause: Cause, sockmonAwayMs: number | null = null): void {
    if (this.life === null) return;
    this.note(`${by} ends the service`);
    this.life = null;
    const { server } = this;
    this.server = null;
    if (this.plan.other !== null && this.otherTimes > 0) {
      this.otherTimes--;
      const atMs = this.nowMs + this.plan.other.afterMs;
      const { lives } = this;
      this.otherStartsMs = atMs;
      this.at(atMs, () => {
        if (lives === this.lives) this.begin('the other supervisor');
      });
    }
    // It was the script itself, which is over before the next one begins.
    const own = server?.isService ? server : null;
    if (own !== null) this.works.delete(own);
    const reflex = this.isSeen ? this.armed : null;
    this.armed = reflex === null ? this.armed : null;
    if (reflex !== null) this.work(reflex);
    // With everything that it has seen and not written down.
    if (sockmonAwayMs !== null && this.isAwake) this.sleep(sockmonAwayMs);
    this.see(false, { cause, reflex: reflex?.id ?? null });
    if (own !== null) this.over(own, { kind: 'signal', signal: 'SIGKILL' });
  }

  // --- the script ---

  private work(run: Run): void {
    const { lengthMs, stopAtMs, startAtMs, as, status, failures, failsAfterMs } = this.plan.script;
    const needed = this.life === null && !this.isSomebodyAboutToStart();
    this.note(`run ${run.id} by ${run.purpose.by}${needed ? '' : ', not needed'}`);
    this.runs.push({ atMs: this.nowMs, needed });
    for (const { startedMs, run: other, hasServed } of this.works) {
      // Who outlives its time beside a living service is taken for the service, and so is who has had it for a child.
      if (this.nowMs - startedMs < this.plan.timeoutMs && !hasServed)
        assert.fail(`run ${run.id} begins beside ${other.id}`);
    }
    const work: Work = { run, startedMs: this.nowMs, isService: false, hasServed: false, isCut: false };
    this.works.add(work);
    const { epoch } = this;
    this.at(this.nowMs, () => {
      const started = { run: run.id, atMs: work.startedMs, pid: 4711, startTicks: work.startedMs };
      if (epoch === this.epoch) this.tell({ kind: 'run_started', ...started });
    });
    const does = (afterMs: number, what: () => void) =>
      this.at(work.startedMs + afterMs, () => {
        if (work.isCut) return;
        // What goes on in the background may be felt for as long.
        this.quietSinceMs = this.nowMs;
        what();
      });
    if (this.runs.length <= failures) {
      does(failsAfterMs, () => this.finish(work, { kind: 'exit', code: 1 }));
      return;
    }
    if (stopAtMs !== null) does(stopAtMs, () => this.die('the script', term));
    const startsMs = work.startedMs + startAtMs;
    this.startsMs.add(startsMs);
    does(startAtMs, () => {
      this.startsMs.delete(startsMs);
      const isTaken = this.life !== null;
      work.isService = as === 'exec' && !isTaken;
      this.begin('the script', as === 'daemon' || startAtMs > lengthMs ? null : work);
      if (as === 'exec' && isTaken) this.finish(work, { kind: 'exit', code: 98 });
    });
    does(lengthMs, () => {
      if (!work.isService) this.finish(work, { kind: 'exit', code: status });
    });
  }

  private isSomebodyAboutToStart(): boolean {
    const untilMs = this.nowMs + Math.min(othersMs, this.plan.everyMs);
    const starts = [...this.startsMs];
    if (this.otherStartsMs !== null) starts.push(this.otherStartsMs);
    return starts.some(atMs => atMs <= untilMs);
  }

  private finish(work: Work, result: RunResult): void {
    if (this.works.delete(work)) this.over(work, result);
  }

  private over(work: Work, result: RunResult): void {
    this.note(`run ${work.run.id} ends`);
    this.quietSinceMs = this.nowMs;
    if (!this.isAwake) this.overUnseen.push(work);
    // A resource is looked for at once where its script has ended.
    this.tell({ kind: 'run_ended', run: work.run.id, atMs: this.nowMs, result, output: '' });
    if (this.life !== null) this.see(true);
  }

  /** Its whole session is ended. */
  private end(work: Work): void {
    this.note(`run ${work.run.id} is ended`);
    work.isCut = true;
    this.startsMs.delete(work.startedMs + this.plan.script.startAtMs);
    if (this.server === work) this.die('the end of its session', term);
    this.finish(work, { kind: 'signal', signal: 'SIGTERM' });
  }

  // --- the oracle ---

  private check(): void {
    this.begun = this.world.of('outage_begin').length;
    assert.ok(
      this.begun <= this.injected,
      `${this.begun} outages begin by ${this.injected} deaths that were nobody's doing`,
    );
    const needed = this.runs.filter(run => run.needed).length;
    assert.ok(
      this.runs.length <= needed + this.injected,
      `${this.runs.length} runs, ${needed} of them needed, by ${this.injected} deaths`,
    );
  }
}
