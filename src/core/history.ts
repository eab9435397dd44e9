/** What the journal says, folded: outages, reboots, commands, the cursor. Rebuilt at every start, so nothing of it can be reset by one. */

import { offsetMsOf } from '../base/clock-offset.js';
import { announcedIn, nothingAnnounced } from './announced.js';
import { isHeldBack } from './ladder.js';
import { Attempts, rememberedCommands, rememberedIntents } from './memory.js';
import {
  addToOutage,
  begunOutage,
  isCounted,
  type OutageEntry,
  type OutageHistory,
  type Past,
} from './outage-history.js';
import { Outages } from './outages.js';
import type { EarlierRun } from './ports.js';
import type { Action, JournalEntry, RecordOf } from './records.js';
import type { RefusalCode } from './refusal-codes.js';
import { type Elapsed, elapsedMsAt, elapsedWith, type Instant, type Vantage } from './time.js';

/** Where a resource was last seen alive, and by which sensors. */
interface Sighting {
  readonly bootId: string;
  readonly sensors?: string | undefined;
  /** Without a carrier: its missing address or route is no death. */
  readonly isExcused?: boolean;
}

export interface Acted extends Instant {
  /** See History.elapsedMsAt. */
  readonly witnessedMs: number;
}

type DoneReboot = JournalEntry & RecordOf<'rebooted'> & { readonly command: string | undefined };

/** The number at the end of an id counts, not the entries: old ones leave the journal. */
function numbered(id: string, counted: number): number {
  const number = Number(id.slice(id.lastIndexOf('-') + 1));
  return Number.isSafeInteger(number) ? Math.max(number, counted) : counted;
}

function wishKey({ action, target }: { action: Action | null; target?: string | undefined }): string {
  return `${action} ${target ?? ''}`;
}

/** How long a pause lasts when nobody has said so. */
const usualPauseMs = 600_000;
/** With a daemon that dies every 35 s they are the last ten hours. */
const keptOutagesOfDaemon = 1000;

export class History {
  lastSeq = 0;
  /** The disk takes nothing: what is decided now is not remembered. Set by whoever writes. */
  isUnwritten = false;
  publishedSeq = 0;
  announced = nothingAnnounced;
  firstWallMs: number | null = null;
  readonly kept: Outages;
  /** Resources known to be alive, with the boot they were seen in. A clean stop empties it: what dies later is nobody's business. */
  readonly seen = new Map<string, Sighting>();
  readonly intents: (Acted & RecordOf<'reboot_intent'>)[] = [];
  /** The last accepted command from the broker, by action and target. */
  private readonly wishes = new Map<string, Acted>();
  private readonly attempts = new Attempts();
  /** Ends of pauses by resource, '' = all; in ms of CLOCK_BOOTTIME of their boot. */
  private readonly pauses = new Map<string, { bootId: string; untilMs: number }>();
  /** How many records have changed them. */
  pauseChanges = 0;
  /** How many reboots have been intended, ever: numbers their ids. */
  intended = 0;
  pauseTimeMs = usualPauseMs;
  /** How hard a way the pending intent has been taken. */
  pendingLevel: 'command' | 'force' | 'kernel' = 'command';
  /** The intent whose fate is not known yet. */
  pendingIntent: (JournalEntry & RecordOf<'reboot_intent'>) | null = null;
  /** That has come. */
  lastReboot: DoneReboot | null = null;
  private readonly clocks = new Map<string, number>();
  private readonly commandIds = new Set<string>();
  private readonly begun = new Map<string, number>();

  /** The last entry's moment, by the clock that needs no wall clock. */
  private elapsed: Elapsed | null = null;

  /** @param keptOutages A process that lives for years must not keep all that it has ever seen; who reads and ends may. */
  constructor(entries: Iterable<JournalEntry> = [], keptOutages: number = keptOutagesOfDaemon) {
    this.kept = new Outages(keptOutages);
    for (const entry of entries) this.apply(entry);
  }

  apply(entry: JournalEntry): void {
    this.lastSeq = entry.seq;
    this.elapsed = elapsedWith(this.elapsed, entry);
    this.firstWallMs ??= entry.wallMs;
    if (entry.synced) this.clocks.set(entry.bootId, offsetMsOf(entry));
    switch (entry.type) {
      case 'seen':
        this.seen.set(entry.resource, {
          bootId: entry.bootId,
          sensors: entry.sensors,
          isExcused: entry.carrier === false,
        });
        return;
      case 'unwatched':
        this.seen.delete(entry.resource);
        return;
      case 'notice':
        this.noteCarrier(entry);
        this.noteOverspent(entry);
        if (entry.what === 'stopped') this.seen.delete(entry.resource);
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
      case 'run_started':
        this.attempts.started(entry);
        return;
      case 'outage_cause':
      case 'outage_root':
      case 'attempt':
      case 'attempt_end':
      case 'recovery_failed':
      case 'evidence':
      case 'outage_end':
      case 'outage_reopened':
        this.applyToOutage(entry);
        return;
      case 'command':
        this.applyCommand(entry);
        return;
      case 'pause':
        this.pauseChanges++;
        this.pauses.set(entry.resource ?? '', { bootId: entry.bootId, untilMs: entry.untilMs });
        return;
      case 'resume':
        this.pauseChanges++;
        if (entry.resource === null) this.pauses.clear();
        else this.pauses.delete(entry.resource);
        return;
      case 'pause_time':
        this.pauseTimeMs = entry.forMs;
        return;
      case 'reboot_forced':
        this.pendingLevel = entry.level;
        this.redate(entry);
        return;
      case 'reboot_refused':
        this.noteRefusal(entry.outage, entry.code);
        return;
      case 'reboot_intent':
        this.intents.push(this.acted(entry));
        if (this.intents.length > rememberedIntents) this.intents.shift();
        this.intended = numbered(entry.intent, this.intended + 1);
        this.pendingIntent = entry;
        this.pendingLevel = 'command';
        this.noteRefusal(entry.outage, null);
        return;
      case 'reboot_failed':
        if (entry.final !== false) this.pendingIntent = null;
        if (entry.cancelled) this.takeBack(entry.intent);
        return;
      case 'rebooted':
        this.lastReboot = { ...entry, command: this.pendingIntent?.command };
        this.pendingIntent = null;
        return;
      case 'announced':
        this.announced = announcedIn(entry);
        return;
      case 'published':
        this.publishedSeq = Math.max(this.publishedSeq, entry.upTo);
        return;
      case 'compacted':
        this.firstWallMs = entry.wallMs;
        this.past.outages += entry.outages;
        return;
      default:
        return;
    }
  }

