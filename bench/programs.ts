/** The bare C programs and the helpers of the benchmark, each a process that speaks in lines: a word and a time. */
import { mkdirSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { nodeOptions } from '../test/lab/daemon.js';
import { repository } from '../test/lab/paths.js';
import { run, type Started, start } from '../test/lab/proc.js';
import { until } from '../test/lab/wait.js';

const sources = `${repository}bench/c`;
const output = `${repository}dist/bench/c`;

/** Compiles them all, as a C programmer would for production. */
export async function compileC(): Promise<void> {
  mkdirSync(output, { recursive: true });
  for (const source of readdirSync(sources).filter(name => name.endsWith('.c'))) {
    const target = `${output}/${basename(source, '.c')}`;
    // The victim is static, so that its death is no more than a death.
    const link = source === 'victim.c' ? ['-static'] : [];
    await run([
      'cc',
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      '-D_GNU_SOURCE',
      ...link,
      '-o',
      target,
      `${sources}/${source}`,
    ]);
  }
}

export function cProgram(name: string): string {
  return `${output}/${name}`;
}

/** A process with the native monitor in it, which runs as the daemon does. `by`: what comes before its command line. */
export function watchHost(by: readonly string[] = [], flags: readonly string[] = []): LineProgram {
  const host = `${repository}dist/bench/watch-host.js`;
  return new LineProgram([...by, process.execPath, ...nodeOptions, ...flags, host]);
}

export class LineProgram {
  private readonly lines: string[] = [];
  private readonly process: Started;

  constructor(argv: readonly string[]) {
    this.process = start(argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.process.child.stdout === null) throw new Error('no stdout');
    createInterface({ input: this.process.child.stdout }).on('line', line => this.lines.push(line));
  }

  get pid(): number {
    return this.process.pid;
  }

  send(line: string): void {
    this.process.child.stdin?.write(`${line}\n`);
  }

  /** Takes the next line with this word and gives its time. Lines before it are dropped. */
  async next(word: string): Promise<number> {
    const at = await until(
      `"${word}" from ${this.process.child.spawnargs.slice(4).join(' ')}`,
      () => {
        const index = this.lines.findIndex(line => line.startsWith(word));
        return index < 0 ? null : { index };
      },
      { pollMs: 1, context: () => this.lines.join('\n') },
    );
    const line = this.lines[at.index] ?? '';
    this.lines.splice(0, at.index + 1);
    return Number(line.split(' ')[1] ?? 0);
  }

  /** Forgets what it has said so far. */
  forget(): void {
    this.lines.length = 0;
  }

  async close(): Promise<void> {
    this.process.child.kill('SIGKILL');
    await this.process.ended;
  }
}
