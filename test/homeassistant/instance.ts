/** A real Home Assistant on a loopback port, with a config folder of its own that is deleted at the end. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repository } from '../lab/paths.js';
import { type Started, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { freePort } from '../mqtt/mosquitto.js';
import { sow } from './seed.js';
import { type Command, type HaEvent, HaSocket } from './socket.js';

/** Generous: it only decides how long a failure takes. */
const startDeadlineMs = 180_000;
const deadlineMs = 60_000;

export interface State {
  readonly entity_id: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly last_changed: string;
  readonly last_updated: string;
}

export interface HomeAssistantOptions {
  /** Where the broker listens on 127.0.0.1. */
  readonly mqttPort: number;
  /** More of the mqtt entry's data, e.g. username and password. */
  readonly mqtt?: Readonly<Record<string, unknown>>;
  /** Files of the config folder by path; `packages/NAME.yaml` is added to the configuration. */
  readonly files?: Readonly<Record<string, string>>;
}

const slowness =
  /is taking over \S+ seconds|took longer than the scheduled|Waiting for integrations to complete setup|No ACK from MQTT server in/;

export class HomeAssistant {
  private running: Started | null = null;
  private socket: HaSocket | null = null;
  private pastLogs = '';
  private output = '';

  private constructor(
    readonly python: string,
    /** Of Home Assistant, e.g. 2026.11.0. */
    readonly release: string,
    /** The config folder. */
    readonly folder: string,
    readonly port: number,
    /** Of the owner; for the frontend too. */
    readonly token: string,
  ) {}

  /** Resolves when Home Assistant says that it is running. */
  static async start({ mqttPort, mqtt = {}, files = {} }: HomeAssistantOptions): Promise<HomeAssistant> {
    const { python, release } = await provided();
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), 'sockmon-ha-'));
    const token = sow(folder, { release, port, mqttPort, mqtt, files });
    const instance = new HomeAssistant(python, release, folder, port, token);
    try {
      await instance.begin();
    } catch (error) {
      await instance.stop('SIGKILL');
      throw error;
    }
    return instance;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.running?.pid;
  }

  /** @throws Error with the answer when the status is not 2xx. */
  async rest<Result = unknown>(method: string, path: string, body?: unknown): Promise<Result> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    const isJson = response.headers.get('content-type')?.includes('json');
    return (isJson ? JSON.parse(text) : text) as Result;
  }

  call<Result = unknown>(command: Command): Promise<Result> {
    return this.webSocket.call(command);
  }

  /** Gives the list into which the events go as they come, until the next restart. */
  subscribeEvents<Data = Record<string, unknown>>(type: string): Promise<HaEvent<Data>[]> {
    return this.webSocket.subscribeEvents(type);
  }

  get webSocket(): HaSocket {
    if (this.socket === null) throw new Error('Home Assistant is not running');
    return this.socket;
  }

  states(): Promise<State[]> {
    return this.rest('GET', '/api/states');
  }

  async state(id: string): Promise<State | undefined> {
    return (await this.states()).find(state => state.entity_id === id);
  }

  /** @param accept A state's text, or what the whole state must be like. */
  waitForState(id: string, accept: string | ((state: State) => boolean)): Promise<State> {
    let last: State | undefined;
    const isAccepted = typeof accept === 'string' ? (state: State) => state.state === accept : accept;
    const probe = async () => {
      last = await this.state(id);
      return last !== undefined && isAccepted(last) ? last : null;
    };
    const context = () => `its last state: ${JSON.stringify(last)}\n${this.log()}`;
    return until(`${id} to be ${accept}`, probe, { deadlineMs, pollMs: 50, context });
  }

  callService(domain: string, service: string, data: object = {}, target: object = {}): Promise<unknown> {
    return this.call({ type: 'call_service', domain, service, service_data: data, target });
  }

  /** Ends it, in order or not, and starts it again on the same folder and port. */
  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.end(signal);
    this.pastLogs += this.currentLog();
    rmSync(this.logFile, { force: true });
    await this.begin();
  }

  /** What it has written to home-assistant.log since the beginning, over all restarts. */
  log(): string {
    return this.pastLogs + this.currentLog();
  }

  /** The log's lines at WARNING and above, without those about how the tests start it, and how slow the machine is. */
  complaints(): string[] {
    return this.log()
      .split('\n')
      .filter(line => /^\S+ \S+ (WARNING|ERROR|CRITICAL) /.test(line))
      .filter(line => !line.includes('Skipping pip installation'))
      .filter(line => !slowness.test(line));
  }

  /** Ends it and deletes its folder. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    try {
      await this.end(signal);
    } finally {
      rmSync(this.folder, { recursive: true, force: true });
    }
  }

  private get logFile(): string {
    return join(this.folder, 'home-assistant.log');
  }

  private currentLog(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  private async begin(): Promise<void> {
    const argv = [this.python, '-m', 'homeassistant', '--config', this.folder, '--skip-pip'];
    this.output = '';
    const running = start(argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.running = running;
    for (const stream of [running.child.stdout, running.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
      });
    }
    const context = () => this.output;
    await until('Home Assistant to run', () => this.isRunning(), {
      deadlineMs: startDeadlineMs,
      pollMs: 50,
      context,
    });
    this.socket = await HaSocket.open(`ws://127.0.0.1:${this.port}/api/websocket`, this.token);
  }

  private async isRunning(): Promise<boolean> {
    const { exitCode, signalCode } = this.running?.child ?? {};
    if (exitCode !== null || signalCode !== null) throw new Error(`Home Assistant ended:\n${this.output}`);
    // Refused while the port is not open yet, 404 while the api is not there yet.
    const config = await this.rest<{ state: string }>('GET', '/api/config').catch(() => null);
    return config?.state === 'RUNNING';
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    await this.socket?.close();
    this.socket = null;
    this.running?.child.kill(signal);
    await this.running?.ended;
    this.running = null;
  }
}

/** Installs it at the first time; scripts/test.mjs has done that before the clock of a test runs. */
async function provided(): Promise<{ python: string; release: string }> {
  const script = join(repository, 'scripts', 'homeassistant.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const [python = '', release = ''] = stdout.split('\n');
  return { python, release };
}
