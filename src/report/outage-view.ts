/** One outage, and what was found about it, as it is published. Pure. */
import type { OutageHistory } from '../core/outage-history.js';
import { type Doubts, isCertain, timesOf } from '../core/outage-times.js';
import type { Role } from '../core/policy.js';
import { isoTime, type Vantage } from '../core/time.js';
import { causeWords } from '../core/words.js';
import { type EvidenceView, type OutageView, type UncertainView, viewRole } from './views.js';

/** With these the longest view is below 4 KiB, also when every character of the kernel's has to be escaped. */
const toldEntries = 5;
const toldKernelChars = 160;
/** The short form: the last kernel lines before the death, filled up with the first ones after it. null = nothing is known. */
function viewEvidence({ evidence: { before, after } }: OutageHistory): EvidenceView | null {
  if (before === null && after === null) return null;
  const led = before?.kernel.slice(-toldEntries) ?? [];
  const came = (after?.kernel ?? []).filter(line => !led.includes(line));
  const kernel = [...led, ...came].slice(0, toldEntries).map(line => line.slice(0, toldKernelChars));
  const short = (list: readonly string[] | undefined): readonly string[] => list?.slice(0, toldEntries) ?? [];
  return {
    kernel,
    addresses_before: short(before?.addresses),
    addresses_after: areSame(before?.addresses, after?.addresses) ? null : short(after?.addresses),
    routes_before: short(before?.routes),
    routes_after: areSame(before?.routes, after?.routes) ? null : short(after?.routes),
  };
}

function areSame(before: readonly string[] | undefined, after: readonly string[] | undefined): boolean {
  return before !== undefined && after !== undefined && before.join('\n') === after.join('\n');
}

/** What is not certain of the times, by the names that they are told by; nothing where everything is. */
export function viewDoubts({ began, ended, duration }: Doubts): { readonly uncertain?: UncertainView } {
  if (began === undefined && ended === undefined && duration === undefined) return {};
  return {
    uncertain: {
      ...(began !== undefined && { began_at: began }),
      ...(ended !== undefined && { ended_at: ended }),
      ...(duration !== undefined && { duration_s: duration }),
    },
  };
}

export function viewOutage(outage: OutageHistory, from: Vantage, role: Role): OutageView {
  const { beganMs, endedMs, durationMs, doubts } = timesOf(outage, from);
  return {
    id: outage.id,
    seq: outage.end?.seq ?? outage.begin.seq,
    resource: outage.resource,
    role: viewRole(role),
    began_at: isoTime(beganMs),
    ended_at: endedMs === null ? null : isoTime(endedMs),
    duration_s: durationMs === null ? null : Math.round(durationMs) / 1000,
    ...(durationMs !== null &&
      outage.aliveMs > 0 && { downtime_s: Math.round(Math.max(0, durationMs - outage.aliveMs)) / 1000 }),
    cause: causeWords(outage.cause),
    cause_detail: outage.cause,
    attempts: outage.end?.attempts ?? outage.attempts,
    outcome: outage.end?.outcome ?? 'open',
    time_uncertain: !isCertain(doubts),
    ...viewDoubts(doubts),
    root: outage.root,
    ...(outage.begin.drill === true && { drill: true }),
    evidence: viewEvidence(outage),
  };
}
