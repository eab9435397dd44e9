/** sockmon itself, as its users start it: the built program in a process of its own. */
import { openSync, readFileSync } from 'node:fs';
import type { JournalEntry } from '../../src/core/records.js';
import { journalFileName, readJournal } from '../../src/journal/file.js';
import { program } from './paths.js';
import { type Ending, type Started, start } from './proc.js';
import { until, type WaitOptions } from './wait.js';

type EntryOf<T extends JournalEntry['type']> = Extract<JournalEntry, { type: T }>;

export interface DaemonOptions {
  /** Puts a command line into the namespace where the daemon shall run. */
  readonly enter: (argv: readonly string[]) => string[];
  readonly directory: string;
  readonly stateDir: string;
  /** What follows the program's name, for instance `run --config FILE`. */
  readonly arguments: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const [firstLine = ''] = readFileSync(program, 'utf8').split('\n', 1);
/** Those of Node in the daemon's command line. */
export const nodeOptions: readonly string[] = firstLine.split(' ').filter(word => word.startsWith('--'));

/** As npm start runs it. */
export const nodeCommand: readonly string[] = [process.execPath, ...nodeOptions, program];

export class Daemon {
  private readonly process: Started;
  private readonly logFile: string;

  constructor(private readonly options: DaemonOptions) {
    this.logFile = `${options.directory}/sockmon.log`;
    const log = openSync(this.logFile, 'a');
    this.process = start(options.enter([...nodeCommand, ...options.arguments]), {
      stdio: ['ignore', log, log],
      // Whatever a test does, the machine stays up.
      env: { ...process.env, SOCKMON_TEST_NO_REBOOT: '1', ...options.env },
    });
  }

  get pid(): number {
    return this.process.pid;
  }

  get ended(): Promise<Ending> {
    return this.process.ended;
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  get journalFile(): string {
    return `${this.options.stateDir}/${journalFileName}`;
  }

  /** The journal as it stands on disk; a torn last line is left out. */
  journal(): JournalEntry[] {
    return readJournal(this.options.stateDir);
  }

  entries<T extends JournalEntry['type']>(type: T): EntryOf<T>[] {
    return this.journal().filter((entry): entry is EntryOf<T> => entry.type === type);
  }

  /** Waits until the journal has this many entries of a type, and gives the last of them. */
  entry<T extends JournalEntry['type']>(type: T, count = 1, options?: WaitOptions): Promise<EntryOf<T>> {
    return this.until(
      `entry ${count} of type ${type} in the journal`,
      () => this.entries(type)[count - 1],
      options,
    );
  }

  /** Like until(), with the log and the journal in the complaint. */
  until<T>(
    what: string,
    probe: () => T | false | null | undefined | Promise<T | false | null | undefined>,
    options?: WaitOptions,
  ): Promise<T> {
    const probeTheLiving = async () => {
      // Looked at first: what it did as its last deed is still found.
      const { exitCode, signalCode } = this.process.child;
      const value = await probe();
      if (value || (exitCode === null && signalCode === null)) return value;
      throw new Error(`sockmon ended (${signalCode ?? exitCode}) before ${what}\n${this.story()}`);
    };
    return until(what, probeTheLiving, { context: () => this.story(), ...options });
  }

  /** Waits until the resource has been seen alive by this process. */
  async watching(resource = 'tcpip'): Promise<void> {
    await this.until(`sockmon to see ${resource} alive`, () => {
      const sinceStart = this.journal().filter(({ seq }) => seq >= this.startSeq());
      return sinceStart.some(entry => entry.type === 'seen' && entry.resource === resource);
    });
  }

  private startSeq(): number {
    const mine = this.entries('start').filter(({ pid }) => pid === this.pid);
    return mine.at(-1)?.seq ?? Number.POSITIVE_INFINITY;
  }

  kill(signal: NodeJS.Signals): void {
    this.process.child.kill(signal);
  }

  /** Clean stop. */
  async stop(): Promise<Ending> {
    this.kill('SIGTERM');
    return this.ended;
  }

  story(): string {
    const journal = this.journal().map(entry => JSON.stringify(entry));
    return `log:\n${this.log}\njournal:\n${journal.join('\n')}`;
  }
}
