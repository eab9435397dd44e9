/** A supervisor in memory: a journal with its cursor, a snapshot, commands that are written down. Only this and the clock are fakes here. */
import { isDeepStrictEqual } from 'node:util';
import type { Announced } from '../../src/core/announced.js';
import type { MqttSettings, Role } from '../../src/core/policy.js';
import type { CommandAnswer, Log, ReceivedCommand } from '../../src/core/ports.js';
import type { JournalEntry, JournalRecord } from '../../src/core/records.js';
import type { Vantage } from '../../src/core/time.js';
import type { Telling, Told } from '../../src/report/telling.js';
import type {
  Origin,
  OutageView,
  Overview,
  Presence,
  ResourcesView,
  ResourceView,
  Snapshot,
  WatchedView,
} from '../../src/report/views.js';

export const settingsFor = (port: number, more: Partial<MqttSettings> = {}): MqttSettings => ({
  url: `mqtt://127.0.0.1:${port}`,
  username: null,
  password: null,
  tls: { ca: null, cert: null, key: null, servername: null },
  secretFiles: { password: null, ca: null, cert: null, key: null },
  protocol: 'auto',
  clientId: 'sockmon-gw1',
  keepaliveS: 15,
  base: 'sockmon',
  discoveryPrefix: 'homeassistant',
  suggestedArea: null,
  commands: { key: null, responsePrefix: 'sockmon/gw1/result/' },
  ...more,
});

export const bootId = 'boot-1';

export const resourceView = (more: Partial<ResourceView> = {}): ResourceView => ({
  role: 'stack',
  state: 'up',
  since: '2026-01-01T00:00:00.000Z',
  reason: 'alive',
  outage: null,
  attempts: 0,
  carrier: true,
  flapping: false,
  root: null,
  paused_until: null,
  restart: '/etc/sockmon/restart-network',
  sensors: [],
  ...more,
});

export const outageView = (seq: number, more: Partial<OutageView> = {}): OutageView => ({
  id: `tcpip-${seq}`,
  seq,
  resource: 'tcpip',
  role: 'stack',
  began_at: '2026-01-01T00:00:01.000Z',
  ended_at: '2026-01-01T00:00:02.500Z',
  duration_s: 1.5,
  cause: 'killed by SIGSEGV, core dumped',
  cause_detail: { kind: 'signal', signal: 'SIGSEGV', coreDumped: true },
  attempts: 1,
  outcome: 'recovered',
  time_uncertain: false,
  root: null,
  evidence: null,
  ...more,
});

/** The parts of whatever whole picture a test has set. */
class FakeTold implements Told {
  #watched: readonly WatchedView[] = [];
  #before: Snapshot['resources'] = {};

  constructor(private readonly telling: FakeTelling) {}

  presence(): Presence {
    return this.telling.snapshotNow;
  }

  together(): ResourcesView {
    return this.overview().resources;
  }

  overview(): Overview {
    const { node: _, version: __, started_at: ___, boot: ____, ...bearing } = this.telling.snapshotNow;
    const all = Object.entries(bearing.resources);
    const down = all.filter(([, { state }]) => state !== 'up');
    const network = all.filter(([, { role }]) => role === 'stack');
    return {
      ...bearing,
      at: new Date(this.telling.now().wallMs).toISOString(),
      resources: {
        watched: all.length,
        up: all.length - down.length,
        not_up: Object.fromEntries(down.map(([id, { state }]) => [id, state])),
        network: Object.fromEntries(network.map(([id, { role, state }]) => [id, { role, state }])),
      },
      last_outage: bearing.last_outage?.id ?? null,
    };
  }

  origin(): Origin {
    const { node, version, started_at, boot } = this.telling.snapshotNow;
    return { node, version, started_at, boot };
  }

  lastOutage(): OutageView | null {
    return this.telling.snapshotNow.last_outage;
  }

