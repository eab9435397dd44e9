/** The counters of the snapshot: how many outages, and the share of the time without one. One walk through the history. Pure. */

import type { History } from '../core/history.js';
import { isCounted, type OutageHistory } from '../core/outage-history.js';
import { timesOf } from '../core/outage-times.js';
import { type Instant, type Vantage, wallTime } from '../core/time.js';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A time that a share is told of; where the journal has seen less of it than enough, there is none: one drill in the first minute is no 92 %. */
interface Span {
  readonly windowMs: number;
  readonly enoughMs: number;
}

const lastDay: Span = { windowMs: dayMs, enoughMs: hourMs };
const last30Days: Span = { windowMs: 30 * dayMs, enoughMs: dayMs };

export interface Figures {
  readonly last: OutageHistory | undefined;
  readonly last_stack_outage: string | null;
  readonly outages_24h: number;
  readonly outages_total: number;
  readonly uptime_24h_pct: number | null;
  readonly uptime_30d_pct: number | null;
}

interface Stretch {
  readonly beganMs: number;
  readonly endedMs: number;
}

export function figuresOf(history: History, now: Instant, isStack: (resource: string) => boolean): Figures {
  const from = history.seenFrom(now);
  const stretches: Stretch[] = [];
  let last: OutageHistory | undefined;
  let total = history.past.outages;
  let today = 0;
  const dayAgoMs = now.wallMs - dayMs;
  for (const hour of history.past.all()) {
    const beganMs = wallTime(hour.began, from).ms;
    if (beganMs > dayAgoMs) today += hour.count;
    if (isStack(hour.resource)) stretches.push({ beganMs, endedMs: beganMs + hour.downMs });
  }
  for (const outage of history.outages) {
    if (!isCounted(outage)) continue;
    total++;
    // One that is open again has been told as over: the one before must not come up once more.
    const hasEnded = outage.end !== null || outage.reopenedMs !== null;
    if (hasEnded) last = outage;
    const { beganMs, endedMs } = timesOf(outage, from);
    if (beganMs > dayAgoMs) today++;
    if (isStack(outage.resource)) stretches.push(...downIn(outage, beganMs, endedMs ?? now.wallMs, from));
  }
  stretches.sort((a, b) => a.beganMs - b.beganMs);
  return {
    last,
    last_stack_outage: lastOverOf(history, [...history.kept.lastOver.keys()].filter(isStack)),
    outages_24h: today,
    outages_total: total,
    uptime_24h_pct: uptimePct(stretches, history, now, lastDay),
    uptime_30d_pct: uptimePct(stretches, history, now, last30Days),
  };
}

/** Id of the last outage of these resources that is over, in the order of their begins. One that is open again has been told as over. */
export function lastOverOf(history: History, resources: Iterable<string>): string | null {
  let last: OutageHistory | undefined;
  for (const resource of resources) {
    const outage = history.kept.lastOver.get(resource);
    if (outage !== undefined && outage.begin.seq > (last?.begin.seq ?? 0)) last = outage;
  }
  return last?.id ?? null;
}

/** When the next outage is older than a day, by the wall clock. */
export function nextFallMs(history: History, now: Instant): number {
  const from = history.seenFrom(now);
  const falls = history.outages.map(outage => timesOf(outage, from).beganMs + dayMs);
  return falls.reduce((next, ms) => (ms > now.wallMs ? Math.min(next, ms) : next), Number.POSITIVE_INFINITY);
}

/** The stretches of an outage in which it was down. Of those in which it was alive the oldest are known by their sum alone. */
function downIn(
  { lives, aliveMs }: OutageHistory,
  beganMs: number,
  endedMs: number,
  from: Vantage,
): Stretch[] {
  const alive = lives.map(life => ({
    fromMs: wallTime(life.from, from).ms,
    toMs: wallTime(life.to, from).ms,
  }));
  const knownMs = lives.reduce((sum, { from: back, to }) => sum + to.atMs - back.atMs, 0);
  let downFromMs = beganMs + Math.max(0, aliveMs - knownMs);
  const stretches: Stretch[] = [];
  for (const { fromMs, toMs } of [...alive, { fromMs: endedMs, toMs: endedMs }]) {
    if (fromMs > downFromMs) stretches.push({ beganMs: downFromMs, endedMs: fromMs });
    downFromMs = Math.max(downFromMs, toMs);
  }
  return stretches;
}

/** Union of the stretches' overlaps with the window; the window begins no earlier than the journal. */
function uptimePct(
  stretches: readonly Stretch[],
  history: History,
  now: Instant,
  { windowMs, enoughMs }: Span,
): number | null {
  const from = Math.max(now.wallMs - windowMs, Math.min(history.firstWallMs ?? now.wallMs, now.wallMs));
  const span = now.wallMs - from;
  if (span < enoughMs) return null;
  let down = 0;
  let covered = from;
  for (const { beganMs, endedMs } of stretches) {
    const begin = Math.max(covered, beganMs);
    const end = Math.min(now.wallMs, endedMs);
    if (end <= begin) continue;
    down += end - begin;
    covered = end;
  }
  return Math.round((1 - down / span) * 100_000) / 1000;
}
