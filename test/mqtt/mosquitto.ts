/** A real mosquitto for tests: started on a free loopback port, stopped by its pid. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';

export interface MosquittoOptions {
  /** 0 = a free one. The same port again after stop() is a broker that has been restarted. */
  readonly port?: number;
  readonly host?: string;
  /** Replaces `allow_anonymous true`. Lines of mosquitto.conf(5). */
  readonly lines?: readonly string[];
  /** Written into the broker's folder; lines name it as `%folder%`. */
  readonly files?: Readonly<Record<string, string>>;
}

export interface Mosquitto {
  readonly host: string;
  readonly port: number;
  /** A folder for what the configuration names; deleted at the end. */
  readonly folder: string;
  readonly pid: number;
  /** What it has written to its log. */
  log(): string;
  /** SIGTERM by default: the clients' sockets are closed in order. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

const program = ['/usr/sbin/mosquitto', '/usr/bin/mosquitto', '/usr/local/sbin/mosquitto'].find(
  path => spawnSync(path, ['-h']).error === undefined,
);

/** For node:test: false, or why the tests cannot run here. With SOCKMON_TEST_NO_SKIP=1 a missing broker fails them. */
export const skipWithoutMosquitto: string | false =
  program !== undefined || process.env.SOCKMON_TEST_NO_SKIP === '1'
    ? false
    : 'SKIPPED: mosquitto is not installed (apt-get install mosquitto)';

/**
 * A port for a broker that is stopped and started again. Not one that the kernel gives to outgoing connections: while the broker is away one of
 * those would take it.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (;;) {
    const server = createServer().listen(randomInt(...belowOutgoing()), host);
    try {
      await once(server, 'listening');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') continue;
      throw error;
    }
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  }
}

/** From the first to the one behind the last, of ip_local_port_range (ip(7)); where that leaves none, whichever is free. */
function belowOutgoing(): [number, number] {
  const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const first = Number.parseInt(range, 10);
  return first > 4096 ? [Math.max(2048, first - 16_384), first] : [0, 1];
}

export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  if (program === undefined) throw new Error('mosquitto is not installed (apt-get install mosquitto)');
  const host = options.host ?? '127.0.0.1';
  const port = options.port || (await freePort(host));
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-mosquitto-'));
  const file = join(folder, 'mosquitto.conf');
  // As root it would change to a user who cannot read the test's files.
  const lines = ['user root', `listener ${port} ${host}`, ...(options.lines ?? ['allow_anonymous true'])];
  writeFileSync(file, `${lines.join('\n').replaceAll('%folder%', folder)}\n`);
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
  const child = spawn(program, ['-v', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      log += chunk;
    });
  }
  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    await end(child, signal);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await eventually('mosquitto runs', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended with ${child.exitCode}:\n${log}`);
      return / running\n/.test(log);
    });
  } catch (error) {
    await stop('SIGKILL');
    // Another test's program was faster.
    if (!options.port && /Address already in use/.test(log)) return startMosquitto(options);
    throw error;
  }
  return { host, port, folder, pid: child.pid ?? 0, log: () => log, stop };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