  watched(): readonly WatchedView[] {
    const all = Object.entries(this.telling.snapshotNow.resources);
    const watched = all.map(([id, { role, restart }]) => ({ id, role, restartable: restart !== null }));
    if (!isDeepStrictEqual(watched, this.#watched)) this.#watched = watched;
    return this.#watched;
  }

  isWatched(id: string): boolean {
    return id in this.telling.snapshotNow.resources;
  }

  resource(id: string): ResourceView | null {
    return this.telling.snapshotNow.resources[id] ?? null;
  }

  takeChanged(): readonly string[] {
    const { resources } = this.telling.snapshotNow;
    const before = this.#before;
    this.#before = resources;
    const ids = new Set([...Object.keys(before), ...Object.keys(resources)]);
    return [...ids].filter(id => before[id] !== resources[id]);
  }
}

export class FakeTelling implements Telling {
  readonly entries: JournalEntry[] = [];
  readonly commands: ReceivedCommand[] = [];
  readonly acknowledged: number[] = [];
  cursor = 0;
  nowMs = 5_000_000;
  snapshotNow: Snapshot;
  announcedNow: Announced = { entities: [], each: false, resources: [], topic: null };
  readonly told = new FakeTold(this);
  /** How a command is judged. */
  judge: (command: ReceivedCommand) => CommandAnswer = command => ({
    id: command.id,
    action: command.action,
    status: 'accepted',
    code: null,
    detail: 'as you like',
    at: '2026-01-01T00:00:00.000Z',
  });

  constructor() {
    this.snapshotNow = {
      node: 'gw1',
      version: '0.1.0',
      at: '',
      started_at: '2026-01-01T00:00:00.000Z',
      boot: { id: bootId, at: '2026-01-01T00:00:00.000Z', reason: null, by: 'unknown' },
      status: 'online',
      recovery: 'watching',
      held: [],
      detection: { quality: 'full', notes: [] },
      resources: { tcpip: resourceView(), dnsmasq: resourceView({ role: 'service', carrier: null }) },
      last_outage: null,
      last_stack_outage: null,
      outages_24h: 0,
      outages_total: 0,
      uptime_24h_pct: 100,
      uptime_30d_pct: 100,
      pause: null,
      pause_time_s: 600,
      problems: [],
      reboot: { allowed: false, detail: 'reboot.allowed is off', left: 0, pending: null },
    };
  }

  append(record: JournalRecord, more: Partial<JournalEntry> = {}): JournalEntry {
    const { bootMs, wallMs, synced } = this.now();
    const seq = this.entries.length + 1;
    const entry = { seq, bootId, bootMs, wallMs, synced, ...record, ...more } as JournalEntry;
    this.entries.push(entry);
    return entry;
  }

  /** One whole outage of tcpip: two tellable facts with untellable ones between them. */
  outage(): { begin: JournalEntry; end: JournalEntry } {
    const outage = `tcpip-${this.entries.length + 1}`;
    const resource = 'tcpip';
    const cause = { kind: 'signal', signal: 'SIGKILL', coreDumped: false } as const;
    const atMs = this.nowMs;
    const begin = this.append({ type: 'outage_begin', outage, resource, atMs, cause, sensor: 'process' });
    this.append({ type: 'seen', resource, atMs });
    this.nowMs += 1500;
    const end = this.append({
      type: 'outage_end',
      outage,
      resource,
      atMs: this.nowMs,
      outcome: 'recovered',
      beganWallMs: 1,
      endedWallMs: 1501,
      durationMs: 1500,
      timeUncertain: false,
      attempts: 1,
      cause,
    });
    return { begin, end };
  }

  change(more: Partial<Snapshot>): void {
    this.snapshotNow = { ...this.snapshotNow, ...more };
  }

  entriesAfter(seq: number): readonly JournalEntry[] {
    return this.entries.slice(seq);
  }

  acknowledgedSeq(): number {
    return this.cursor;
  }

  acknowledge(upTo: number): void {
    this.cursor = upTo;
    this.acknowledged.push(upTo);
    this.append({ type: 'published', upTo });
  }

  announced(): Announced {
    return this.announcedNow;
  }

  noteAnnounced(announced: Announced): void {
    this.announcedNow = announced;
  }

  role(resource: string): Role {
    return this.snapshotNow.resources[resource]?.role === 'stack' ? 'network' : 'service';
  }

  now(): Vantage {
    const wallMs = Date.UTC(2026, 0, 1) + this.nowMs;
    return { bootId, bootMs: this.nowMs, wallMs, synced: true, clocks: new Map() };
  }

  command(command: ReceivedCommand): CommandAnswer {
    this.commands.push(command);
    return this.judge(command);
  }
}

/** Keeps all that is logged, to be searched for what must not be there. */
export class MemoryLog implements Log {
  readonly lines: { level: string; fields: object; sentence: string }[] = [];
  debug = (fields: object, sentence: string): void => this.#add('debug', fields, sentence);
  info = (fields: object, sentence: string): void => this.#add('info', fields, sentence);
  warn = (fields: object, sentence: string): void => this.#add('warn', fields, sentence);
  error = (fields: object, sentence: string): void => this.#add('error', fields, sentence);

  find(pattern: RegExp): { level: string; sentence: string } | undefined {
    return this.lines.find(line => pattern.test(line.sentence));
  }

  /** Everything as one text, errors with message and stack. */
  text(): string {
    return this.lines
      .map(({ level, fields, sentence }) => `${level} ${sentence} ${JSON.stringify(fields, flat)}`)
      .join('\n');
  }

  #add(level: string, fields: object, sentence: string): void {
    this.lines.push({ level, fields, sentence });
  }
}

function flat(_key: string, value: unknown): unknown {
  return value instanceof Error ? { ...value, message: value.message, stack: value.stack } : value;
}
