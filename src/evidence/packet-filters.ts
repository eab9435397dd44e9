/** Packet filters that drop what no rule of theirs lets pass, by the lists that nft(8) and iptables-save(8) give. Pure. */

/** Those that a datagram over loopback passes. A router drops by policy what it forwards; that says nothing. */
const hooks = ['input', 'output', 'prerouting', 'postrouting'];
const families = ['ip', 'ip6', 'inet'];
/** A name may have 255 characters. */
const nameChars = 60;

const short = (name: string): string => name.slice(0, nameChars);

/** @param chains what `nft list chains` prints. */
export function nftablesDropping(chains: string): string[] {
  const found: string[] = [];
  let table: { readonly words: string; readonly isIp: boolean } | null = null;
  let chain = '';
  for (const line of chains.split('\n')) {
    const [, family = '', name = ''] = /^table (\S+) (\S+) \{/.exec(line) ?? [];
    if (name !== '')
      table = { words: `nftables table ${family} ${short(name)}`, isIp: families.includes(family) };
    // What is asleep drops nothing.
    if (/^\s+flags .*\bdormant\b/.test(line)) table = null;
    chain = /^\s+chain (\S+) \{/.exec(line)?.[1] ?? chain;
    const hook = /\bhook (\w+) .*\bpolicy drop;/.exec(line)?.[1];
    if (table?.isIp && hook !== undefined && hooks.includes(hook))
      found.push(`${table.words}, chain ${short(chain)}: policy drop`);
  }
  return found;
}

/** @param saved what `iptables-save` prints. */
export function iptablesDropping(saved: string, program: 'iptables' | 'ip6tables'): string[] {
  const found: string[] = [];
  let table = '';
  for (const line of saved.split('\n')) {
    table = /^\*(\S+)/.exec(line)?.[1] ?? table;
    const chain = /^:(\S+) DROP\b/.exec(line)?.[1];
    if (chain !== undefined && hooks.includes(chain.toLowerCase()))
      found.push(`${program} table ${short(table)}, chain ${short(chain)}: policy DROP`);
  }
  return found;
}
