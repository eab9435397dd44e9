/** The rows as a table for people. Pure. */
import type { Figures, Goal, Row } from './stats.js';

const digits: Record<Row['unit'], number> = { ms: 2, MB: 1, KB: 1, count: 0 };

export function table(rows: readonly Row[]): string {
  const cells = rows.map(row => [
    row.name,
    shown(row.sockmon, row.unit),
    row.rival === null ? '' : shown(row.rival.figures, row.unit),
    row.rival?.name ?? '',
    row.ratio === null ? '' : row.ratio.toFixed(2),
    row.goal === null ? '' : goalWords(row.goal, row.unit),
    row.met === null ? '' : row.met ? 'met' : 'MISSED',
  ]);
  const head = ['', 'sockmon', 'beside it', '', 'ratio', 'goal', ''];
  const lines = [head, ...cells];
  const widths = head.map((_, column) => Math.max(...lines.map(line => (line[column] ?? '').length)));
  const text = lines.map(line =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n\nms, MB and KB: p50 / p90; ratio and goal are of p50.\n`;
}

function shown(figures: Figures, unit: Row['unit']): string {
  const text = (value: number) => value.toFixed(digits[unit]);
  const middle = text(figures.p50);
  const amount = figures.n === 1 ? middle : `${middle} / ${text(figures.p90)}`;
  return unit === 'count' ? amount : `${amount} ${unit}`;
}

function goalWords(goal: Goal, unit: Row['unit']): string {
  return goal.kind === 'ratio'
    ? `<= ${goal.atMost} x`
    : `<= ${goal.atMost}${unit === 'count' ? '' : ` ${unit}`}`;
}
