/**
 * The lab: a network namespace whose only way out is slirp4netns, a real TCP/IP stack in a process that a test may kill.
 *
 *   outside: broker on 127.0.0.1, recorder, the test        inside: sockmon, its restart script
 *                     └───────── slirp4netns ─── tap0 10.0.2.100, default route via 10.0.2.2 (= 127.0.0.1 outside)
 *
 * Nothing of the machine's own network is touched.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalEntry } from '../../src/core/records.js';
import { readJournal } from '../../src/journal/file.js';
import { runtimeFile } from '../../src/system/folders.js';
import { Broker } from './broker.js';
import { Daemon } from './daemon.js';
import { Namespace } from './namespace.js';
import { Recorder } from './recorder.js';
import { RestartScript, type ScriptOptions } from './restart-script.js';
import { type Death, type Kill, Stack } from './stack.js';

/** A configuration as YAML takes it; merged one level deep over the lab's own. */
export type ConfigFile = Record<string, unknown> & { readonly reboot?: Record<string, unknown> };

/** The host outside, as it is reached from inside. */
const outside = '10.0.2.2';

export class Lab {
  private readonly daemons: Daemon[] = [];
  private readonly closers: (() => Promise<void>)[] = [];
  readonly node = 'lab';
  /** Of the daemons to come. A test that breaks the disk below it sets it. */
  stateDir: string;

  private constructor(
    readonly directory: string,
    readonly namespace: Namespace,
    readonly stack: Stack,
  ) {
    this.stateDir = `${directory}/state`;
  }

  static async open(): Promise<Lab> {
    const directory = mkdtempSync(join(tmpdir(), 'sockmon-lab-'));
    const namespace = await Namespace.open();
    const lab = new Lab(directory, namespace, new Stack(namespace, directory));
    try {
      await lab.stack.start();
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Something else to be closed with the lab, before its stack. */
  onClose(close: () => Promise<void>): void {
    this.closers.push(close);
  }

  /** The journal of the sockmon of this lab, whoever started it. */
  journal(): JournalEntry[] {
    return readJournal(this.stateDir);
  }

  async startBroker(lines?: readonly string[]): Promise<Broker> {
    const broker = await Broker.start(lines);
    this.closers.push(() => broker.stop());
    return broker;
  }

  /** A broker that keeps over a restart what its recorder has not been given yet: the daemon may be connected again before the recorder. */
  async startLastingBroker(): Promise<{ broker: Broker; recorder: Recorder }> {
    const store = `${this.directory}/broker`;
    mkdirSync(store);
    const lines = ['persistence true', `persistence_location ${store}/`, 'max_queued_messages 0'];
    const broker = await this.startBroker(lines);
    return { broker, recorder: await this.record(broker.port, true) };
  }

  async record(port: number, keepsSession?: boolean): Promise<Recorder> {
    const recorder = await Recorder.connect(port, keepsSession);
    this.closers.push(() => recorder.close());
    return recorder;
  }

  /** Where the sockmon of this lab notes its running scripts. */
  runFiles(): string | null {
    return runtimeFile(this.stateDir, 'runs');
  }

  restartScript(options?: ScriptOptions): RestartScript {
    return new RestartScript(this.directory, this.stack, options);
  }

  killStack(death: Death): Kill {
    return this.stack.kill(death);
  }

  /** Loses the link as somebody with `ip link` would. */
  /** A line of shell in the gateway's network. */
  async inGateway(line: string): Promise<void> {
    await this.namespace.run(['sh', '-c', line]);
  }

  async takeLinkDown(): Promise<void> {
    await this.namespace.run(['ip', 'link', 'set', 'tap0', 'down']);
  }

  /** The resource of the lab: its stack, watched by the stack's process, by its interface and by the probe. */
  resource(script: RestartScript | null, restart: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      watch: [
        { process: { pidfile: this.stack.pidfile, name: 'slirp4netns' } },
        { link: { interface: 'tap0', default_route: 'dead' } },
        'stack',
      ],
      // The stories of the lab are about single deaths, of which it has more in a minute than a house in a year.
      flapping: { deaths: 1000 },
      settle: '0s',
      ...(script === null
        ? {}
        : { restart: { script: script.path, attempts: 3, every: '1s', timeout: '10s', ...restart } }),
    };
  }

  /** Writes a configuration for this lab. YAML is a superset of JSON. */
  writeConfig(config: ConfigFile): string {
    const file = `${this.directory}/sockmon.yaml`;
    const whole = { node: this.node, state_dir: this.stateDir, log: { level: 'debug' }, ...config };
    // Never the machine's own: after five minutes a reboot that was only played would be made by force.
    whole.reboot = { command: ['false'], force_command: ['false'], ...whole.reboot };
    writeFileSync(file, JSON.stringify(whole, null, 2));
    return file;
  }

  brokerUrl(broker: { readonly port: number }): string {
    return `mqtt://${outside}:${broker.port}`;
  }

  /** Starts sockmon inside with these arguments, by way of what comes before its command line, if anything. */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    by: readonly string[] = [],
  ): Daemon {
    const daemon = new Daemon({
      enter: argv => this.namespace.enter([...by, ...argv]),
      directory: this.directory,
      stateDir: this.stateDir,
      arguments: args,
      env,
    });
    this.daemons.push(daemon);
    return daemon;
  }

  /** Log and journal of what was started here, for a person who looks for a fault. */
  story(): string {
    return this.daemons.at(-1)?.story() ?? 'no daemon was started';
  }

  run(config: ConfigFile, by: readonly string[] = []): Daemon {
    return this.start(['run', '--config', this.writeConfig(config)], {}, by);
  }

  async close(): Promise<void> {
    for (const daemon of this.daemons) {
      daemon.kill('SIGKILL');
      await daemon.ended;
    }
    for (const close of this.closers.reverse()) await close();
    await this.stack.close();
    await this.namespace.close();
    const runFiles = this.runFiles();
    if (runFiles !== null) rmSync(runFiles, { recursive: true, force: true });
    rmSync(this.directory, { recursive: true, force: true });
  }
}
