/** The outages that are kept one by one, found by their id and by their resource; of older ones the sum. */
import { isCounted, type OutageHistory, Past } from './outage-history.js';

/** Evidence is most of an outage, and what is told of the last one. */
const keptEvidence = 20;
/** How far the number grows beyond what is kept before old ones are looked for. */
const slack = 1.1;

export class Outages {
  /** Open ones and the latest of the others, in the order of their begins. */
  readonly all: OutageHistory[] = [];
  /** What is left of those that have gone. */
  readonly past = new Past();
  /** The last outage of each resource that counts and has been told as over; it may be open again. */
  readonly lastOver = new Map<string, OutageHistory>();
  /** How often one has begun, ended or been opened again: nothing else changes how many there were, and how long. */
  changes = 0;
  private readonly byId = new Map<string, OutageHistory>();
  private readonly byResource = new Map<string, OutageHistory[]>();
  /** So many are there when old ones are looked for: at every begin it would cost a walk through all of them. */
  private forgetAt: number;

  /** @param kept A process that lives for years must not keep all that it has ever seen; who reads and ends may (Infinity). */
  constructor(private readonly kept: number) {
    this.forgetAt = kept * slack;
  }

  add(outage: OutageHistory): void {
    this.all.push(outage);
    this.changes++;
    this.byId.set(outage.id, outage);
    const own = this.byResource.get(outage.resource);
    if (own === undefined) this.byResource.set(outage.resource, [outage]);
    else own.push(outage);
    this.fade();
    if (this.all.length >= this.forgetAt) this.forget();
  }

  /** It has ended, or is open again. */
  changed(outage: OutageHistory): void {
    this.changes++;
    if (outage.end === null) return;
    // What it has added to the number while it was open, see forget.
    this.forgetAt = Math.max(this.kept * slack, this.forgetAt - slack);
    if (isCounted(outage)) this.lastOver.set(outage.resource, outage);
  }

  find(id: string): OutageHistory | undefined {
    return this.byId.get(id);
  }

  latestOf(resource: string): OutageHistory | undefined {
    return this.byResource.get(resource)?.at(-1);
  }

  openOf(resource: string): OutageHistory | undefined {
    return this.byResource.get(resource)?.findLast(({ end }) => end === null);
  }

  private fade(): void {
    const { all, kept } = this;
    const faded = all.at(-1 - Math.min(keptEvidence, kept));
    if (faded !== undefined && faded.end !== null && Number.isFinite(kept))
      faded.evidence = { before: null, after: null };
  }

  private forget(): void {
    let tooMany = this.all.length - this.kept;
    const gone = new Set<OutageHistory>();
    for (const outage of this.all) {
      if (tooMany <= 0) break;
      if (outage.end === null) continue;
      tooMany--;
      gone.add(outage);
      if (isCounted(outage)) this.past.add(outage);
    }
    this.remove(gone);
    // Those that are open stay, however many.
    this.forgetAt = Math.max(this.kept, this.all.length) * slack;
  }

  private remove(gone: ReadonlySet<OutageHistory>): void {
    const left = this.all.filter(outage => !gone.has(outage));
    this.all.splice(0, this.all.length);
    for (const outage of left) this.all.push(outage);
    for (const { id, resource } of gone) {
      const own = (this.byResource.get(resource) ?? []).filter(outage => !gone.has(outage));
      if (own.length === 0) this.byResource.delete(resource);
      else this.byResource.set(resource, own);
      const same = this.byId.get(id);
      if (same !== undefined && gone.has(same)) this.byId.delete(id);
    }
  }
}
