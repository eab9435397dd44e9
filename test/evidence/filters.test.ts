import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { evidenceCollector, systemSources } from '../../src/evidence/collector.js';
import { filterLists, runProgram } from '../../src/evidence/filter-lists.js';
import { iptablesDropping, nftablesDropping } from '../../src/evidence/packet-filters.js';
import { run } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { needs, needsNetworkNamespaces } from '../native/needs.js';

const chain = (name: string, line: string): string => `\tchain ${name} {\n\t\t${line}\n\t}\n`;
const table = (words: string, ...chains: string[]): string => `table ${words} {\n${chains.join('')}}\n`;

describe('the list of nftables', () => {
  it('gives the chains of input and output that drop by their policy', () => {
    const list = [
      table('inet f', chain('i', 'type filter hook input priority filter; policy drop;'), chain('own', '')),
      table('ip g', chain('o', 'type filter hook output priority 0; policy drop;')),
    ].join('');
    assert.deepEqual(nftablesDropping(list), [
      'nftables table inet f, chain i: policy drop',
      'nftables table ip g, chain o: policy drop',
    ]);
  });

  const innocent: Record<string, string> = {
    'accepts by its policy': table(
      'inet f',
      chain('i', 'type filter hook input priority filter; policy accept;'),
    ),
    'forwards, as in every router': table(
      'ip f',
      chain('fw', 'type filter hook forward priority filter; policy drop;'),
    ),
    'is a bridge': table('bridge f', chain('i', 'type filter hook input priority filter; policy drop;')),
    'is asleep': table(
      'inet f',
      '\tflags dormant\n',
      chain('i', 'type filter hook input priority filter; policy drop;'),
    ),
    'is no list': 'policy drop;\nhook input ; policy drop;\n',
    'is empty': '',
  };
  for (const [what, list] of Object.entries(innocent))
    it(`gives nothing where it ${what}`, () => assert.deepEqual(nftablesDropping(list), []));
});

describe('the list of iptables', () => {
  it('gives the chains of input and output whose policy is DROP', () => {
    const saved =
      '# Generated\n*filter\n:INPUT DROP [3:180]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [1:2]\n:mine - [0:0]\nCOMMIT\n';
    assert.deepEqual(iptablesDropping(saved, 'iptables'), [
      'iptables table filter, chain INPUT: policy DROP',
    ]);
    assert.deepEqual(iptablesDropping(saved.replace('INPUT DROP', 'INPUT ACCEPT'), 'ip6tables'), []);
  });
});

describe('listing packet filters', () => {
  function procNet(t: TestContext, names: string): string {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-filters-'));
    t.after(() => fs.rmSync(folder, { recursive: true }));
    if (names !== '') fs.writeFileSync(`${folder}/ip_tables_names`, names);
    return folder;
  }

  it('asks iptables only where it has tables: the question itself would make them', async t => {
    const asked: string[] = [];
    const program = async (argv: readonly string[]) => {
      asked.push(argv.join(' '));
      return argv[0] === 'iptables-save'
        ? '*filter\n:INPUT DROP [0:0]\n'
        : new Error(`spawn ${argv[0]} ENOENT`);
    };
    assert.deepEqual(await filterLists(procNet(t, ''), program)(), [
      '(nftables cannot be listed: spawn nft ENOENT)',
    ]);
    assert.deepEqual(asked, ['nft list chains']);
    assert.deepEqual(await filterLists(procNet(t, 'filter\n'), program)(), [
      '(nftables cannot be listed: spawn nft ENOENT)',
      'iptables table filter, chain INPUT: policy DROP',
    ]);
  });

  it('joins those who ask at once, and starts nothing beside a program that hangs', async t => {
    let ends = () => {};
    let begun = 0;
    const hangs = async (_: readonly string[], onHang: () => void, onEnd: () => void) => {
      begun++;
      onHang();
      ends = onEnd;
      return new Error('nft has not ended within 1 ms');
    };
    const list = filterLists(procNet(t, ''), hangs);
    const both = await Promise.all([list(), list()]);
    assert.deepEqual(both[0], ['(nftables cannot be listed: nft has not ended within 1 ms)']);
    assert.deepEqual(both[1], both[0]);
    assert.match((await list())[0] ?? '', /the last list has not ended yet/);
    assert.equal(begun, 1);
    ends();
    await list();
    assert.equal(begun, 2);
  });

  it('waits for no program', async () => {
    const said: string[] = [];
    const given = await runProgram(
      ['sleep', 'infinity'],
      () => said.push('hangs'),
      () => said.push('ended'),
      50,
    );
    assert.match(String(given), /sleep has not ended within 50 ms/);
    await until('its end', () => said.length === 2);
    assert.deepEqual(said, ['hangs', 'ended']);
  });

  it('gives what a program says, or why not', async () => {
    const never = () => assert.fail('it has ended in time');
    const give = (script: string) => runProgram(['sh', '-c', script], never, never);
    assert.equal(await give('echo yes'), 'yes\n');
    assert.match(String(await give('echo no >&2; exit 3')), /^Error: no$/);
    assert.match(String(await give('exit 3')), /sh ended with status 3/);
    assert.match(String(await runProgram(['/nothing/there'], never, never)), /ENOENT/);
  });

  it('is part of the evidence where it is asked for', async () => {
    const collector = evidenceCollector({
      ...systemSources(() => []),
      filters: async () => Array(30).fill('x'),
    });
    assert.equal((await collector.collect('r', 'before', { filters: true })).filters?.length, 20);
    assert.equal((await collector.collect('r', 'before')).filters, undefined);
  });

  const skip = needsNetworkNamespaces() || needs('nft', ['--version']);
  it('finds a real one', { skip }, async () => {
    const rules =
      'add table inet f; add chain inet f i { type filter hook input priority 0; policy drop; }; add chain inet f fw { type filter hook forward priority 0; policy drop; }';
    const list = await run(['unshare', '--net', 'sh', '-c', 'nft "$0" && exec nft list chains', rules]);
    assert.deepEqual(nftablesDropping(list), ['nftables table inet f, chain i: policy drop']);
  });
});
