/** docs/DAEMONS.md against the lab that plays it (test/lab/daemons) and against the configuration. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Daemon } from '../lab/daemons/daemon.js';
import { daemons } from '../lab/daemons/daemons.js';
import { workshop } from './workshop.js';

const page = readFileSync(fileURLToPath(new URL('../../../docs/DAEMONS.md', import.meta.url)), 'utf8');
const [played = '', notPlayed = ''] = page.split('\n## Not played\n');

interface Row {
  readonly name: string;
  readonly watch: string;
  readonly unit: string;
}

function rowsOf(part: string): Row[] {
  const cells = part.split('\n').map(line => line.split(' | '));
  return cells.flatMap(([first = '', second = '', third = '']) => {
    const watch = /^`([{[].+)`$/.exec(second)?.[1];
    return watch === undefined || !first.startsWith('| ')
      ? []
      : [{ name: first.slice(2), watch, unit: third }];
  });
}

const rows = rowsOf(played);
const shortened = ({ unit }: Daemon): string => unit.replace(/\.service$/, '');

test('the page has a row for each daemon that the lab plays, and no other', () => {
  assert.ok(rows.length >= 25, `${rows.length} rows`);
  const names = rows.map(({ name }) => daemons.find(daemon => isNamed(name, daemon))?.name ?? name);
  assert.deepEqual([...names].sort(), daemons.map(({ name }) => name).sort());
});

/** `named, bind9 9.18` is the row of named, `haproxy -D -sf` not that of haproxy. */
function isNamed(cell: string, { name }: Daemon): boolean {
  return cell === name || (cell.startsWith(name) && /^,? .*\d/.test(cell.slice(name.length)));
}

test('each row has the line and the unit that were played', () => {
  for (const daemon of daemons) {
    const row = rows.find(({ name }) => isNamed(name, daemon));
    assert.equal(row?.watch, daemon.watch[0], daemon.name);
    const isOurs = Object.keys(daemon.files ?? {}).includes(`/etc/systemd/system/${daemon.unit}`);
    const unit = row?.unit.split(';')[0] ?? '';
    if (isOurs) assert.match(unit, /^by hand/, daemon.name);
    else assert.equal(unit, shortened(daemon), daemon.name);
  }
});

test('each line, also of what is not played, can be written into a configuration', context => {
  const { write, load } = workshop(context);
  const lines = [...rows, ...rowsOf(notPlayed)].map(({ watch }) => watch);
  const resources = lines.map((watch, index) => `  r${index}:\n    watch: ${watch}\n`);
  const { policy } = load([write('all.yaml', `resources:\n${resources.join('')}`)]);
  assert.equal(policy.resources.length, lines.length);
});

test('so can the example', context => {
  const { write, load } = workshop(context);
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const { policy } = load([write('example.yaml', example)]);
  assert.deepEqual(policy.resources[0]?.steps[0]?.argv.slice(1), ['restart', 'dnsmasq.service']);
});
