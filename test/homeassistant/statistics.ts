/** A past that Home Assistant did not live through. */
import { until } from '../lab/wait.js';
import type { HomeAssistant } from './instance.js';

const hourMs = 3_600_000;

type Values = Readonly<Record<string, number>>;

/**
 * At ten seconds past each hour Home Assistant counts the hour that has ended, and knows nothing of a past that was brought to it: not in the
 * middle of a test.
 */
export async function awayFromTheHour(): Promise<void> {
  const isAway = () => Date.now() % hourMs > 20_000 && Date.now() % hourMs < hourMs - 60_000;
  await until('the hour to be over', isAway, { deadlineMs: 120_000 });
}

interface Row {
  readonly start: string;
  readonly values: Values;
}

/** @param value of the hour that began so many hours ago. */
function rows(hours: number, value: (hoursAgo: number) => Values): Row[] {
  const thisHour = Math.floor(Date.now() / hourMs);
  return Array.from({ length: hours }, (_, i) => hours - i).map(ago => ({
    start: new Date((thisHour - ago) * hourMs).toISOString(),
    values: value(ago),
  }));
}

interface Metadata {
  readonly has_sum: boolean;
  /** 1: there is a mean, and it is arithmetic. */
  readonly mean_type: 0 | 1;
  readonly unit_of_measurement: string | null;
}

/** Until 2025.10 a mean was there or not, and units had no classes: each side refuses the keys of the other. */
function metadataFor(release: string, { mean_type, ...metadata }: Metadata): object {
  return release.startsWith('2025.')
    ? { ...metadata, has_mean: mean_type === 1 }
    : { ...metadata, mean_type, unit_class: null };
}

async function bring(home: HomeAssistant, id: string, metadata: Metadata, stats: Row[]): Promise<void> {
  await home.call({
    type: 'recorder/import_statistics',
    metadata: { source: 'recorder', statistic_id: id, name: null, ...metadataFor(home.release, metadata) },
    stats: stats.map(({ start, values }) => ({ start, ...values })),
  });
  // It is brought in later, and rows of before, or of the hour that ends now, may be there already.
  await until(`the statistics of ${id}`, async () => {
    const found = await home.call<Record<string, Values[]>>({
      ...{ type: 'recorder/statistics_during_period', statistic_ids: [id], period: 'hour' },
      start_time: stats[0]?.start,
    });
    const byStart = new Map(found[id]?.map(row => [row.start, row]));
    return stats.every(({ start, values }) => {
      const row = byStart.get(Date.parse(start));
      return Object.entries(values).every(([name, value]) => row?.[name] === value);
    });
  });
}

/** Of a counter. @param total It so many hours ago. */
export function counted(
  home: HomeAssistant,
  id: string,
  hours: number,
  total: (hoursAgo: number) => number,
): Promise<void> {
  const stats = rows(hours, ago => ({ state: total(ago), sum: total(ago) }));
  return bring(home, id, { has_sum: true, mean_type: 0, unit_of_measurement: null }, stats);
}

/** Of a measured share. */
export function measured(
  home: HomeAssistant,
  id: string,
  hours: number,
  value: (hoursAgo: number) => number,
): Promise<void> {
  const stats = rows(hours, ago => ({ mean: value(ago), min: value(ago), max: value(ago) }));
  return bring(home, id, { has_sum: false, mean_type: 1, unit_of_measurement: '%' }, stats);
}
