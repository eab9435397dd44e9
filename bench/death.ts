/** kill -> seen by the monitor, and kill -> first instruction of the restart script, beside C on a pidfd; idle and with JavaScript blocked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Namespace } from '../test/lab/namespace.js';
import { bootTimeMs } from '../test/lab/paths.js';
import { run } from '../test/lab/proc.js';
import { cProgram, LineProgram, watchHost } from './programs.js';
import { figures, interleave, type Row, row } from './stats.js';

type Variant = 'sockmon' | 'c';
const variants: readonly Variant[] = ['sockmon', 'c'];

interface Bench {
  readonly directory: string;
  readonly host: LineProgram;
  readonly c: LineProgram;
  readonly cWithScript: LineProgram;
  readonly marks: LineProgram;
  readonly script: string;
}

export async function deathRows(rounds: number, which: { seen: boolean; script: boolean }): Promise<Row[]> {
  const bench = await open();
  try {
    const rows: Row[] = [];
    for (const load of ['idle', 'busy'] as const) {
      bench.host.send(load);
      const words = load === 'idle' ? 'idle' : 'JavaScript blocked 20 of every 40 ms';
      if (which.seen) {
        const samples = await measure(bench, rounds, 'seen');
        const rival = { name: 'C epoll on a pidfd', samples: samples.c };
        rows.push(
          row(`kill -> seen in the monitor, ${words}`, 'ms', samples.sockmon, rival, {
            kind: 'ratio',
            atMost: 1.1,
          }),
        );
      }
      if (which.script) {
        const samples = await measure(bench, rounds, 'script');
        const rival = { name: 'C pidfd + posix_spawn', samples: samples.c };
        rows.push(
          row(`kill -> script's first line, ${words}`, 'ms', samples.sockmon, rival, {
            kind: 'ratio',
            atMost: 1.08,
          }),
        );
      }
    }
    return rows;
  } finally {
    await close(bench);
  }
}

/** The same in a network namespace, by a monitor that watches that too: in quiet, and while `flood` goes on. */
export async function floodRows(
  rounds: number,
  namespace: Namespace,
  flood: (isOver: () => boolean) => Promise<void>,
): Promise<Row[]> {
  const bench = await open(namespace.enter([]));
  try {
    bench.host.send('network');
    await bench.host.next('watched');
    const p90s = async () => {
      const { sockmon, c } = await measure(bench, rounds, 'script');
      return { sockmon: [figures(sockmon).p90], c: [figures(c).p90] };
    };
    const quiet = await p90s();
    let isOver = false;
    const flooding = flood(() => isOver);
    const flooded = await p90s();
    isOver = true;
    await flooding;
    const name = "kill -> script's first line, p90, while routes of a full table come and go";
    return [
      row(
        name,
        'ms',
        flooded.sockmon,
        { name: 'in quiet', samples: quiet.sockmon },
        { kind: 'ratio', atMost: 1.3 },
      ),
      // Who makes the routes takes a processor: that delays everybody.
      row(
        '  the same',
        'ms',
        flooded.sockmon,
        { name: 'C pidfd + posix_spawn, meanwhile', samples: flooded.c },
        null,
      ),
    ];
  } finally {
    await close(bench);
  }
}

async function open(by: readonly string[] = []): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), 'sockmon-bench-'));
  const fifo = `${directory}/mark`;
  await run(['mkfifo', fifo]);
  const script = `${directory}/script`;
  writeFileSync(script, `#!/bin/sh\necho >'${fifo}'\n`, { mode: 0o755 });
  const marks = new LineProgram([cProgram('mark_reader'), fifo]);
  await marks.next('armed');
  return {
    directory,
    script,
    marks,
    host: watchHost(by),
    c: new LineProgram([cProgram('pidfd_watch')]),
    cWithScript: new LineProgram([cProgram('pidfd_watch'), script]),
  };
}

async function close(bench: Bench): Promise<void> {
  for (const program of [bench.host, bench.c, bench.cWithScript, bench.marks]) await program.close();
  rmSync(bench.directory, { recursive: true, force: true });
}

async function measure(
  bench: Bench,
  rounds: number,
  what: 'seen' | 'script',
): Promise<Record<Variant, number[]>> {
  const samples: Record<Variant, number[]> = { sockmon: [], c: [] };
  await interleave(variants, rounds, async variant => {
    samples[variant].push(await oneDeath(bench, variant, what));
  });
  return samples;
}

async function oneDeath(bench: Bench, variant: Variant, what: 'seen' | 'script'): Promise<number> {
  const victim = new LineProgram([cProgram('victim')]);
  await victim.next('alive');
  const watcher = variant === 'sockmon' ? bench.host : what === 'seen' ? bench.c : bench.cWithScript;
  if (variant === 'sockmon') {
    const pidfile = `${bench.directory}/victim.pid`;
    writeFileSync(pidfile, `${victim.pid}\n`);
    watcher.send(what === 'seen' ? `watch ${pidfile}` : `watch ${pidfile} ${bench.script}`);
  } else {
    watcher.send(String(victim.pid));
  }
  await watcher.next('armed');
  const killedMs = bootTimeMs();
  process.kill(victim.pid, 'SIGKILL');
  const seenMs = await watcher.next('seen');
  const endMs = what === 'seen' ? seenMs : await bench.marks.next('mark');
  await victim.close();
  return endMs - killedMs;
}
