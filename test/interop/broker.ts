/** Real brokers of several makers, each on loopback ports with a folder and a configuration of its own, ended by their pids. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repository } from '../lab/paths.js';
import { type Started, start } from '../lab/proc.js';
import { labObstacle } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { freePort } from '../mqtt/mosquitto.js';

/** RabbitMQ takes 15 s on two idle cores. */
const startDeadlineMs = 150_000;

/** What everybody at a broker connects as, and the topics that nobody there may publish to. */
export const username = 'sockmon';
export const password = 'right';
export const forbiddenTopics = ['sockmon/bound/last_outage', 'sockmon/barred/status'] as const;

/** What the owner of sockmon meets at a broker, and docs/BROKERS.md says. */
export interface Kind {
  readonly name: string;
  /** mqtt.protocol of sockmon, and what it has to come to. */
  readonly setting: 'auto' | '3.1.1';
  readonly protocol: '5' | '3.1.1';
  /** null: everybody may come, and do everything. */
  readonly username: string | null;
  /** A new subscriber is given what is retained also by a wildcard. */
  readonly retainsForWildcards: boolean;
  /** What is retained outlives the broker's restart, as it is configured here. */
  readonly retainsOverRestart: boolean;
  /** A will is kept for those who come later, as every other message is that is published with retain. */
  readonly retainsWill: boolean;
  /** What becomes of a dot in a topic: RabbitMQ makes a slash of it, NATS before 2.10 hangs up. */
  readonly dots: 'kept' | 'a slash' | 'hangs up';
  /** What a publish to a forbidden topic comes to; null: nothing can be forbidden. */
  readonly forbidden: 'said' | 'swallowed' | 'hangs up' | 'never acknowledged' | null;
  /** A CONNECT whose will is on a forbidden topic. */
  readonly forbiddenWill: 'taken' | 'refused';
  /** A second client of one id: the first is told so, only loses its connection, or stays beside it. */
  readonly takeOver: 'said' | 'hangs up' | 'both stay';
  readonly programs: readonly string[];
  /** Of scripts/brokers.mjs. */
  readonly fetched?: string;
  version(): string;
  /** Makes what its restarts have in common, once. */
  make(folder: string, port: number): Promise<Maker>;
}

export interface Maker {
  start(): Promise<void>;
  /** In order, as a service manager would. */
  stop(): Promise<void>;
}

/** A broker of one kind that can be stopped and started again on its port. */
export class AnyBroker {
  readonly host = '127.0.0.1';

  private constructor(
    readonly port: number,
    private readonly folder: string,
    private readonly maker: Maker,
  ) {}

  static async start(kind: Kind): Promise<AnyBroker> {
    const folder = mkdtempSync(join(tmpdir(), `sockmon-interop-`));
    const port = await freePort();
    const broker = new AnyBroker(port, folder, await kind.make(folder, port));
    try {
      await broker.restarted();
    } catch (error) {
      await broker.close();
      throw error;
    }
    return broker;
  }

  async stop(): Promise<void> {
    await this.maker.stop();
  }

  async restarted(): Promise<void> {
    await this.maker.start();
  }

  async close(): Promise<void> {
    await this.maker.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A broker that is a program: up when its port takes connections and, where it has one, its word is said. */
export class Program implements Maker {
  private running: Started | null = null;
  private readonly logFile: string;

  constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly argv: readonly string[],
    private readonly env: Readonly<Record<string, string>> = {},
    /** Of the programs that are ours: moquette takes connections before it serves them. */
    private readonly readyWord = '',
  ) {
    this.logFile = join(folder, 'output');
  }

  async start(): Promise<void> {
    const log = openSync(this.logFile, 'w');
    const running = start(this.argv, {
      stdio: ['ignore', log, log],
      cwd: this.folder,
      env: { ...process.env, ...this.env },
    });
    this.running = running;
    let isEnded = false;
    void running.ended.then(() => {
      isEnded = true;
    });
    const said = () => readFileSync(this.logFile, 'utf8');
    await until(
      `${this.argv[0]} to take connections`,
      () => {
        if (isEnded) throw new Error(`${this.argv[0]} ended:\n${said()}`);
        return said().includes(this.readyWord) && answers(this.port);
      },
      { deadlineMs: startDeadlineMs, pollMs: 50, context: said },
    );
  }

  async stop(): Promise<void> {
    this.running?.child.kill('SIGTERM');
    await this.running?.ended;
    this.running = null;
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** An ordinary user's PATH lacks sbin. */
export function withSbin(): Record<string, string> {
  return { PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin` };
}

/** The first number with a dot in what a program says about itself. */
export function versionOf(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  const words = execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, ...withSbin() } });
  return /\d+(\.\d+)+/.exec(words)?.[0] ?? 'unknown';
}

/** The version of a package of Debian's. */
export function packageVersionOf(name: string): string {
  return versionOf(['dpkg-query', '-W', '-f', `$\{Version}`, name]);
}

/** The version that is pinned in a file of test/interop/programs. */
export function pinnedVersion(broker: string, file: string, pattern: RegExp): string {
  const text = readFileSync(join(repository, 'test', 'interop', 'programs', broker, file), 'utf8');
  return pattern.exec(text)?.[1] ?? 'unknown';
}

/** For a program of Java's that scripts/brokers.mjs has made: what comes before its arguments. */
export function javaCommand(broker: string, options: readonly string[] = []): string[] {
  const made = folderOf(broker);
  return [
    'java',
    '-Xmx256m',
    ...options,
    '-cp',
    `${join(made, 'classes')}:${join(made, 'jars', '*')}`,
    'Broker',
  ];
}

/** Where it is, or why it cannot be had. scripts/test.mjs has fetched it before the clock of a test runs. */
function fetch(broker: string): { folder: string } | { obstacle: string } {
  const script = join(repository, 'scripts', 'brokers.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, broker], { encoding: 'utf8' });
  return status === 0 ? { folder: stdout.trim() } : { obstacle: stderr.trim() };
}

/** @throws where it cannot be fetched. */
export function folderOf(broker: string): string {
  const got = fetch(broker);
  if ('folder' in got) return got.folder;
  throw new Error(got.obstacle);
}

/** For node:test's `skip`. @throws where skipping is forbidden. */
export function skipWithout(kind: Kind): string | false {
  const obstacle = obstacleTo(kind);
  if (obstacle === null) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(`${kind.name} cannot be run: ${obstacle}`);
  return `NOT RUN: ${obstacle}`;
}

function obstacleTo({ programs, fetched }: Kind): string | null {
  const obstacle = labObstacle(programs);
  if (obstacle !== null || fetched === undefined) return obstacle;
  const got = fetch(fetched);
  return 'obstacle' in got ? got.obstacle : null;
}
