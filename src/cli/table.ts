/** Plain columns. Widths are counted in code points, which is right for everything sockmon prints itself. */

const widthOf = (text: string): number => [...text].length;

/** Rows as aligned columns, two spaces apart; the last column is as long as it is. */
export function rows(cells: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of cells)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    });
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)),
      )
      .join('  ')
      .trimEnd();
  return cells.map(row => `${line(row)}\n`).join('');
}

/** Local time, to the second, with the zone left to the reader: `2026-11-22 07:03:12`. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
