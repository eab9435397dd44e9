/** The test's side of netns-host.ts: a network namespace of its own with a monitor in it. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Nature, NetworkCounters, RunSpec, SensorReport, SensorSpec } from '../../native/index.js';
import { atEnd, type Event, Recorder } from './helpers.js';

type Answer = { events: Event[] } | { result: unknown } | { error: string };

export class Netns {
  readonly recorder = new Recorder();
  readonly #waiting: { resolve: (result: unknown) => void; reject: (error: Error) => void }[] = [];
  readonly #host;

  /** @param pid The monitor is to be in the network namespace of this process, and not in a new one. */
  constructor(test: TestContext, pid?: number) {
    const program = fileURLToPath(new URL('netns-host.js', import.meta.url));
    const enter = pid === undefined ? ['unshare', '-n'] : ['nsenter', '--target', `${pid}`, '--net'];
    const [command = '', ...args] = [...enter, process.execPath, program];
    this.#host = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#host.stdout }).on('line', line =>
      this.#onAnswer(JSON.parse(line) as Answer),
    );
    this.#host.on('exit', () => {
      for (const { reject } of this.#waiting)
        reject(new Error('the host in the network namespace has ended'));
    });
    atEnd(test, () => this.#host.kill('SIGKILL'));
  }

  watch(resource: string, sensors: SensorSpec[]): Promise<SensorReport[]> {
    return this.#call('watch', resource, sensors) as Promise<SensorReport[]>;
  }
  snapshot(resource: string): Promise<SensorReport[]> {
    return this.#call('snapshot', resource) as Promise<SensorReport[]>;
  }
  network(): Promise<NetworkCounters> {
    return this.#call('network') as Promise<NetworkCounters>;
  }
  async armReflex(resource: string, run: RunSpec, natures?: readonly Nature[]): Promise<void> {
    await this.#call('armReflex', resource, run, ...(natures === undefined ? [] : [natures]));
  }
  /** Runs it with sh -e inside the namespace. */
  async sh(script: string): Promise<string> {
    return (await this.#call('shell', script)) as string;
  }

  #call(...call: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#host.stdin.write(`${JSON.stringify(call)}\n`);
    });
  }

  #onAnswer(answer: Answer): void {
    if ('events' in answer) {
      this.recorder.add(answer.events);
      return;
    }
    const caller = this.#waiting.shift();
    if ('error' in answer) caller?.reject(new Error(answer.error));
    else caller?.resolve(answer.result);
  }
}
