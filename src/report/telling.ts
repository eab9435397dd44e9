import type { Role } from '../core/policy.js';
import type { CommandAnswer, ReceivedCommand } from '../core/ports.js';
import type { JournalEntry } from '../core/records.js';
import type { Vantage } from '../core/time.js';
import type { ConnectionView, Snapshot } from './views.js';
/** What the reporter is given by the supervisor. */

export interface Telling {
  /** Every entry with a greater sequence number, oldest first. */
  entriesAfter(seq: number): readonly JournalEntry[];
  /** The cursor: everything up to it has been acknowledged. */
  acknowledgedSeq(): number;
  acknowledge(upTo: number): void;
  /** Home Assistant's entities that the broker was told of last, as `key platform`. */
  announced(): readonly string[];
  noteAnnounced(entities: readonly string[]): void;
  snapshot(): Snapshot;
  /** Whether a resource is (part of) the network itself. A resource that is no longer configured counts as a service. */
  role(resource: string): Role;
  /** Both clocks now: times are told by the clock as it is at the telling, which may have been set since. */
  now(): Vantage;
  /**
   * Judges a command and journals the verdict before it returns; the action itself starts after the current turn of the event loop,
   * so that the PUBACK leaves first. Later answers (`done`, `failed`) come through Reporter.answer.
   */
  command(command: ReceivedCommand): CommandAnswer;
}

export interface Reporter {
  start(telling: Telling): void;
  /** Something changed in the journal or the snapshot. Cheap; coalesces. */
  sync(): void;
  /** A command's later fate. */
  answer(answer: CommandAnswer): void;
  /** The stack died: a connection that is not proven alive afterwards is not believed. */
  networkLost(): void;
  /** The stack is back: connect now, unless the connection proved itself alive since networkLost. */
  networkBack(): void;
  /** How the broker is reached, for `sockmon status`. Names no user and no password. */
  connection(): ConnectionView;
  /** Publishes `offline`, disconnects. Resolves within two seconds, reachable or not. */
  stop(): Promise<void>;
}
