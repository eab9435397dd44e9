/** A server is killed -> seen, and -> first instruction of the restart script, over a held connection, beside C that holds the same. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../test/lab/proc.js';
import { cProgram, LineProgram, watchHost } from './programs.js';
import { interleave, type Row, row } from './stats.js';

type Variant = 'sockmon' | 'c';
const variants: readonly Variant[] = ['sockmon', 'c'];

interface Bench {
  readonly host: LineProgram;
  readonly c: LineProgram;
  readonly marks: LineProgram;
  readonly script: string;
}

interface Samples {
  readonly seen: number[];
  readonly script: number[];
}

export async function heldRows(rounds: number): Promise<Row[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const fifo = `${directory}/mark`;
  await run(['mkfifo', fifo]);
  const script = `${directory}/script`;
  writeFileSync(script, `#!/bin/sh\necho >'${fifo}'\n`, { mode: 0o755 });
  const marks = new LineProgram([cProgram('mark_reader'), fifo]);
  await marks.next('armed');
  const c = new LineProgram([cProgram('connection_watch'), script]);
  const bench: Bench = { host: watchHost(), c, marks, script };
  try {
    const rows: Row[] = [];
    for (const [name, address] of [
      ['TCP over loopback', `tcp:127.0.0.1:${await freePort()}`],
      ['UNIX socket', `unix:${directory}/server.sock`],
    ] as const) {
      const samples = await measure(bench, rounds, address);
      const beside = (what: keyof Samples) => ({
        name: 'C epoll on the same connection',
        samples: samples.c[what],
      });
      rows.push(
        row(`server killed -> seen, ${name}`, 'ms', samples.sockmon.seen, beside('seen'), null),
        row(`server killed -> script's first line, ${name}`, 'ms', samples.sockmon.script, beside('script'), {
          kind: 'ratio',
          atMost: 1.1,
        }),
      );
    }
    return rows;
  } finally {
    for (const program of [bench.host, c, marks]) await program.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(bench: Bench, rounds: number, address: string): Promise<Record<Variant, Samples>> {
  const samples: Record<Variant, Samples> = {
    sockmon: { seen: [], script: [] },
    c: { seen: [], script: [] },
  };
  await interleave(variants, rounds, async variant => {
    const { seenMs, scriptMs } = await oneDeath(bench, variant, address);
    samples[variant].seen.push(seenMs);
    samples[variant].script.push(scriptMs);
  });
  return samples;
}

async function oneDeath(
  bench: Bench,
  variant: Variant,
  address: string,
): Promise<{ seenMs: number; scriptMs: number }> {
  const server = new LineProgram([cProgram('server'), address]);
  await server.next('alive');
  const watcher = variant === 'sockmon' ? bench.host : bench.c;
  watcher.send(variant === 'sockmon' ? `hold ${address} ${bench.script}` : address);
  await watcher.next('armed');
  await server.next('accepted');
  server.send('kill');
  const killedMs = await server.next('killed');
  const seenMs = (await watcher.next('seen')) - killedMs;
  const scriptMs = (await bench.marks.next('mark')) - killedMs;
  await server.close();
  return { seenMs, scriptMs };
}

/** Of a listener that has just been closed. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port is free');
  return address.port;
}
