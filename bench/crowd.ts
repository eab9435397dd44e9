/** Ten thousand held connections: what it costs to begin, to hold and to do nothing with them. The servers' end is another process. */
import { freePort } from './held.js';
import { residentMb, stillRows } from './idle.js';
import { cProgram, LineProgram, watchHost } from './programs.js';
import { type Row, row } from './stats.js';

const crowd = 10_000;
const thousand = 1000;

export async function crowdRows(): Promise<Row[]> {
  const address = `tcp:127.0.0.1:${await freePort()}`;
  // One for each connection, and the program's own.
  const limit = ['prlimit', `--nofile=${crowd + 1000}`];
  const server = new LineProgram([...limit, cProgram('server'), address]);
  const host = watchHost(limit, ['--expose-gc']);
  try {
    await server.next('alive');
    host.send('settle');
    await host.next('settled');
    const emptyMb = residentMb(host.pid);
    const tookMs: number[] = [];
    for (let n = 0; n < crowd; n += thousand) {
      host.send(`crowd ${address} ${thousand}`);
      tookMs.push(await host.next('watched'));
    }
    host.send('settle');
    await host.next('settled');
    const heldMb = residentMb(host.pid);
    const still = await stillRows(host.pid);
    const each = (ms: number | undefined) => [(ms ?? Number.NaN) / thousand];
    return [
      row(
        'watch() of one connection, the last 1,000 of 10,000',
        'ms',
        each(tookMs.at(-1)),
        { name: 'the first 1,000', samples: each(tookMs[0]) },
        { kind: 'ratio', atMost: 2 },
      ),
      row('resident memory of 10,000 held connections', 'MB', [heldMb - emptyMb], null, {
        kind: 'value',
        atMost: (crowd * 1.5) / 1024,
      }),
      ...still,
    ];
  } finally {
    await host.close();
    await server.close();
  }
}
