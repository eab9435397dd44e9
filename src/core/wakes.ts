/** Which resource is to be looked at next, by time: a binary heap. */

interface Entry {
  readonly id: string;
  readonly atMs: number;
}

export class Wakes {
  /** Each parent is no later than its children. What has been put off meanwhile stays until it comes up. */
  private heap: Entry[] = [];
  private readonly current = new Map<string, Entry>();

  /** So much memory is used: also by what has been put off. */
  get size(): number {
    return this.heap.length;
  }

  /** @param atMs Of CLOCK_BOOTTIME; null: never by itself. */
  set(id: string, atMs: number | null): void {
    if (atMs === (this.current.get(id)?.atMs ?? null)) return;
    if (atMs === null) {
      this.current.delete(id);
      return;
    }
    const entry = { id, atMs };
    this.current.set(id, entry);
    this.push(entry);
    if (this.heap.length > 64 + 2 * this.current.size) this.rebuild();
  }

  /** The earliest moment; null = none. */
  nextMs(): number | null {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (this.isCurrent(first)) return first.atMs;
      this.pop();
    }
    return null;
  }

  /** Those whose moment has come. They stay until they are set anew. */
  due(nowMs: number): string[] {
    const found: string[] = [];
    const open = [0];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      const entry = this.heap[at];
      if (entry === undefined || entry.atMs > nowMs) continue;
      if (this.isCurrent(entry)) found.push(entry.id);
      open.push(2 * at + 1, 2 * at + 2);
    }
    return found;
  }

  private isCurrent(entry: Entry): boolean {
    return this.current.get(entry.id) === entry;
  }

  private rebuild(): void {
    // Sorted is a heap.
    this.heap = [...this.current.values()].sort((a, b) => a.atMs - b.atMs);
  }

  private push(entry: Entry): void {
    const { heap } = this;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Entry;
      if (parent.atMs <= entry.atMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const right = left + 1;
      const below = right < heap.length && momentAt(heap, right) < momentAt(heap, left) ? right : left;
      if (below >= heap.length || momentAt(heap, below) >= last.atMs) break;
      heap[at] = heap[below] as Entry;
      at = below;
    }
    heap[at] = last;
  }
}

function momentAt(heap: readonly Entry[], index: number): number {
  return heap[index]?.atMs ?? Number.POSITIVE_INFINITY;
}
