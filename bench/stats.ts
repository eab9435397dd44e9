/** Figures and how two of them compare. Pure. */

export interface Figures {
  readonly n: number;
  readonly p50: number;
  readonly p90: number;
}

/** Nearest rank: a value that was measured, not one in between. */
export function percentile(sorted: readonly number[], p: number): number {
  const value = sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('no figures');
  return value;
}

export function figures(samples: readonly number[]): Figures {
  const sorted = [...samples].sort((a, b) => a - b);
  return { n: sorted.length, p50: percentile(sorted, 50), p90: percentile(sorted, 90) };
}

/** What is to be reached: a limit for the figure itself, or for its ratio to what it is compared with (both of p50). */
export type Goal = { readonly kind: 'ratio' | 'value'; readonly atMost: number };

export interface Row {
  readonly name: string;
  readonly unit: 'ms' | 'MB' | 'KB' | 'count';
  readonly sockmon: Figures;
  /** What it is compared with, measured in the same run. */
  readonly rival: { readonly name: string; readonly figures: Figures } | null;
  readonly ratio: number | null;
  readonly goal: Goal | null;
  readonly met: boolean | null;
}

export function row(
  name: string,
  unit: Row['unit'],
  samples: readonly number[],
  rival: { readonly name: string; readonly samples: readonly number[] } | null,
  goal: Goal | null,
): Row {
  const sockmon = figures(samples);
  const other = rival === null ? null : { name: rival.name, figures: figures(rival.samples) };
  const ratio = other === null || other.figures.p50 === 0 ? null : sockmon.p50 / other.figures.p50;
  const measured = goal?.kind === 'value' ? sockmon.p50 : ratio;
  const met = goal === null || measured === null ? null : measured <= goal.atMost;
  return { name, unit, sockmon, rival: other, ratio, goal, met };
}

/** All variants once per round, in random order: what disturbs the machine then disturbs them alike. */
export async function interleave<V extends string>(
  variants: readonly V[],
  rounds: number,
  measure: (variant: V) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const variant of shuffled(variants)) await measure(variant);
  }
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
