/** Ten thousand processes by their pidfiles: what it costs to begin, to watch and to do nothing with them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../test/lab/wait.js';
import { herdOf } from './absent.js';
import { difference, idleMs, leastAgeMs, residentMb, usageOf } from './idle.js';
import { watchHost } from './programs.js';
import { type Row, row } from './stats.js';

const crowd = 10_000;

export async function pidfdRows(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const herd = await herdOf(crowd, [folder]);
  const host = watchHost(['prlimit', `--nofile=${crowd + 1000}`], ['--expose-gc']);
  const openedMs = performance.now();
  const settle = async () => {
    host.send('settle');
    await host.next('settled');
  };
  try {
    await settle();
    const emptyMb = residentMb(host.pid);
    host.send(`pidfiles ${folder} ${crowd}`);
    const tookMs = await host.next('watched');
    await settle();
    const fullMb = residentMb(host.pid);
    await until('the host to have settled', () => performance.now() > openedMs + leastAgeMs, {
      deadlineMs: leastAgeMs * 2,
    });
    const before = usageOf(host.pid);
    // The measurement is the time itself: nothing to wait for.
    await pause(idleMs);
    const used = difference(usageOf(host.pid), before);
    return [
      row('watch() of a process by its pidfile, of 10,000', 'ms', [tookMs / crowd], null, null),
      row('resident memory of 10,000 watched processes', 'MB', [fullMb - emptyMb], null, {
        kind: 'value',
        atMost: (crowd * 1.5) / 1024,
      }),
      row(`context switches in ${idleMs / 1000} idle s of them`, 'count', [used.switches], null, {
        kind: 'value',
        atMost: 0,
      }),
      row(`CPU in ${idleMs / 1000} idle s of them`, 'ms', [used.cpuMs], null, null),
    ];
  } finally {
    await host.close();
    await herd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
