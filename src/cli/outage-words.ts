import { durationWords } from '../core/sentence.js';
import type { OutageView } from '../core/snapshot-model.js';

export function lastedWords(outage: OutageView): string {
  if (outage.outcome === 'open') return 'still open';
  const lasted = outage.duration_s === null ? '' : durationWords(outage.duration_s * 1000);
  const down =
    outage.downtime_s === undefined ? '' : ` (down for ${durationWords(outage.downtime_s * 1000)} of it)`;
  return outage.outcome === 'forgotten' ? `${lasted}${down}, then no longer watched` : `${lasted}${down}`;
}
