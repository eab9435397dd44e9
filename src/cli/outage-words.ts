import { durationWords } from '../core/sentence.js';
import type { OutageView } from '../core/snapshot-model.js';

export function lastedWords(outage: OutageView): string {
  if (outage.outcome === 'open') return 'still open';
  const lasted = outage.duration_s === null ? '' : durationWords(outage.duration_s * 1000);
  return outage.outcome === 'forgotten' ? `${lasted}, then no longer watched` : lasted;
}
