/** What is left in memory of outages that are too many to be kept one by one: how many, and how long in which hour. Pure. */
import { type Moment, momentOf } from './moment.js';
import type { OutageHistory } from './outage-history.js';

const hourMs = 3_600_000;
/** More than the hours of the 30 days that the uptime is told of. */
const keptHours = 800;

/** The outages of one resource that began within an hour, as one stretch of the same length. */
export interface PastHour {
  readonly resource: string;
  /** When the first of them began. */
  readonly began: Moment;
  count: number;
  downMs: number;
}

export class Past {
  /** Outages that counted. */
  outages = 0;
  private readonly hours = new Map<string, PastHour[]>();

  add({ resource, begin, end, aliveMs }: OutageHistory): void {
    this.outages++;
    const hours = this.hours.get(resource) ?? [];
    this.hours.set(resource, hours);
    const last = hours.at(-1);
    const downMs = Math.max(0, (end?.durationMs ?? 0) - aliveMs);
    if (last?.began.bootId === begin.bootId && begin.atMs < last.began.atMs + hourMs) {
      last.count++;
      last.downMs += downMs;
      return;
    }
    hours.push({ resource, began: momentOf(begin), count: 1, downMs });
    if (hours.length > keptHours) hours.shift();
  }

  all(): PastHour[] {
    return [...this.hours.values()].flat();
  }
}