  private begin(entry: JournalEntry & RecordOf<'outage_begin'>): void {
    this.begun.set(entry.resource, numbered(entry.outage, this.outagesOf(entry.resource) + 1));
    this.kept.add(begunOutage(entry, this.elapsedMsAt(entry)));
  }

  /** Open ones and the latest of the others, in the order of their begins; what is left of older ones is in `past`. */
  get outages(): readonly OutageHistory[] {
    return this.kept.all;
  }

  get past(): Past {
    return this.kept.past;
  }

  outage(id: string): OutageHistory | undefined {
    return this.kept.find(id);
  }

  latestOutage(resource: string): OutageHistory | undefined {
    return this.kept.latestOf(resource);
  }

  /** How many outages have counted, ever. */
  get outagesTotal(): number {
    return this.past.outages + this.outages.filter(isCounted).length;
  }

  private applyToOutage(entry: OutageEntry): void {
    // These count, also when the story that they were a part of has left the journal.
    if (entry.type === 'attempt') this.attempts.add(this.acted(entry));
    if (entry.type === 'attempt_end' && isHeldBack(entry.result)) this.attempts.takeBack(entry);
    if (entry.type === 'attempt_end') this.attempts.ended(entry);
    if (entry.type === 'outage_end' && entry.outcome === 'recovered')
      this.seen.set(entry.resource, {
        ...this.seen.get(entry.resource),
        bootId: entry.bootId,
        isExcused: entry.carrier === false,
      });
    const outage = this.outage(entry.outage);
    if (outage === undefined) return;
    addToOutage(outage, entry);
    if (entry.type === 'outage_end' || entry.type === 'outage_reopened') this.kept.changed(outage);
  }

  private noteCarrier({ resource, carrier }: RecordOf<'notice'>): void {
    const sighting = this.seen.get(resource);
    if (sighting !== undefined && carrier !== undefined)
      this.seen.set(resource, { ...sighting, isExcused: !carrier });
  }

  private noteOverspent({ resource, what }: RecordOf<'notice'>): void {
    const outage = what === 'held' ? this.openOutage(resource) : undefined;
    if (outage !== undefined) outage.overspent = true;
  }

  private noteRefusal(id: string | undefined, code: RefusalCode | null): void {
    const outage = id === undefined ? undefined : this.outage(id);
    if (outage !== undefined) outage.refusal = code;
  }

  /** A reboot counts from when it was forced: one that hung would leave no wait before the next. */
  private redate(entry: JournalEntry & RecordOf<'reboot_forced'>): void {
    const at = this.intents.findLastIndex(({ intent }) => intent === entry.intent);
    const intent = this.intents[at];
    if (intent === undefined) return;
    const { bootId, bootMs, wallMs, synced } = entry;
    this.intents[at] = { ...intent, bootId, bootMs, wallMs, synced, witnessedMs: this.elapsedMsAt(entry) };
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
    if (intent?.command !== undefined) this.wishes.delete(wishKey({ action: 'reboot' }));
  }

  /** When the broker's last command of this kind was accepted. */
  lastWish(command: {
    readonly action: Action | null;
    readonly target?: string | undefined;
  }): Acted | undefined {
    return this.wishes.get(wishKey(command));
  }

  /** Time that has passed for certain, counted from the journal's first entry. */
  elapsedMsAt(at: Pick<Instant, 'bootId' | 'bootMs'>): number {
    return elapsedMsAt(this.elapsed, at);
  }

  seenFrom(now: Instant): Vantage {
    return { ...now, clocks: this.clocks };
  }

  private acted<T extends Instant>(entry: T): T & Acted {
    return { ...entry, witnessedMs: this.elapsedMsAt(entry) };
  }

  attemptsOf(resource: string): readonly Acted[] {
    return this.attempts.of(resource);
  }

  /** Attempts of this boot of whose end nothing is recorded. */
  openRuns(now: Instant): readonly EarlierRun[] {
    return this.attempts.openRuns(now);
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
    return this.kept.openOf(resource);
  }
}

/** With every outage of the entries. */
export function wholeHistory(entries: Iterable<JournalEntry>): History {
  return new History(entries, Number.POSITIVE_INFINITY);
}
