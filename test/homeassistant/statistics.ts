/** A past that Home Assistant did not live through. */
import { until } from '../lab/wait.js';
import type { HomeAssistant } from './instance.js';

const hourMs = 3_600_000;

interface Row {
  readonly start: string;
  readonly [value: string]: number | string;
}

/** @param value of the hour that began so many hours ago. */
function rows(hours: number, value: (hoursAgo: number) => Record<string, number>): Row[] {
  const thisHour = Math.floor(Date.now() / hourMs);
  return Array.from({ length: hours }, (_, i) => hours - i).map(ago => ({
    start: new Date((thisHour - ago) * hourMs).toISOString(),
    ...value(ago),
  }));
}

async function bring(home: HomeAssistant, id: string, metadata: object, stats: Row[]): Promise<void> {
  await home.call({
    type: 'recorder/import_statistics',
    metadata: { source: 'recorder', statistic_id: id, name: null, unit_class: null, ...metadata },
    stats,
  });
  await until(`the statistics of ${id}`, async () => {
    const found = await home.call<Record<string, object[]>>({
      ...{ type: 'recorder/statistics_during_period', statistic_ids: [id], period: 'hour' },
      start_time: stats[0]?.start,
    });
    return found[id]?.length === stats.length;
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
