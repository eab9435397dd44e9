/** Wires the adapters to the supervisor and lives until it is told to stop. */
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { errorTable } from '../base/errors.js';
import { type ControlServer, listen } from '../control/server.js';
import type { Config, MqttSettings } from '../core/policy.js';
import type { Log, Watcher } from '../core/ports.js';
import type { RecordOf } from '../core/records.js';
import { durationWords } from '../core/words.js';
import { evidenceCollector, systemSources } from '../evidence/collector.js';
import { openJournal } from '../journal/file.js';
import { takeEarly } from '../monitor/handed-over.js';
import { RunFolder } from '../monitor/run-folder.js';
import { systemdAdviser } from '../monitor/units.js';
import { startWatcher } from '../monitor/watcher.js';
import { withProblemOf } from '../report/snapshot.js';
import type { Reporter } from '../report/telling.js';
import type { Snapshot } from '../report/views.js';
import { type Addon, loadAddon } from '../system/addon.js';
import { thisBoot } from '../system/boot.js';
import { keepDefaultNode } from '../system/default-node.js';
import { runtimeFile } from '../system/folders.js';
import { scriptEnvironment, systemClock, systemReboot } from '../system/machine.js';
import { hasTerminal, isOnTerminal } from '../system/terminal.js';
import { holdWords } from '../system/thread.js';
import { version } from '../system/version.js';
import { Heartbeat } from './heartbeat.js';
import { ServiceManager, statusSentence } from './service-manager.js';
import { Supervisor } from './supervisor.js';

export interface DaemonOptions {
  readonly log: Log;
  /** Reads the configuration anew, for SIGHUP. Rejects with a SockmonError that names every fault. */
  readonly reload: () => Promise<Config>;
  /** The configuration files that `config` was read from: what arm.cjs compares at the next start. */
  readonly files: readonly string[];
  /** Writes down what the next start may watch before it has read anything. Throws what node:fs does. */
  readonly writePlan: (config: Config, files: readonly string[]) => void;
  /** Called when the journal and the broker's address are there and before anything else is said. */
  readonly onStart?: (broker: string | null) => void;
  /** Called once each sensor has looked for the first time. */
  readonly onFirstLook?: (seen: Snapshot) => void;
}

interface Telling {
  readonly reporter: Reporter;
  /** Where the broker is, for the person at the terminal. */
  readonly broker: string | null;
  stop(): Promise<void>;
}

/**
 * Runs until SIGTERM or SIGINT and resolves with the exit status; with that of MONITOR_HANGS when the monitor thread is found dead.
 * @throws SockmonError STATE_DIR, ALREADY_RUNNING, JOURNAL_OPEN, MONITOR, ADDON, BROKER.
 */
export async function startDaemon(config: Config, options: DaemonOptions): Promise<number> {
  const addon = loadAddon();
  const running = await Daemon.start(addon, config, options);
  return running.ended;
}

class Daemon {
  readonly ended: Promise<number>;
  private end: (status: number) => void = () => {};
  private control: ControlServer | null = null;
  private heartbeat: Heartbeat | null = null;
  /** While one reload is under way any number of further ones is one more. */
  private reloading: 'no' | 'running' | 'once more' = 'no';
  private stopping = false;

  private constructor(
    private config: Config,
    private readonly options: DaemonOptions,
    private readonly supervisor: Supervisor,
    private readonly telling: Telling,
    private readonly closeJournal: () => void,
    private readonly manager: ServiceManager,
  ) {
    this.ended = new Promise(resolve => {
      this.end = resolve;
    });
  }

