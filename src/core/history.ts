/** What the journal says, folded: outages, reboots, commands, the cursor. Rebuilt at every start, so nothing of it can be reset by one. */
import type { Instant } from './clock.js';
import { evidenceOf } from './evidence.js';
import { isHeldBack } from './ladder.js';
import type { Action, JournalEntry, RecordOf } from './model.js';
import type { Vantage } from './moment.js';
import { isVeto, type OutageHistory } from './outage-history.js';

/** Where a resource was last seen alive, and by which sensors. */
interface Sighting {
  readonly bootId: string;
  readonly sensors?: string | undefined;
}

export interface Acted extends Instant {
  /** See History.witnessedMsAt. */
  readonly witnessedMs: number;
}

function wishKey({ action, target }: { action: Action | null; target?: string | undefined }): string {
  return `${action} ${target ?? ''}`;
}

/** Ids are remembered this long at least: a broker may redeliver, nobody redelivers older ones. */
const rememberedCommands = 500;
/** More than any sensible restart budget. */
const rememberedAttempts = 1000;
/** How long a pause lasts when nobody has said so. */
const usualPauseMs = 600_000;

export class History {
  lastSeq = 0;
  publishedSeq = 0;
  /** See the record of this name. */
  announced: readonly string[] = [];
  firstWallMs: number | null = null;
  readonly outages: OutageHistory[] = [];
  /** Resources known to be alive, with the boot they were seen in. A clean stop empties it: what dies later is nobody's business. */
  readonly seen = new Map<string, Sighting>();
  readonly intents: (Acted & RecordOf<'reboot_intent'>)[] = [];
  /** The last accepted command from the broker, by action and target. */
  private readonly wishes = new Map<string, Acted>();
  /** Starts of attempts by resource, the latest last. */
  private readonly attempts = new Map<string, (Acted & { readonly run: string })[]>();
  /** Ends of pauses by resource, '' = all; in ms of CLOCK_BOOTTIME of their boot. */
  private readonly pauses = new Map<string, { bootId: string; untilMs: number }>();
  /** Intents that were taken back; with the others they number the next. */
  private cancelled = 0;
  pauseTimeMs = usualPauseMs;
  /** How hard a way the pending intent has been taken. */
  pendingLevel: 'command' | 'force' | 'kernel' = 'command';
  /** The intent whose fate is not known yet. */
  pendingIntent: (JournalEntry & RecordOf<'reboot_intent'>) | null = null;
  private readonly clocks = new Map<string, number>();
  private readonly commandIds = new Set<string>();
  private readonly begun = new Map<string, number>();

  /** The last entry's moment, by the clock that needs no wall clock. */
  private witnessed: { readonly bootId: string; readonly bootMs: number; readonly ms: number } | null = null;

  constructor(entries: Iterable<JournalEntry> = []) {
    for (const entry of entries) this.apply(entry);
  }

  apply(entry: JournalEntry): void {
    this.lastSeq = entry.seq;
    this.witnessed = { bootId: entry.bootId, bootMs: entry.bootMs, ms: this.witnessedMsAt(entry) };
    this.firstWallMs ??= entry.wallMs;
    if (entry.synced) this.clocks.set(entry.bootId, entry.wallMs - entry.bootMs);
    switch (entry.type) {
      case 'seen':
        this.seen.set(entry.resource, { bootId: entry.bootId, sensors: entry.sensors });
        return;
      case 'start':
        for (const id of this.seen.keys()) if (!entry.resources.includes(id)) this.seen.delete(id);
        return;
      case 'stop':
        this.seen.clear();
        return;
      case 'outage_begin':
        this.begin(entry);
        return;
      case 'outage_cause':
      case 'outage_root':
      case 'attempt':
      case 'attempt_end':
      case 'recovery_failed':
      case 'evidence':
      case 'outage_end':
        this.applyToOutage(entry);
        return;
      case 'command':
        this.applyCommand(entry);
        return;
      case 'pause':
        this.pauses.set(entry.resource ?? '', { bootId: entry.bootId, untilMs: entry.untilMs });
        return;
      case 'resume':
        if (entry.resource === null) this.pauses.clear();
        else this.pauses.delete(entry.resource);
        return;
      case 'pause_time':
        this.pauseTimeMs = entry.forMs;
        return;
      case 'reboot_forced':
        this.pendingLevel = entry.level;
        return;
      case 'reboot_intent':
        this.intents.push(this.acted(entry));
        this.pendingIntent = entry;
        this.pendingLevel = 'command';
        return;
      case 'reboot_failed':
        if (entry.final !== false) this.pendingIntent = null;
        if (entry.cancelled) this.takeBack(entry.intent);
        return;
      case 'rebooted':
        this.pendingIntent = null;
        return;
      case 'announced':
        this.announced = entry.entities;
        return;
      case 'published':
        this.publishedSeq = Math.max(this.publishedSeq, entry.upTo);
        return;
      default:
        return;
    }
  }

