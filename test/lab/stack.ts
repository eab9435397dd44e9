/** The real TCP/IP stack that the tests break: slirp4netns, which serves the lab's namespace from user space. */
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import type { Namespace } from './namespace.js';
import { bootTimeMs, repository } from './paths.js';
import { isAlive, pidsWhere, run, type Started, signalIfAlive, start } from './proc.js';
import { until } from './wait.js';

/** Ends the stack by a signal, or (see exit_on_signal.c) by an exit of its own with this status. */
export type Death = NodeJS.Signals | { readonly exitStatus: number };

const firstExitSignal = 40;

export interface Kill {
  readonly pid: number;
  /** CLOCK_BOOTTIME and wall clock just before the signal was sent. */
  readonly bootMs: number;
  readonly wallMs: number;
}

export class Stack {
  readonly pidfile: string;
  readonly logFile: string;
  readonly preload: string;
  private first: Started | null = null;

  constructor(
    private readonly namespace: Namespace,
    private readonly directory: string,
  ) {
    this.pidfile = `${directory}/stack.pid`;
    this.logFile = `${directory}/stack.log`;
    this.preload = `${directory}/exit_on_signal.so`;
  }

  /** What follows `slirp4netns`; also written into the restart script. */
  arguments(readyFd?: number): string[] {
    const ready = readyFd === undefined ? [] : [`--ready-fd=${readyFd}`];
    return ['--configure', '--mtu=65520', ...ready, String(this.namespace.pid), 'tap0'];
  }

  /** Starts it and waits until the interface has its address and route. */
  async start(): Promise<void> {
    await run([
      'cc',
      '-O2',
      '-shared',
      '-fPIC',
      '-o',
      this.preload,
      `${repository}test/lab/exit_on_signal.c`,
    ]);
    const log = openSync(this.logFile, 'a');
    const stack = start(['slirp4netns', ...this.arguments(3)], {
      stdio: ['ignore', log, log, 'pipe'],
      env: { ...process.env, LD_PRELOAD: this.preload },
      // A core file of a crash goes there, and away with the lab.
      cwd: this.directory,
    });
    this.first = stack;
    writeFileSync(this.pidfile, `${stack.pid}\n`);
    let isReady = false;
    stack.child.stdio[3]?.once('data', () => {
      isReady = true;
    });
    await until('slirp4netns to configure tap0', () => isReady || !isAlive(stack.pid), {
      context: () => this.log(),
    });
    if (!isReady) throw new Error(`slirp4netns ended at once:\n${this.log()}`);
  }

  /** The pid of the stack that serves the namespace now, or null. */
  pid(): number | null {
    const pid = Number(readFileSync(this.pidfile, 'utf8'));
    return pid > 0 && isAlive(pid) ? pid : null;
  }

  kill(death: Death): Kill {
    const pid = this.pid();
    if (pid === null) throw new Error('there is no living stack to kill');
    const signal = typeof death === 'string' ? death : firstExitSignal + death.exitStatus;
    const kill = { pid, bootMs: bootTimeMs(), wallMs: Date.now() };
    process.kill(pid, signal);
    return kill;
  }

  /** Ends the stack that start() started, and gives the exit status that its parent, the test, is told. */
  async exitStatusOf(death: Death): Promise<number | null> {
    if (this.first === null || this.pid() !== this.first.pid)
      throw new Error('this stack is not a child of the test');
    this.kill(death);
    return (await this.first.ended).code;
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** Ends every stack of this namespace, those too that a restart script started and nobody wrote down. */
  async close(): Promise<void> {
    const mine = () =>
      pidsWhere(argv => argv[0] === 'slirp4netns' && argv.includes(String(this.namespace.pid))).filter(
        isAlive,
      );
    await until('the stacks of the namespace to end', () => {
      const pids = mine();
      for (const pid of pids) signalIfAlive(pid, 'SIGKILL');
      return pids.length === 0;
    });
  }
}
