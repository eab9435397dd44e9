/** A gateway as Home Assistant sees it: the real reporter behind a gate to the broker, with a history that the test makes up. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Announced } from '../../src/core/announced.js';
import type { Cause, JournalEntry, JournalRecord } from '../../src/core/records.js';
import { isoTime, type Vantage } from '../../src/core/time.js';
import { causeWords } from '../../src/core/words.js';
import { MqttReporter } from '../../src/mqtt/reporter.js';
import type { Snapshot } from '../../src/report/views.js';
import { eventually } from '../mqtt/eventually.js';
import { Gate } from '../mqtt/gate.js';
import { bootId, FakeTelling, MemoryLog, outageView, resourceView, settingsFor } from '../mqtt/telling.js';

const dayMs = 86_400_000;

/** With the clock of the machine, since Home Assistant compares. */
class Teller extends FakeTelling {
  readonly #bootedMs = Date.now() - 30 * dayMs;
  /** How long ago it is now. */
  agoMs = 0;

  override now(): Vantage {
    const wallMs = Date.now() - this.agoMs;
    return { bootId, bootMs: wallMs - this.#bootedMs, wallMs, synced: true, clocks: new Map() };
  }
}

export interface Death {
  readonly resource?: string;
  readonly cause?: Cause;
  readonly root?: string;
}

export interface Recovery {
  readonly durationMs: number;
  readonly attempts?: number;
}

const killed: Cause = { kind: 'signal', signal: 'SIGKILL', coreDumped: false };

export class Gateway {
  readonly telling = new Teller();
  readonly log = new MemoryLog();
  #outages = 0;
  #open: { id: string; death: Required<Omit<Death, 'root'>> } | null = null;
  readonly #reporter: MqttReporter;