  static async start(addon: Addon, config: Config, options: DaemonOptions): Promise<Daemon> {
    const { log } = options;
    const boot = thisBoot();
    const clock = systemClock(addon, boot);
    const journal = openJournal(config.stateDir, clock, addon.lockFile);
    clock.goOnFrom(journal.entries.findLast(entry => entry.bootId === boot.id));
    if (journal.repaired !== null) log.warn({}, journal.repaired);
    if (journal.unknownLines > 0) {
      log.warn(
        { lines: journal.unknownLines },
        'the journal has entries of a newer sockmon; they are not used, and stay in the file until it is next compacted (at 1 MiB)',
      );
    }
    const telling = await startTelling(config, log);
    const { node, policy } = config;
    const { reporter } = telling;
    const manager = new ServiceManager({
      send: addon.notify,
      environment: process.env,
      pid: process.pid,
    });
    const supervisor = new Supervisor({
      node,
      version,
      policy,
      clock,
      journal,
      reboot: systemReboot(addon, boot),
      reporter,
      evidence: evidenceCollector(systemSources(() => watcher.addresses())),
      log,
      onChange: () => manager.status(() => statusSentence(supervisor.told)),
    });
    const environment = scriptEnvironment(process.env);
    const watcher = startWatcher(addon, {
      onInputs: inputs => supervisor.dispatch(...inputs),
      environment,
      bootBeganMs: boot.beganMs,
      onEnd: detail => daemon.alarm('monitor_ended', detail),
      advisers: { unit: systemdAdviser() },
      early: takeEarly(),
      runFolder: new RunFolder(runtimeFile(config.stateDir, 'runs'), log),
      log,
    });
    options.onStart?.(telling.broker);
    const daemon = new Daemon(config, options, supervisor, telling, () => journal.close(), manager);
    daemon.obeySignals();
    supervisor.start(watcher);
    options.onFirstLook?.(supervisor.snapshot());
    announceWatching();
    reporter.start(supervisor);
    await daemon.serve(watcher);
    manager.ready();
    daemon.listenToHeart(watcher);
    return daemon;
  }

  private listenToHeart(watcher: Watcher): void {
    const { manager, supervisor } = this;
    this.heartbeat = new Heartbeat({
      watchdogMs: manager.watchdogMs,
      tick: () => supervisor.tick(),
      ping: () => watcher.ping(),
      onAnswer: () => manager.alive(),
      onSilence: waitedMs => {
        const words = `the monitor thread has not answered for ${durationWords(waitedMs)}`;
        this.alarm('monitor_hangs', `${words}${holdWords()}`);
      },
    });
    this.heartbeat.start();
  }

  /** Whoever started sockmon is to start it again: a new process is the only cure. */
  private alarm(what: RecordOf<'alarm'>['what'], detail: string): void {
    this.supervisor.alarm(what, detail);
    this.manager.lastWords(detail);
    this.end(errorTable.MONITOR_HANGS.exitStatus);
  }

