/** Real brokers of several makers, each on loopback ports with a folder and a configuration of its own, ended by their pids. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedBroker, startEmbeddedBroker } from '../../src/mqtt/embedded-broker.js';
import { repository } from '../lab/paths.js';
import { type Started, start } from '../lab/proc.js';
import { labObstacle } from '../lab/root.js';
import { until } from '../lab/wait.js';
import { freePort } from '../mqtt/mosquitto.js';

/** RabbitMQ takes 15 s on two idle cores. */
const startDeadlineMs = 150_000;

export interface Kind {
  readonly name: string;
  /** mqtt.protocol of sockmon, and what it has to come to. */
  readonly setting: 'auto' | '3.1.1';
  readonly protocol: '5' | '3.1.1';
  /** A new subscriber is given what is retained also by a wildcard. */
  readonly retainsForWildcards: boolean;
  /** What is retained outlives the broker's restart, as it is configured here. */
  readonly retainsOverRestart: boolean;
  /** What becomes of a dot in a topic: RabbitMQ makes a slash of it, NATS before 2.10 hangs up. */
  readonly dots: 'kept' | 'a slash' | 'hangs up';
  readonly programs: readonly string[];
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

/** A broker that is a program: up when its port takes connections. */
class Program implements Maker {
  private running: Started | null = null;
  private readonly logFile: string;

  constructor(
    private readonly folder: string,
    private readonly port: number,
    private readonly argv: readonly string[],
    private readonly env: Readonly<Record<string, string>> = {},
  ) {
    this.logFile = join(folder, 'output');
  }

  async start(): Promise<void> {
    const log = openSync(this.logFile, 'a');
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
    await until(
      `${this.argv[0]} to take connections`,
      () => {
        if (isEnded) throw new Error(`${this.argv[0]} ended:\n${readFileSync(this.logFile, 'utf8')}`);
        return answers(this.port);
      },
      {
        deadlineMs: startDeadlineMs,
        pollMs: 50,
        context: () => readFileSync(this.logFile, 'utf8'),
      },
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

async function mosquitto(folder: string, port: number): Promise<Maker> {
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `user root\nlistener ${port} 127.0.0.1\nallow_anonymous true\n`);
  return new Program(folder, port, ['mosquitto', '-c', file], withSbin());
}

async function aedes(_folder: string, port: number): Promise<Maker> {
  let running: EmbeddedBroker | null = null;
  return {
    async start() {
      running = await startEmbeddedBroker({ host: '127.0.0.1', port });
    },
    async stop() {
      await running?.stop();
      running = null;
    },
  };
}

async function nats(folder: string, port: number): Promise<Maker> {
  const file = join(folder, 'nats.conf');
  // JSON is a part of its configuration's language. MQTT needs JetStream, and that a name for the server.
  const configuration = {
    server_name: 'sockmon-test',
    listen: `127.0.0.1:${await freePort()}`,
    jetstream: { store_dir: join(folder, 'jetstream') },
    mqtt: { listen: `127.0.0.1:${port}` },
  };
  writeFileSync(file, JSON.stringify(configuration));
  return new Program(folder, port, ['nats-server', '-c', file], withSbin());
}

/**
 * Debian's /usr/sbin/rabbitmq-server changes to a user and to folders of the machine; the script behind it does as it is told. Erlang's
 * name server (epmd) would be started by RabbitMQ, on every address, and stay: here it is ours. All ports are on loopback.
 */
async function rabbitmq(folder: string, port: number): Promise<Maker> {
  const [epmdPort, distributionPort] = [await freePort(), await freePort()];
  const configuration = [
    'listeners.tcp = none',
    `mqtt.listeners.tcp.1 = 127.0.0.1:${port}`,
    'mqtt.allow_anonymous = true',
  ];
  writeFileSync(join(folder, 'rabbitmq.conf'), `${configuration.join('\n')}\n`);
  writeFileSync(join(folder, 'enabled_plugins'), '[rabbitmq_mqtt].\n');
  for (const name of ['mnesia', 'log']) mkdirSync(join(folder, name));
  const env = {
    ...withSbin(),
    HOME: folder,
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(epmdPort),
    // Erlang runs without a shell then, and without a second process around it.
    RUNNING_UNDER_SYSTEMD: '1',
    RABBITMQ_NODENAME: `sockmon-test-${process.pid}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
  };
  const names = new Program(
    folder,
    epmdPort,
    ['epmd', '-address', '127.0.0.1', '-port', String(epmdPort)],
    env,
  );
  const server = new Program(folder, port, ['/usr/lib/rabbitmq/bin/rabbitmq-server'], env);
  return {
    async start() {
      await names.start();
      await server.start();
    },
    async stop() {
      await server.stop();
      await names.stop();
    },
  };
}

/** An ordinary user's PATH lacks sbin. */
function withSbin(): Record<string, string> {
  return { PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin` };
}

/** The first number with a dot in what a program says about itself. */
function versionOf(argv: readonly string[]): string {
  const [program = '', ...args] = argv;
  const words = execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, ...withSbin() } });
  return /\d+(\.\d+)+/.exec(words)?.[0] ?? 'unknown';
}

const mosquittoKind = {
  retainsForWildcards: true,
  retainsOverRestart: false,
  dots: 'kept',
  programs: ['mosquitto'],
  version: () => versionOf(['sh', '-c', 'mosquitto -h | head -n 1']),
  make: mosquitto,
} as const;

export const kinds: readonly Kind[] = [
  { name: 'mosquitto', setting: 'auto', protocol: '5', ...mosquittoKind },
  { name: 'mosquitto by 3.1.1', setting: '3.1.1', protocol: '3.1.1', ...mosquittoKind },
  {
    name: 'the built-in broker (aedes)',
    setting: 'auto',
    protocol: '3.1.1',
    retainsForWildcards: true,
    retainsOverRestart: false,
    dots: 'kept',
    programs: [],
    version: () => JSON.parse(readFileSync(`${repository}node_modules/aedes/package.json`, 'utf8')).version,
    make: aedes,
  },
  {
    name: 'NATS with JetStream',
    setting: 'auto',
    protocol: '3.1.1',
    retainsForWildcards: true,
    retainsOverRestart: true,
    dots: 'hangs up',
    programs: ['nats-server'],
    version: () => versionOf(['nats-server', '--version']),
    make: nats,
  },
  {
    name: 'RabbitMQ with its MQTT plugin',
    setting: 'auto',
    protocol: '3.1.1',
    retainsForWildcards: false,
    retainsOverRestart: true,
    dots: 'a slash',
    programs: ['rabbitmq-server', 'epmd'],
    version: () => versionOf(['dpkg-query', '-W', '-f', `$\{Version}`, 'rabbitmq-server']),
    make: rabbitmq,
  },
];

/** For node:test's `skip`. @throws where skipping is forbidden. */
export function skipWithout(kind: Kind): string | false {
  const obstacle = labObstacle(kind.programs);
  if (obstacle === null) return false;
  if (process.env.SOCKMON_TEST_NO_SKIP === '1') throw new Error(`${kind.name} cannot be run: ${obstacle}`);
  return `NOT RUN: ${obstacle}`;
}
