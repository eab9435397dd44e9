import type { Announced } from '../core/announced.js';
import type { Role } from '../core/policy.js';
import type { CommandAnswer, ReceivedCommand } from '../core/ports.js';
import type { JournalEntry } from '../core/records.js';
import type { Vantage } from '../core/time.js';
import type {
  ConnectionView,
  Origin,
  OutageView,
  Overview,
  Presence,
  ResourcesView,
  ResourceView,
  WatchedView,
} from './views.js';

/** What the broker is told of now, in parts. */
export interface Told {
  /** For `…/status`, and what tells that an outage of the network is over. Costs what the network has. */
  presence(): Presence;
  /** For `…/state`. Costs what is not simply up. */
  overview(): Overview;
  /** The part of it about the resources. */
  together(): ResourcesView;
  /** For `…/about`. */
  origin(): Origin;
  /** For `…/last_outage`; null = none is over. */
  lastOutage(): OutageView | null;
  /** All that is watched: the same object until the configuration changes. */
  watched(): readonly WatchedView[];
  isWatched(id: string): boolean;
  /** For `…/resource/ID`; null = it is not watched any more. */
  resource(id: string): ResourceView | null;
  /** Resources of which something may be told anew since the last call, also those that are watched no more. For one listener. */
  takeChanged(): readonly string[];
}

/** What the reporter is given by the supervisor. */
export interface Telling {
  /** Every entry with a greater sequence number, oldest first. */
  entriesAfter(seq: number): readonly JournalEntry[];
  /** The cursor: everything up to it has been acknowledged. */
  acknowledgedSeq(): number;
  acknowledge(upTo: number): void;
  /** What stays at the broker until it is taken away. */
  announced(): Announced;
  noteAnnounced(announced: Announced): void;
  readonly told: Told;
  /** Whether a resource is (part of) the network itself. A resource that is no longer configured counts as a service. */
  role(resource: string): Role;
  /** Both clocks now: times are told by the clock as it is at the telling, which may have been set since. */
  now(): Vantage;
  /**
   * Judges a command and journals the verdict before it returns. What the state alone follows (`pause`, `resume`) is in force then; a script
   * or a reboot starts after the current turn of the event loop, so that the PUBACK leaves first. Later answers (`done`, `failed`) come
   * through Reporter.answer.
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
