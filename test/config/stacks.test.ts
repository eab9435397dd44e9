/** docs/STACKS.md against the tests that it names. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const read = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../${file}`, import.meta.url)), 'utf8');
const rows = read('docs/STACKS.md')
  .split('\n')
  .filter(line => /^\| \d+ /.test(line));

/** `file`: "title", "title"; `file`: "title" */
function namedIn(row: string): { file: string; title: string }[] {
  return [...row.matchAll(/`(test\/[^`]+)`:((?: ?"[^"]+",?)+)/g)].flatMap(([, file = '', titles = '']) =>
    [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => ({ file, title })),
  );
}

/** In C++ a test is a function, whose name is its title. */
function isThere({ file, title }: { file: string; title: string }): boolean {
  const text = read(file);
  if (file.endsWith('.cc')) return text.includes(`void ${title.replaceAll(' ', '_')}(`);
  return [`'`, `"`, '`'].some(quote => text.includes(`${quote}${title}`));
}

test('each line names the tests that hold it, or says why there is none', () => {
  assert.ok(rows.length >= 17, `${rows.length} rows`);
  for (const row of rows) assert.ok(namedIn(row).length > 0 || /\| None: /.test(row), row);
});

test('each test that is named there exists', () => {
  const missing = rows.flatMap(namedIn).filter(named => !isThere(named));
  assert.deepEqual(missing, []);
});
