/** What the supervisor needs from the world. Each adapter implements one port; none knows another. */

import type { FieldValue, Nature, Sensor } from './policy.js';
import type { Action, JournalEntry, JournalRecord, RecordOf } from './records.js';
import type { RefusalCode } from './refusal-codes.js';

export interface Journal {
  /** All entries, oldest first. */
  readonly entries: readonly JournalEntry[];
  /** Numbers and stamps the records and keeps them in memory until the next commit. */
  add(records: readonly JournalRecord[]): JournalEntry[];
  /**
   * Everything added is on disk (one fdatasync for all) when it returns. A lone `published` record is written without waiting for the
   * disk: losing one means telling again, with the same ids.
   * @throws SockmonError JOURNAL_WRITE when the disk refuses (ENOSPC, EROFS, EIO). The entries stay, also over a restart of sockmon, and
   *   are written with the next commit that the disk takes.
   */
  commit(): void;
  close(): void;
}

/** What a script is run for. */
export interface RunPurpose {
  readonly resource: string;
  readonly outage: string;
  readonly attempt: number;
  readonly step: string;
  /** Its command line. */
  readonly script: string;
  readonly by: RecordOf<'attempt'>['by'];
}

/** A script that an earlier sockmon has started, and what tells its process from all others. */
export interface EarlierRun extends RunPurpose {
  readonly run: string;
  readonly pid: number;
  readonly startTicks: number;
  readonly startedMs: number;
  /** When its session is ended; null: never. */
  readonly deadlineMs: number | null;
  readonly graceMs: number;
  /** Its process has ended while nobody looked. */
  readonly isOver?: true;
}

/** A script to run. The id comes back in every input about it. */
export interface Run {
  readonly id: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** How many of the journal's last lines it gets as SOCKMON_JOURNAL. */
  readonly journalLines: number;
  readonly purpose: RunPurpose;
  /** How long it may take. The machine keeps that time, not the watcher. */
  readonly timeoutMs: number;
  readonly graceMs: number;
}

export type NetworkKind = 'links' | 'addresses' | 'routes' | 'rules' | 'nexthops';

/** How the monitor has kept its picture of the network; native/index.d.ts says what each number means. */
export interface NetworkCounters {
  readonly messages: number;
  readonly changes: number;
  readonly reads: number;
  readonly overflows: number;
  readonly confirmations: number;
  readonly refuted: Readonly<Record<NetworkKind, number>>;
  readonly audits: number;
  readonly corrected: Readonly<Record<NetworkKind, number>>;
}

export interface Wanted {
  readonly resource: string;
  readonly sensors: readonly Sensor[];
}

export interface Watcher {
  /**
   * Takes over the scripts of an earlier sockmon that still run: those that it has left run files of, and those of `recorded`. Their ends
   * are told as of any other run; those that have ended meanwhile are among the answer too. To be called before anything is watched: a script must not be taken for the service that it starts.
   */
  takeOver(recorded: readonly EarlierRun[]): readonly EarlierRun[];
  /** Of what is watched already: by these sensors from now on. How they are is told at once, of all together. */
  watch(wanted: readonly Wanted[]): void;
  unwatch(resource: string): void;
  /** @param natures at which losses it may act. */
  armReflex(resource: string, run: Run | null, natures: readonly Nature[]): void;
  /**
   * @param unlessAlive its resource is looked at just before the start: where all sensors find it alive, nothing is started, and the run ends at
   *   once with `not_needed`, before what they have found is told.
   */
  run(run: Run, unlessAlive: boolean): void;
  endRun(id: string): void;
  /** SIGKILLs the process that a sensor of the resource watches, by its pidfd. Words where there is none. */
  kill(resource: string): string | null;
  network(): NetworkCounters;
  /** Of the interfaces that run, as `eth0 192.168.1.10/24`. @throws Error when the kernel does not tell them within a second. */
  addresses(): readonly string[];
  /** Resolves when the thread has answered; never, when it hangs or has ended. */
  ping(): Promise<void>;
  close(): void;
}

/** What a sensor is told about what the kernel does not know, in fields of its own kind. */
export type Advice = Readonly<Record<string, string | number | boolean>>;

/** Answers the questions of one kind of sensors. */
export interface Adviser {
  /**
   * Gives what it finds out, now and for as long as more is to come.
   * @param fields Of the sensor that asks.
   * @param deadPid The process that has ended; null: none.
   * @returns What ends it.
   */
  consult(
    fields: Readonly<Record<string, FieldValue>>,
    deadPid: number | null,
    advise: (advice: Advice) => void,
  ): () => void;
}

export interface RebootPort {
  /**
   * command, force: runs the command; resolves with null when it ended with 0, else with words why not.
   * kernel: sync(2) and reboot(2); resolves only when that fails.
   */
  reboot(level: 'command' | 'force' | 'kernel', command: readonly string[]): Promise<string | null>;
}

/** Lines of the kernel's log, addresses and routes, in words, oldest or most important first. */
export interface Evidence {
  readonly kernel: string[];
  readonly addresses: string[];
  readonly routes: string[];
  /** Packet filters whose policy is to drop; absent: not looked for. */
  readonly filters?: string[];
  /** Tasks that the kernel holds uninterruptibly; absent: not looked for. */
  readonly held?: string[];
}

/** What is looked for beside the usual. */
export interface EvidenceWish {
  readonly filters?: true;
  readonly held?: true;
}

export interface EvidencePort {
  /**
   * alive: keeps the addresses and routes of now in memory, as those that the resource had when it was last seen alive.
   * before: those, and the kernel's last lines. after: those of now, which are kept as well, and the kernel's lines since `before`.
   * What cannot be read is said among the lines, in brackets.
   */
  collect(resource: string, when: 'alive' | 'before' | 'after', beside?: EvidenceWish): Promise<Evidence>;
}

/** A command as it came in, parsed but not judged. */
export interface ReceivedCommand {
  readonly id: string;
  /** null: the payload made no sense; it is refused as `invalid` with this detail. */
  readonly action: Action | null;
  readonly target?: string;
  readonly detail?: string;
  /** Where it came from: `mqtt:press`, `mqtt:run`, `control`. */
  readonly origin: string;
  /** A press bears neither id nor time of its own, so it is limited by rate instead. */
  readonly press: boolean;
  readonly retained: boolean;
  /** The broker does not mark what it has stored, and this may be of that. */
  readonly mayBeStored?: true;
  /** MQTT's DUP flag. */
  readonly duplicate: boolean;
  /** Absent where none is needed: no key is configured, or it did not come by MQTT. */
  readonly signature?: 'valid' | 'missing' | 'bad';
  /** Milliseconds since the broker connection was made; null when it did not come by MQTT. */
  readonly sinceConnectMs: number | null;
  readonly issuedWallMs?: number;
  readonly expiresWallMs?: number;
  readonly dryRun?: boolean;
  /** With pause and pause_time: how long. A pause without it lasts as long as was set last. */
  readonly forMs?: number;
}

export interface CommandAnswer {
  readonly id: string;
  readonly action: Action | null;
  readonly status: 'accepted' | 'rejected' | 'done' | 'failed';
  readonly code: RefusalCode | null;
  readonly detail: string;
  /** RFC 3339. */
  readonly at: string;
}

/** What the adapters log through; pino fits. Fields first, then a sentence. Secrets never get here. */
export interface Log {
  debug(fields: object, sentence: string): void;
  info(fields: object, sentence: string): void;
  warn(fields: object, sentence: string): void;
  error(fields: object, sentence: string): void;
}