  private constructor(
    readonly node: string,
    private readonly gate: Gate,
    version: string,
  ) {
    this.#reporter = new MqttReporter({
      settings: settingsFor(gate.port, { clientId: `sockmon-${node}` }),
      node,
      log: this.log,
      random: () => 0,
    });
    const atMs = this.telling.now().wallMs;
    const at = (agoMs: number) => isoTime(atMs - agoMs);
    this.telling.change({
      node,
      version,
      started_at: at(80_000_000),
      boot: { id: bootId, at: at(86_400_000), reason: 'power was switched on', by: 'other' },
      resources: {
        tcpip: resourceView({ since: at(80_000_000) }),
        dnsmasq: resourceView({ role: 'service', carrier: null, since: at(80_000_000) }),
      },
      reboot: { allowed: true, detail: 'allowed', left: 3, pending: null },
    });
  }

  /**
   * Connected, and everything told.
   * @param known What the journal of an earlier start knows to be at the broker.
   */
  static async start(
    broker: { host?: string; port: number },
    node = 'gw1',
    known: Partial<Announced> = {},
    more: Partial<Snapshot> = {},
  ): Promise<Gateway> {
    const gate = await Gate.to({ host: '127.0.0.1', ...broker });
    await gate.open();
    const gateway = new Gateway(node, gate, '1.0.0');
    gateway.telling.announcedNow = { ...gateway.telling.announcedNow, ...known };
    gateway.change(more);
    gateway.#reporter.start(gateway.telling);
    await gateway.connected();
    return gateway;
  }

  /** Commands that arrived. */
  get commands() {
    return this.telling.commands;
  }

  connected(): Promise<unknown> {
    return eventually('the gateway is connected', () => this.#reporter.connection().state === 'connected');
  }

  /** The stack dies; what it knows of that it can tell only if the broker can still be reached. */
  async dies(death: Death = {}, { reachable = false } = {}): Promise<string> {
    const { root, ...rest } = death;
    const whole = { resource: 'tcpip', cause: killed, ...rest };
    this.#outages += 1;
    const id = `${whole.resource}-${this.node}-${this.#outages}`;
    this.#open = { id, death: whole };
    if (!reachable) await this.cut();
    this.record({
      type: 'outage_begin',
      outage: id,
      ...whole,
      atMs: this.telling.now().bootMs,
      sensor: 'process',
      ...(root === undefined ? {} : { root }),
    });
    if (whole.resource === 'tcpip') this.change({ status: 'recovering', recovery: 'restarting' });
    if (reachable) this.#reporter.sync();
    return id;
  }

  /** It has been dead as long as is said here, whatever the clock says. */
  async recovers({ durationMs, attempts = 1 }: Recovery): Promise<string> {
    if (this.#open === null) throw new Error('nothing is dead');
    const { id, death } = this.#open;
    this.#open = null;
    const { wallMs, bootMs } = this.telling.now();
    const beganWallMs = wallMs - durationMs;
    const { seq } = this.record({
      type: 'outage_end',
      outage: id,
      ...death,
      atMs: bootMs,
      outcome: 'recovered',
      beganWallMs,
      endedWallMs: wallMs,
      durationMs,
      timeUncertain: false,
      attempts,
    });
    const isStack = death.resource === 'tcpip';
    const { outages_24h, outages_total } = this.telling.snapshotNow;
    this.change({
      ...(isStack ? { status: 'online', recovery: 'watching', last_stack_outage: id } : {}),
      outages_24h: outages_24h + 1,
      outages_total: outages_total + 1,
      last_outage: outageView(seq, {
        id,
        resource: death.resource,
        role: isStack ? 'stack' : 'service',
        began_at: isoTime(beganWallMs),
        ended_at: isoTime(wallMs),
        duration_s: durationMs / 1000,
        cause: causeWords(death.cause),
        cause_detail: death.cause,
        attempts,
      }),
    });
    await this.reconnect();
    return id;
  }

  /** Over before the broker noticed: nobody saw it offline. */
  async diesBriefly(recovery: Recovery, death: Death = {}): Promise<string> {
    const before = this.telling.snapshotNow.status;
    await this.dies(death, { reachable: true });
    // The reporter looks at the picture in its next turn.
    this.change({ status: before });
    return this.recovers(recovery);
  }

  /** While the stack is dead, and the broker can be reached: something else dies and is back. */
  diesMeanwhile(resource: string): void {
    this.#outages += 1;
    const id = `${resource}-${this.node}-${this.#outages}`;
    const { bootMs, wallMs } = this.telling.now();
    const durationMs = 50;
    const fact = { outage: id, resource, cause: killed };
    this.record({ type: 'outage_begin', ...fact, atMs: bootMs - durationMs, sensor: 'process' });
    const { seq } = this.record({
      type: 'outage_end',
      ...fact,
      atMs: bootMs,
      outcome: 'recovered',
      beganWallMs: wallMs - durationMs,
      endedWallMs: wallMs,
      durationMs,
      timeUncertain: false,
      attempts: 1,
    });
    this.change({ last_outage: outageView(seq, { id, resource, role: 'service', duration_s: 0.05 }) });
    this.#reporter.sync();
  }

  /** Tells a fact of the journal. */
  tell(record: JournalRecord, more: Partial<Snapshot> = {}): JournalEntry {
    const entry = this.record(record);
    this.change(more);
    this.#reporter.sync();
    return entry;
  }

  change(more: Partial<Snapshot>): void {
    this.telling.change(more);
  }

  /** Out of reach, for whatever reason. The broker publishes the will. */
  async cut(): Promise<void> {
    await this.gate.close();
    await eventually('the gateway has noticed', () => this.#reporter.connection().state !== 'connected');
  }

  async reconnect(): Promise<void> {
    if (this.#reporter.connection().state !== 'connected') {
      await this.gate.open().catch(() => {}); // Open already: the broker was away.
      this.#reporter.networkBack();
      await this.connected();
    }
    this.#reporter.sync();
    await eventually('everything is told', () => this.#reporter.connection().pending === 0);
    // What is retained follows in the turn after.
    await pause(0);
  }

  async stop(): Promise<void> {
    await this.#reporter.stop();
    await this.gate.close();
  }

  private record(record: JournalRecord): JournalEntry {
    return this.telling.append(record);
  }
}
