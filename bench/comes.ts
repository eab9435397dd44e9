/** What has been absent for less than a minute comes -> seen by its name. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { bootTimeMs } from '../test/lab/paths.js';
import { herdOf, variants } from './absent.js';
import { cProgram, LineProgram, watchHost } from './programs.js';
import { type Row, row } from './stats.js';

export async function comesRows(rounds: number): Promise<Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const herd = await herdOf(400);
  try {
    const rows: Row[] = [];
    for (const [variant, by] of Object.entries(variants)) {
      const host = watchHost(by);
      const samples: number[] = [];
      for (let round = 0; round < rounds; round++) samples.push(await oneComing(host, folder));
      await host.close();
      const atMost = variant === 'proc connector' ? 100 : 1000;
      rows.push(
        row(`what is absent comes -> seen, ${variant}`, 'ms', samples, null, null),
        row('the slowest of them', 'ms', [Math.max(...samples)], null, { kind: 'value', atMost }),
      );
    }
    return rows;
  } finally {
    await herd.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

let count = 0;
async function oneComing(host: LineProgram, folder: string): Promise<number> {
  const prefix = `coming-${count++}-`;
  const program = join(folder, `${prefix}0`);
  copyFileSync(cProgram('victim'), program);
  host.send(`absent ${prefix} 1`);
  await host.next('watched');
  // So that it comes at any moment between two looks.
  await pause(1000 + Math.random() * 1000);
  const beganMs = bootTimeMs();
  const victim = new LineProgram([program]);
  const seenMs = await host.next(`come-${prefix}0 `);
  host.send(`forget ${prefix}0`);
  await host.next('forgotten');
  await victim.close();
  return seenMs - beganMs;
}