  /** Before the journal says that anything is watched: a SIGHUP that nobody listens to ends a process. */
  private obeySignals(): void {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void this.stop(signal));
    const onTerminal = isOnTerminal();
    process.on('SIGHUP', () => {
      if (onTerminal && !hasTerminal()) void this.stop('its terminal was closed');
      else void this.reload();
    });
  }

  private async serve(watcher: Watcher): Promise<void> {
    const { supervisor, telling, config } = this;
    this.control = await listen(config.stateDir, {
      status: () => {
        const connection = telling.reporter.connection();
        return {
          snapshot: withProblemOf(connection, supervisor.snapshot()),
          connection,
          network: watcher.network(),
          pid: process.pid,
          version,
        };
      },
      command: ({ action, target, dry_run, for_ms }) =>
        supervisor.command({
          id: randomUUID(),
          action,
          origin: 'control',
          press: false,
          retained: false,
          duplicate: false,
          sinceConnectMs: null,
          ...(target !== undefined && { target }),
          ...(dry_run !== undefined && { dryRun: dry_run }),
          ...(for_ms !== undefined && { forMs: for_ms }),
        }),
    });
    this.savePlan();
  }

  private async stop(reason: string): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    // A second signal means: now.
    for (const again of ['SIGTERM', 'SIGINT'] as const) process.once(again, () => this.end(0));
    this.manager.stopping();
    this.heartbeat?.stop();
    this.supervisor.stop(reason);
    await Promise.allSettled([this.telling.stop(), this.control?.close()]);
    this.closeJournal();
    this.end(0);
  }

  /** What changes while the files are being read is read by one more reload after it. */
  private async reload(): Promise<void> {
    this.manager.reloading();
    if (this.reloading !== 'no') {
      this.reloading = 'once more';
      return;
    }
    do {
      this.reloading = 'running';
      await this.readAgain();
    } while (this.isWantedAgain() && !this.stopping);
    this.reloading = 'no';
    if (!this.stopping) this.manager.ready();
  }

  private isWantedAgain(): boolean {
    return this.reloading === 'once more';
  }

  /** A faulty file changes nothing. */
  private async readAgain(): Promise<void> {
    try {
      const config = await this.options.reload();
      if (!this.stopping) this.takeUp(config);
    } catch (error) {
      if (this.stopping) return;
      const words = `the configuration cannot be taken up, the old one stays in force: ${(error as Error).message}`;
      this.options.log.error({}, words);
    }
  }

  /** A reload changes what is watched and done. What needs a new start says so. */
  private takeUp(config: Config): void {
    const { log } = this.options;
    const { stateDir, node, mqtt, embeddedBroker } = this.config;
    const kept = { stateDir, node, mqtt, embeddedBroker };
    if (!isDeepStrictEqual(withoutSecrets({ ...config, ...kept }), withoutSecrets(config))) {
      log.warn(
        {},
        'node, state_dir, mqtt, or key and response_prefix of commands have changed; they are taken up at the next start ("systemctl restart sockmon")',
      );
    }
    this.config = { ...config, ...kept };
    this.supervisor.reconfigure(config.policy);
    this.savePlan();
    const ids = config.policy.resources.map(({ id }) => id);
    log.info({}, `the configuration has been read again: ${ids.join(', ')}`);
  }

  private savePlan(): void {
    try {
      keepDefaultNode(this.config.stateDir, this.config.node);
      this.options.writePlan(this.config, this.options.files);
    } catch (error) {
      this.options.log.debug(
        { err: error },
        'the name of this gateway and the plan for the next start could not be written',
      );
    }
  }
}

/** What is read again at each connection is no change that needs a new start. */
function withoutSecrets({ mqtt, ...config }: Config) {
  if (mqtt === null) return { ...config, mqtt };
  const { password, tls, ...rest } = mqtt;
  return { ...config, mqtt: { ...rest, servername: tls.servername } };
}

/** The module of the reporter, and with it MQTT.js, is loaded only where there is a broker to tell: 20 MB less without. */
async function startTelling(config: Config, log: Log): Promise<Telling> {
  const { node, embeddedBroker } = config;
  if (embeddedBroker === null && config.mqtt === null)
    return { reporter: silent, broker: null, stop: async () => {} };
  const { MqttReporter } = await import('../mqtt/reporter.js');
  if (embeddedBroker === null && config.mqtt !== null) {
    const reporter = new MqttReporter({ settings: config.mqtt, node, log });
    return { reporter, broker: reporter.connection().broker, stop: () => reporter.stop() };
  }
  const { startEmbeddedBroker } = await import('../mqtt/embedded-broker.js');
  const broker = await startEmbeddedBroker(embeddedBroker ?? { host: '127.0.0.1', port: 0 });
  // aedes speaks 3.1.1 only.
  const settings = {
    ...(config.mqtt as MqttSettings),
    protocol: '3.1.1' as const,
    url: `mqtt://${broker.host}:${broker.port}`,
  };
  const reporter = new MqttReporter({ settings, node, log });
  const stop = async (): Promise<void> => {
    await reporter.stop();
    await broker.stop();
  };
  return { reporter, broker: settings.url, stop };
}

/** With no broker the journal and the control socket do the telling. */
const silent: Reporter = {
  start() {},
  sync() {},
  answer() {},
  networkLost() {},
  networkBack() {},
  async stop() {},
  connection: () => ({
    state: 'none',
    broker: null,
    protocol: null,
    since: null,
    connects: 0,
    last_error: null,
    problem: null,
    pending: 0,
  }),
};

/** For the benchmark of the start: one byte when everything is watched, unless arm.cjs has said so already. */
function announceWatching(): void {
  const fd = Number(process.env.SOCKMON_BENCH_WATCHING_FD);
  if (!(fd > 2)) return;
  delete process.env.SOCKMON_BENCH_WATCHING_FD;
  fs.writeSync(fd, 'w');
}
