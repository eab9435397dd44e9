/** A network namespace of the test's own, held open by a sleeping process. */
import { readlinkSync } from 'node:fs';
import { run, type Started, start } from './proc.js';
import { until } from './wait.js';

export class Namespace {
  private constructor(private readonly holder: Started) {}

  static async open(): Promise<Namespace> {
    const holder = start(['unshare', '--net', 'sleep', 'infinity'], {
      stdio: 'ignore',
    });
    const outside = readlinkSync('/proc/self/ns/net');
    await until('the network namespace', () => readlinkSync(`/proc/${holder.pid}/ns/net`) !== outside);
    return new Namespace(holder);
  }

  get pid(): number {
    return this.holder.pid;
  }

  /** The command line that runs a program inside; nsenter execs it, so the pid is the program's. */
  enter(argv: readonly string[]): string[] {
    return ['nsenter', '--target', String(this.pid), '--net', '--', ...argv];
  }

  run(argv: readonly string[]): Promise<string> {
    return run(this.enter(argv));
  }

  async close(): Promise<void> {
    this.holder.child.kill('SIGKILL');
    await this.holder.ended;
  }
}
