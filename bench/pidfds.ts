/** Ten thousand processes by their pidfiles: what it costs to begin, to watch and to do nothing with them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { herdOf } from './absent.js';
import { residentMb, stillRows } from './idle.js';
import { watchHost } from './programs.js';
import { type Row, row } from './stats.js';

const crowd = 10_000;

export async function pidfdRows(): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const herd = await herdOf(crowd, [folder]);
  const host = watchHost(['prlimit', `--nofile=${crowd + 1000}`], ['--expose-gc']);
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
    const still = await stillRows(host.pid);
    return [
      row('watch() of a process by its pidfile, of 10,000', 'ms', [tookMs / crowd], null, null),
      row('resident memory of 10,000 watched processes', 'MB', [fullMb - emptyMb], null, {
        kind: 'value',
        atMost: (crowd * 1.5) / 1024,
      }),
      ...still,
    ];
  } finally {
    await host.close();
    await herd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