  private begin(entry: JournalEntry & RecordOf<'outage_begin'>): void {
    // The number in the id counts, not the entries: old ones leave the journal.
    const number = Number(entry.outage.slice(entry.outage.lastIndexOf('-') + 1));
    const counted = this.outagesOf(entry.resource) + 1;
    this.begun.set(entry.resource, Number.isSafeInteger(number) ? Math.max(number, counted) : counted);
    this.outages.push({
      id: entry.outage,
      resource: entry.resource,
      begin: entry,
      beganWitnessedMs: this.witnessedMsAt(entry),
      root: entry.root ?? null,
      cause: entry.cause,
      sensor: entry.sensor,
      attempts: 0,
      lastAttemptMs: null,
      lastAttemptBootId: null,
      lastResult: null,
      step: null,
      stepAttempts: 0,
      stepBeganMs: 0,
      vetoed: false,
      failed: false,
      evidence: { before: null, after: null },
      end: null,
    });
  }

  private applyToOutage(
    entry: JournalEntry &
      RecordOf<
        | 'outage_cause'
        | 'outage_root'
        | 'attempt'
        | 'attempt_end'
        | 'recovery_failed'
        | 'evidence'
        | 'outage_end'
      >,
  ): void {
    const outage = this.outages.findLast(o => o.id === entry.outage);
    if (outage === undefined) return;
    switch (entry.type) {
      case 'outage_cause':
        outage.cause = entry.cause;
        outage.sensor = entry.sensor;
        return;
      case 'outage_root':
        outage.root = entry.root;
        return;
      case 'attempt':
        if (outage.stepAttempts === 0 || outage.step !== (entry.step ?? null)) {
          outage.step = entry.step ?? null;
          outage.stepAttempts = 0;
          outage.stepBeganMs = entry.atMs;
        }
        outage.stepAttempts += 1;
        outage.attempts = entry.attempt;
        outage.lastAttemptMs = entry.atMs;
        outage.lastAttemptBootId = entry.bootId;
        this.noteAttempt(entry);
        outage.lastResult = null;
        return;
      case 'attempt_end':
        if (isHeldBack(entry.result)) {
          this.forgetAttempt(entry);
          outage.stepAttempts = Math.max(0, outage.stepAttempts - 1);
        }
        outage.lastResult = entry.result;
        outage.vetoed ||= isVeto(entry.result);
        return;
      case 'recovery_failed':
        outage.failed = true;
        return;
      case 'evidence':
        outage.evidence[entry.when] = evidenceOf(entry);
        return;
      case 'outage_end':
        outage.end = entry;
        if (entry.outcome === 'recovered')
          this.seen.set(entry.resource, { ...this.seen.get(entry.resource), bootId: entry.bootId });
        return;
    }
  }

