/** What the owner would look for the next morning: when it is collected, what of it is recorded and what is told. Pure. */

import type { Effect, Input } from './input.js';
import { isKernelLock } from './kernel-lock.js';
import type { RecordOf } from './model.js';
import type { OutageHistory } from './outage-history.js';
import type { Evidence } from './ports.js';
import type { EvidenceView } from './snapshot-model.js';
import { type OpenOutage, type Outside, record } from './state.js';

/** A picture of the living, kept in memory only: nobody knows which one will have been the last before a death. */
export function noteAlive(resource: string): Effect {
  return { do: 'collect', resource, outage: null, when: 'alive' };
}

/** Of single deaths of a flapping resource and of restarts that were asked for nothing is kept: they are many, and their causes known. */
export function collectFor(resource: string, outage: OpenOutage, when: 'before' | 'after'): Effect[] {
  if (!outage.quiet && outage.cause.kind !== 'commanded') return [collect(resource, outage, when)];
  return when === 'after' ? [noteAlive(resource)] : [];
}

/** Where datagrams do not pass, it may be a packet filter that keeps them; where the kernel is locked up, some task has the lock. */
function collect(
  resource: string,
  { id, cause }: Pick<OpenOutage, 'id' | 'cause'>,
  when: 'before' | 'after',
): Effect {
  const filters = when === 'before' && cause.kind === 'probe';
  const held = when === 'before' && isKernelLock(cause);
  return { do: 'collect', resource, outage: id, when, ...(filters && { filters }), ...(held && { held }) };
}

/** sockmon has ended between an outage's begin and its evidence; in another boot the kernel has forgotten what led to it. */
export function collectLate(open: OutageHistory | undefined, bootId: string): Effect[] {
  if (open === undefined || open.begin.bootId !== bootId || open.evidence.before !== null) return [];
  if (open.begin.quiet || open.cause.kind === 'commanded') return [];
  return [collect(open.resource, open, 'before')];
}

/** Recorded unless the same is in the journal already, or there is nothing to record. */
export function onEvidence(input: Extract<Input, { kind: 'evidence' }>, { history }: Outside): Effect[] {
  const { resource, outage, when, evidence } = input;
  const known = history.outages.findLast(({ id }) => id === outage);
  if (known === undefined) return [];
  if (isSame(known.evidence[when], evidence)) return [];
  return [record({ type: 'evidence', outage, resource, when, ...evidence })];
}

const nothing: Evidence = { kernel: [], addresses: [], routes: [] };

function isSame(known: Evidence | null, found: Evidence): boolean {
  return textOf(known ?? nothing) === textOf(found);
}

function textOf({ kernel, addresses, routes, filters = [], held = [] }: Evidence): string {
  return JSON.stringify([kernel, addresses, routes, filters, held]);
}

/** With these the longest view is below 4 KiB, also when every character of the kernel's has to be escaped. */
const toldEntries = 5;
const toldKernelChars = 160;

/** The short form: the last kernel lines before the death, filled up with the first ones after it. null = nothing is known. */
export function viewEvidence({ evidence: { before, after } }: OutageHistory): EvidenceView | null {
  if (before === null && after === null) return null;
  const led = before?.kernel.slice(-toldEntries) ?? [];
  const came = (after?.kernel ?? []).filter(line => !led.includes(line));
  const kernel = [...led, ...came].slice(0, toldEntries).map(line => line.slice(0, toldKernelChars));
  const short = (list: readonly string[] | undefined): readonly string[] => list?.slice(0, toldEntries) ?? [];
  return {
    kernel,
    addresses_before: short(before?.addresses),
    addresses_after: short(after?.addresses),
    routes_before: short(before?.routes),
    routes_after: short(after?.routes),
  };
}

/** As a record of the journal bears it. */
export function evidenceOf({ kernel, addresses, routes, filters, held }: RecordOf<'evidence'>): Evidence {
  return {
    kernel,
    addresses,
    routes,
    ...(filters !== undefined && { filters }),
    ...(held !== undefined && { held }),
  };
}
