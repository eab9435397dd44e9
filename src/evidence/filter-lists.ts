/** Asks the programs that list packet filters. They are root's, and each may be missing; none is waited for long. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { iptablesDropping, nftablesDropping } from './packet-filters.js';

/** A kernel that holds its lock keeps nft in the state D, where SIGKILL does not end it: it is left behind then. */
const patienceMs = 2000;
/** Chains without their rules: a firewall of a thousand chains has 100 KB. */
const longestList = 1024 * 1024;

export type ListFilters = () => Promise<string[]>;

/** Gives the filters in words, what cannot be listed in brackets. */
export function filterLists(procNet = '/proc/net', run = runProgram): ListFilters {
  // One that hangs is not joined by another.
  let going: Promise<string[]> | null = null;
  let hanging = 0;
  const list = async (): Promise<string[]> => {
    if (hanging > 0) return ['(the packet filters cannot be listed: the last list has not ended yet)'];
    const ask = (...argv: string[]) =>
      run(
        argv,
        () => hanging++,
        () => hanging--,
      );
    const lists = await Promise.all([
      nftables(ask),
      // Asked for where there are such tables only: the question loads the modules, and with them makes the tables.
      ...(['iptables', 'ip6tables'] as const).map(program => iptables(program, procNet, ask)),
    ]);
    return lists.flat();
  };
  return () => {
    going ??= list().finally(() => {
      going = null;
    });
    return going;
  };
}

type Ask = (...argv: string[]) => Promise<string | Error>;

async function nftables(ask: Ask): Promise<string[]> {
  const chains = await ask('nft', 'list', 'chains');
  return typeof chains === 'string'
    ? nftablesDropping(chains)
    : [`(nftables cannot be listed: ${chains.message})`];
}

async function iptables(program: 'iptables' | 'ip6tables', procNet: string, ask: Ask): Promise<string[]> {
  const names = `${procNet}/${program === 'iptables' ? 'ip' : 'ip6'}_tables_names`;
  try {
    if (fs.readFileSync(names, 'latin1').trim() === '') return [];
  } catch {
    // The modules are not loaded, or the file is not ours to read.
    return [];
  }
  // The plain name may be that of the variant that speaks to nftables, which has been asked already.
  let saved = await ask(`${program}-legacy-save`);
  if (saved instanceof Error) saved = await ask(`${program}-save`);
  return typeof saved === 'string'
    ? iptablesDropping(saved, program)
    : [`(${program} cannot be listed: ${saved.message})`];
}

/**
 * Gives what it prints, or why not.
 * @param onHang it has not ended in time; onEnd: now it has.
 */
export function runProgram(
  [program = '', ...args]: readonly string[],
  onHang: () => void,
  onEnd: () => void,
  waitMs = patienceMs,
): Promise<string | Error> {
  return new Promise(resolve => {
    // The words are read: they must not be in the language of the house.
    const env = { ...process.env, LC_ALL: 'C' };
    const child: ChildProcess = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env });
    const chunks = { out: '', error: '' };
    let hangs = false;
    const timer = setTimeout(() => {
      hangs = true;
      onHang();
      child.kill('SIGKILL');
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
      resolve(new Error(`${program} has not ended within ${waitMs} ms`));
    }, waitMs);
    // Without descriptors it has no pipes, and says so by `error`.
    child.stdout?.setEncoding('latin1').on('data', chunk => {
      if (chunks.out.length < longestList) chunks.out += chunk;
    });
    child.stderr?.setEncoding('latin1').on('data', chunk => {
      if (chunks.error.length < longestList) chunks.error += chunk;
    });
    child.on('error', ({ message }) => {
      clearTimeout(timer);
      resolve(new Error(message));
    });
    child.on('close', code => {
      clearTimeout(timer);
      if (hangs) return onEnd();
      const why = chunks.error.trim().split('\n')[0] || `${program} ended with status ${code}`;
      resolve(code === 0 ? chunks.out : new Error(why.slice(0, 200)));
    });
  });
}