  private applyCommand(entry: JournalEntry & RecordOf<'command'>): void {
    if (entry.status !== 'accepted' || entry.dryRun) return;
    this.commandIds.add(entry.id);
    if (this.commandIds.size > rememberedCommands) {
      for (const oldest of this.commandIds) {
        this.commandIds.delete(oldest);
        break;
      }
    }
    if (entry.origin.startsWith('mqtt')) this.wishes.set(wishKey(entry), this.acted(entry));
  }

  /** A reboot that was never ordered uses up no budget, and whoever wished for it may ask again. */
  private takeBack(intentId: string): void {
    const at = this.intents.findLastIndex(({ intent }) => intent === intentId);
    const [intent] = at === -1 ? [] : this.intents.splice(at, 1);
    this.cancelled++;
    if (intent?.command !== undefined) this.wishes.delete(wishKey({ action: 'reboot' }));
  }

  /** When the broker's last command of this kind was accepted. */
  lastWish(command: {
    readonly action: Action | null;
    readonly target?: string | undefined;
  }): Acted | undefined {
    return this.wishes.get(wishKey(command));
  }

  private noteAttempt(entry: JournalEntry & RecordOf<'attempt'>): void {
    const attempts = this.attempts.get(entry.resource) ?? [];
    attempts.push(this.acted(entry));
    if (attempts.length > rememberedAttempts) attempts.shift();
    this.attempts.set(entry.resource, attempts);
  }

  /** What a shutdown has held back was no restart. */
  private forgetAttempt({ resource, run }: RecordOf<'attempt_end'>): void {
    const attempts = this.attempts.get(resource) ?? [];
    const kept = attempts.filter(attempt => attempt.run !== run);
    this.attempts.set(resource, kept);
  }

  /**
   * Time that has passed for certain, counted from the journal's first entry: within a boot by CLOCK_BOOTTIME, of another boot what it
   * had lasted at its first entry. Whatever the wall clock did meanwhile, at least so much lies between two moments.
   */
  witnessedMsAt({ bootId, bootMs }: Pick<Instant, 'bootId' | 'bootMs'>): number {
    const { witnessed } = this;
    if (witnessed === null) return 0;
    return witnessed.ms + Math.max(0, witnessed.bootId === bootId ? bootMs - witnessed.bootMs : bootMs);
  }

  seenFrom(now: Instant): Vantage {
    return { ...now, clocks: this.clocks };
  }

  private acted<T extends Instant>(entry: T): T & Acted {
    return { ...entry, witnessedMs: this.witnessedMsAt(entry) };
  }

  /** How many reboots have been intended, ever since the journal's first entry: numbers their ids. */
  get intended(): number {
    return this.intents.length + this.cancelled;
  }

  attemptsOf(resource: string): readonly Acted[] {
    return this.attempts.get(resource) ?? [];
  }

  /** Until when nothing is done about a resource; null = it is not paused. A reboot ends a pause. */
  pausedUntilMs(resource: string, now: Instant): number | null {
    const ends = [this.pauses.get(''), this.pauses.get(resource)].flatMap(pause =>
      pause !== undefined && pause.bootId === now.bootId && pause.untilMs > now.bootMs ? [pause.untilMs] : [],
    );
    return ends.length === 0 ? null : Math.max(...ends);
  }

  /** When the next pause ends, of whatever; null = nothing is paused. */
  nextPauseEndMs(now: Instant): number | null {
    const ends = [...this.pauses.keys()].flatMap(resource => this.pausedUntilMs(resource, now) ?? []);
    return ends.length === 0 ? null : Math.min(...ends);
  }

  /** Whether a command of this id has been carried out before. */
  hasRun(commandId: string): boolean {
    return this.commandIds.has(commandId);
  }

  /** How many outages of this resource have begun, ever: numbers their ids. */
  outagesOf(resource: string): number {
    return this.begun.get(resource) ?? 0;
  }

  openOutage(resource: string): OutageHistory | undefined {
    return this.outages.findLast(o => o.resource === resource && o.end === null);
  }
}
