/** What the owner would look for the next morning: the kernel's last words about the network, addresses and routes. */
import fs from 'node:fs';
import type { Evidence, EvidencePort, EvidenceWish } from '../core/ports.js';
import { filterLists, type ListFilters } from './filter-lists.js';
import { heldTasks } from './held-tasks.js';
import { KernelLog } from './kernel-log.js';
import { routeWords } from './routes.js';

export interface EvidenceSources {
  readonly kernelLog: string;
  /** Folder with `route` and `ipv6_route`. */
  readonly procNet: string;
  /** As `eth0 192.168.1.10/24`. It must not wait for the kernel's lock: os.networkInterfaces() does, in this very thread. */
  readonly addresses: () => readonly string[];
  /** The kernel's log clock, in ms. */
  readonly nowMs: () => number;
  readonly filters: ListFilters;
  /** The tasks that the kernel holds. */
  readonly held: () => Promise<string[]>;
}

export function systemSources(addresses: EvidenceSources['addresses']): EvidenceSources {
  return {
    kernelLog: '/dev/kmsg',
    procNet: '/proc/net',
    addresses,
    nowMs: () => Number(process.hrtime.bigint() / 1_000_000n),
    filters: filterLists(),
    held: heldTasks,
  };
}

/** What led to a death has been said shortly before it. */
const beforeMs = 10 * 60_000;
const maxEntries = 20;
const sharedMs = 20;
/** A router with the whole internet's table has megabytes of it; the default routes come first. */
const tableBytes = 64 * 1024;

type Network = Pick<Evidence, 'addresses' | 'routes'>;

export function evidenceCollector(sources: EvidenceSources): EvidencePort {
  return new Collector(sources);
}

class Collector implements EvidencePort {
  private readonly kernelLog: KernelLog;
  private readonly alive = new Map<string, Network>();
  /** At a start many resources are seen alive at once: one picture serves them all. */
  private latest: { readonly atMs: number; readonly network: Network } | null = null;
  /** What was looked at in this turn of the loop is as it was: many recover at once too. */
  private ofThisTurn: Network | null = null;
  /** Where the kernel's log stood at each resource's `before`. */
  private readonly marks = new Map<string, number>();

  constructor(private readonly sources: EvidenceSources) {
    this.kernelLog = new KernelLog(sources.kernelLog);
  }

  async collect(
    resource: string,
    when: 'alive' | 'before' | 'after',
    beside: EvidenceWish = {},
  ): Promise<Evidence> {
    // The network first: it may change while the log is read.
    if (when !== 'before') this.alive.set(resource, this.network(when === 'alive' ? sharedMs : 0));
    const network = this.alive.get(resource) ?? { addresses: [], routes: [] };
    await this.kernelLog.update();
    if (when === 'alive') return { kernel: [], ...network };
    const kernel = this.kernelWords(resource, when);
    const { filters, held } = this.sources;
    return {
      kernel,
      ...network,
      ...(beside.filters && { filters: (await filters()).slice(0, maxEntries) }),
      ...(beside.held && { held: (await held()).slice(0, maxEntries) }),
    };
  }

  private kernelWords(resource: string, when: 'before' | 'after'): string[] {
    const { kernelLog, marks } = this;
    if (kernelLog.fault !== null) return [kernelLog.fault];
    const mark = marks.get(resource);
    if (when === 'before') marks.set(resource, kernelLog.mark());
    else marks.delete(resource);
    if (when === 'after' && mark !== undefined) return kernelLog.after(mark, maxEntries);
    return kernelLog.since(this.sources.nowMs() - beforeMs, maxEntries);
  }

  private network(maxAgeMs: number): Network {
    if (this.ofThisTurn !== null) return this.ofThisTurn;
    const atMs = this.sources.nowMs();
    if (this.latest !== null && atMs - this.latest.atMs < maxAgeMs) return this.latest.network;
    const network = {
      addresses: this.addresses().slice(0, maxEntries),
      routes: this.routes().slice(0, maxEntries),
    };
    this.latest = { atMs, network };
    this.ofThisTurn = network;
    setImmediate(() => {
      this.ofThisTurn = null;
    });
    return network;
  }

  private addresses(): string[] {
    try {
      return [...this.sources.addresses()];
    } catch (error) {
      return [`(the addresses cannot be read: ${(error as Error).message})`];
    }
  }

  private routes(): string[] {
    const { procNet } = this.sources;
    try {
      return routeWords(head(`${procNet}/route`), head(`${procNet}/ipv6_route`));
    } catch (error) {
      return [`(the routes cannot be read: ${(error as Error).message})`];
    }
  }
}

/** The begin of a file, whole lines only. Missing = empty: a kernel without IPv6 has no table for it. */
function head(path: string): string {
  const buffer = Buffer.alloc(tableBytes);
  let fd: number;
  try {
    fd = fs.openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
  try {
    let length = 0;
    // One read(2) of a file in /proc gives a page or so.
    for (let got = -1; got !== 0 && length < tableBytes; length += got) {
      got = fs.readSync(fd, buffer, length, tableBytes - length, null);
    }
    const text = buffer.toString('latin1', 0, length);
    return text.slice(0, text.lastIndexOf('\n') + 1);
  } finally {
    fs.closeSync(fd);
  }
}
