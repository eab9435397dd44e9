/** What the end of a connection is put down to: a rival with our id, a topic that the broker does not take, a refusal, or the way to it. */
import type { MqttSettings } from '../core/policy.js';
import type { Log } from '../core/ports.js';
import { RefusalRun, refusalIsShortMs, type Trouble } from './backoff.js';
import type { Connection } from './connection.js';
import { Culprits } from './culprits.js';
import { type End, type Ending, isRefused } from './ending.js';
import { LeftOut, type LeftOutFor, leaveOutMs } from './left-out.js';
import { leftOutProblem, rivalProblem } from './problems.js';
import { Rivalry, type RivalryTimes, rivalryTimes } from './rivalry.js';

export interface DiagnosisOptions {
  readonly settings: MqttSettings;
  /** Its name. */
  readonly broker: string;
  readonly log: Log;
  /** A connection that broke sooner than this says nothing good about the broker. */
  readonly stableMs: number;
  /** All times are multiplied by this; for tests. */
  readonly pace: number;
  /** For how long what a broker does not take is left out; for tests. */
  readonly leaveOutMs?: Readonly<Record<LeftOutFor, number>> | undefined;
  /** `problem` is another one. */
  readonly problemChanged: () => void;
  /** What was left out may be told again. */
  readonly tellAgain: () => void;
}

export class Diagnosis {
  readonly #options: DiagnosisOptions;
  readonly #rivalryTimes: RivalryTimes;
  readonly #rivalry: Rivalry;
  #rivalryTimer: NodeJS.Timeout | undefined;
  readonly #refusals: RefusalRun;
  readonly #leftOut: LeftOut;
  readonly #culprits: Culprits;

  constructor(options: DiagnosisOptions) {
    const { broker, log, pace, problemChanged, tellAgain } = options;
    this.#options = options;
    this.#rivalryTimes = {
      soonMs: rivalryTimes.soonMs * pace,
      quietMs: rivalryTimes.quietMs * pace,
    };
    this.#rivalry = new Rivalry(this.#rivalryTimes);
    this.#refusals = new RefusalRun(refusalIsShortMs * pace);
    this.#leftOut = new LeftOut(options.leaveOutMs ?? leaveOutMs, () => {
      problemChanged();
      tellAgain();
    });
    this.#culprits = new Culprits({
      broker,
      leftOut: this.#leftOut,
      log,
      calmMs: options.stableMs * pace,
    });
  }

  /** What the owner has to mend, in a sentence; null = nothing. */
  get problem(): string | null {
    const { broker, settings } = this.#options;
    const rival = this.#rivalry.known(performance.now());
    return rivalProblem(rival, broker, settings.clientId) ?? leftOutProblem(this.#leftOut, broker);
  }

  /** There is another client with our id, or there seems to be one. */
  get isFought(): boolean {
    return this.#rivalry.known(performance.now()) !== null;
  }

  /** What the next connection sends, and in which order. */
  get rules() {
    return this.#culprits.rules;
  }

  connected(connection: Connection): void {
    this.#refusals.connected();
    this.#culprits.connected(connection);
  }

  /** The connection, or the attempt to make one, is gone, for whatever reason. */
  ended(): void {
    this.#culprits.ended();
  }

  /** See Rivalry.leftBehind. */
  leftBehind(): void {
    this.#rivalry.leftBehind(performance.now());
  }

  /** See Rivalry.unreachable. */
  unreachable(): void {
    this.#rivalry.unreachable();
  }

  leaveOut(topic: string): void {
    this.#leftOut.add(topic);
  }

  stop(): void {
    clearTimeout(this.#rivalryTimer);
    this.#leftOut.stop();
  }

  /**
   * @param failures How many attempts have failed in a row before this one.
   * @param wasKicked Our own network has just come back.
   * @returns what it is, and how many failures of the kind were before it: for retryDelayMs.
   */
  troubleOf(end: End, failures: number, wasKicked: boolean): readonly [Trouble, number] {
    const { ending, livedMs, passedOver } = end;
    const nowMs = performance.now();
    const blame = this.#blameOf(end);
    if (blame !== null) this.#options.problemChanged();
    if (blame === 'blamed') {
      // What was closed before was closed for that.
      this.#rivalry.unreachable();
      return ['kicked', failures];
    }
    if (this.#isRival(ending, livedMs, nowMs)) {
      this.#alarm();
      return ['taken_over', failures];
    }
    if (blame === 'suspected') return ['kicked', failures];
    if (ending !== 'taken_over' && (ending !== 'hung_up' || livedMs === null)) this.#rivalry.unreachable();
    if (isRefused(ending) || (ending === 'passed_over' && passedOver === null))
      return this.#refusals.refused(nowMs);
    return [wasKicked || ending === 'passed_over' ? 'kicked' : 'lost', failures];
  }

  #blameOf({ ending, livedMs, lastWords }: End) {
    const isClosed = ending === 'hung_up' ? livedMs !== null : ending === 'lost' && lastWords?.code !== 0;
    return isClosed && !this.isFought && lastWords !== null ? this.#culprits.judge(lastWords) : null;
  }

  #isRival(ending: Ending, livedMs: number | null, nowMs: number): boolean {
    if (ending === 'taken_over') return this.#rivalry.proven(nowMs);
    return ending === 'hung_up' && livedMs !== null && this.#rivalry.closed(livedMs, nowMs);
  }

  #alarm(): void {
    clearTimeout(this.#rivalryTimer);
    const { problemChanged } = this.#options;
    this.#rivalryTimer = setTimeout(problemChanged, this.#rivalryTimes.quietMs + 1);
    this.#rivalryTimer.unref();
    problemChanged();
  }
}
