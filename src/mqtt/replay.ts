/** Tells the journal's facts over one connection, in order, and moves the cursor as the broker acknowledges them. */

import type { Log } from '../core/ports.js';
import type { Cause, JournalEntry } from '../core/records.js';
import type { Telling } from '../report/telling.js';
import { eventOf, isTellable } from './events.js';
import { eventForms, fitting } from './fitting.js';
import type { Message, Outbox } from './outbox.js';
import { TooLarge } from './too-large.js';
import { WasLeftOut } from './was-left-out.js';

interface Told {
  readonly seq: number;
  acked: boolean;
}

export interface ReplayOptions {
  readonly telling: Telling;
  readonly outbox: Outbox;
  readonly topic: string;
  readonly log: Log;
  maximumBytes(): number;
}

export class Replay {
  readonly #options: ReplayOptions;
  readonly #telling: Telling;
  /** Queued or sent and not yet acknowledged without a gap, oldest first. */
  #told: Told[] = [];
  #readSeq: number;
  #ackedSeq: number;
  #savedSeq: number;
  #unsent = 0;
  #refused = false;
  /** Over this connection. */
  #isRefusalTold = false;
  #saveQueued = false;

  constructor(options: ReplayOptions) {
    const { telling } = options;
    this.#options = options;
    this.#telling = telling;
    this.#readSeq = this.#ackedSeq = this.#savedSeq = telling.acknowledgedSeq();
  }

  /** Facts that have not been handed to the connection yet. */
  get unsent(): number {
    return this.#unsent;
  }

  /** Tells what is new in the journal. After a refusal by the broker it begins again at the first untold fact. */
  sync(): void {
    if (this.#refused) {
      this.#refused = false;
      this.#told = [];
      this.#readSeq = this.#ackedSeq;
    }
    for (const entry of this.#telling.entriesAfter(this.#readSeq)) {
      this.#readSeq = entry.seq;
      if (isTellable(entry)) this.#tell(entry);
    }
  }

  /** Writes the cursor now; otherwise it is written once per batch of acknowledgements. */
  save(): void {
    this.#saveQueued = false;
    if (this.#ackedSeq <= this.#savedSeq) return;
    try {
      this.#telling.acknowledge(this.#ackedSeq);
      this.#savedSeq = this.#ackedSeq;
    } catch (error) {
      this.#options.log.error(
        { err: error },
        'The journal cannot note what the broker has acknowledged; it will be told again after a restart.',
      );
    }
  }

  /** An exit code is often learned some milliseconds after the death was recorded. */
  #laterCause(begin: JournalEntry, outage: string): Cause | undefined {
    const later = this.#telling
      .entriesAfter(begin.seq)
      .findLast(entry => entry.type === 'outage_cause' && entry.outage === outage);
    return later?.type === 'outage_cause' ? later.cause : undefined;
  }

  #rootOf(outage: string): string | undefined {
    const entry = this.#telling
      .entriesAfter(0)
      .findLast(one => (one.type === 'outage_root' || one.type === 'outage_begin') && one.outage === outage);
    return entry?.type === 'outage_root' || entry?.type === 'outage_begin' ? entry.root : undefined;
  }

  #tell(entry: JournalEntry): void {
    const told: Told = { seq: entry.seq, acked: false };
    this.#told.push(told);
    this.#unsent += 1;
    this.#options.outbox.add(
      () => {
        this.#unsent -= 1;
        return this.#refused ? null : this.#messageOf(entry);
      },
      error => this.#settled(told, error),
    );
  }

  #messageOf(entry: JournalEntry): Message | null {
    const event = eventOf(entry, {
      now: this.#telling.now(),
      role: resource => this.#telling.role(resource),
      laterCause: outage => this.#laterCause(entry, outage),
      rootOf: outage => this.#rootOf(outage),
    });
    if (event === null) return null;
    const { topic, maximumBytes } = this.#options;
    return { topic, payload: fitting(eventForms(event), topic, maximumBytes()), retain: false };
  }

  #settled(told: Told, error: Error | null): void {
    const { log, topic } = this.#options;
    if (error instanceof TooLarge) {
      // It will never take it, and those behind it wait.
      log.warn(
        { topic, seq: told.seq, error: error.message },
        `The event ${told.seq} is not told (${error.message}). It stays in the journal; let the broker take larger packets.`,
      );
    } else if (error !== null) {
      this.#refused = true;
      if (this.#isRefusalTold || error instanceof WasLeftOut) return;
      this.#isRefusalTold = true;
      log.warn(
        { topic, error: error.message },
        `The broker refused an event (${error.message}). It stays in the journal; let this user write to ${topic}.`,
      );
      return;
    }
    told.acked = true;
    while (this.#told[0]?.acked) {
      this.#ackedSeq = this.#told[0].seq;
      this.#told.shift();
    }
    if (this.#ackedSeq > this.#savedSeq && !this.#saveQueued) {
      this.#saveQueued = true;
      setImmediate(() => {
        if (this.#saveQueued) this.save();
      });
    }
  }
}
