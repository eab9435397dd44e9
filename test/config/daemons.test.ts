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
  readonly byUnit: string;
  readonly line: string;
}

function rowsOf(part: string): Row[] {
  return part.split('\n').flatMap(line => {
    const [first = '', second = '', unit = '', byUnit = ''] = line.split(' | ');
    const watch = /^`([{[].+)`$/.exec(second)?.[1];
    return watch === undefined || !first.startsWith('| ')
      ? []
      : [{ name: first.slice(2), watch, unit, byUnit, line }];
  });
}

const all = rowsOf(played);
/** Played by hand in a guest: the lab has no kernel for them. */
const inGuest = all.filter(({ name }) => name.endsWith(' ¹'));
const rows = all.filter(row => !inGuest.includes(row));
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

test('each row says who brings it back by its unit', () => {
  for (const daemon of daemons) {
    const row = rows.find(({ name }) => isNamed(name, daemon));
    const [, restart = ''] = row?.unit.split('; ') ?? [];
    const bringer = daemon.byUnit ?? (restart === 'no' ? 'sockmon' : 'systemd');
    const words = { sockmon: 'yes', systemd: 'systemd', nobody: '**no**' }[bringer];
    assert.equal(row?.byUnit, row?.unit.startsWith('by hand') ? '–' : words, daemon.name);
  }
});

test('what the lab is told to see besides stands in its row, word for word', () => {
  for (const daemon of daemons) {
    const line = rows.find(({ name }) => isNamed(name, daemon))?.line ?? '';
    for (const { says } of daemon.claims ?? []) assert.ok(line.includes(says), `${daemon.name}: ${says}`);
  }
});

test('what has been played in a guest is marked, and the mark explained', () => {
  assert.deepEqual(
    inGuest.map(({ name }) => name.split(' ')[0]),
    ['pppd', 'wireguard'],
  );
  assert.match(played, /^¹ Played by hand in a Debian 12 guest/m);
});

test('each line, also of what is not played, can be written into a configuration', context => {
  const { write, load } = workshop(context);
  const lines = [...all, ...rowsOf(notPlayed)].map(({ watch }) => watch);
  const resources = lines.map((watch, index) => `  r${index}:\n    watch: ${watch}\n`);
  const { policy } = load([write('all.yaml', `resources:\n${resources.join('')}`)]);
  assert.equal(policy.resources.length, lines.length);
});

test('so can the examples', context => {
  const { write, load } = workshop(context);
  const examples = [...page.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  assert.equal(examples.length, 2);
  for (const [index, example] of examples.entries()) {
    const { policy } = load([write(`example${index}.yaml`, example)]);
    assert.deepEqual(policy.resources[0]?.steps[0]?.argv.slice(1), ['dnsmasq.service']);
  }
});
