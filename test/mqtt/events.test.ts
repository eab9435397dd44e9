/** Journal entries as events: which are told, with which times. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { JournalEntry, JournalRecord } from '../../src/core/records.js';
import type { Vantage } from '../../src/core/time.js';
import { eventOf, eventTypes, isTellable, type TellingContext } from '../../src/mqtt/events.js';

const minute = 60_000;
const trueMs = Date.UTC(2026, 5, 1, 12);
/** The clock as it is at the telling: right, ten minutes after boot. */
const now: Vantage = { bootId: 'this', bootMs: 10 * minute, wallMs: trueMs, synced: true, clocks: new Map() };
const context: TellingContext = { now, role: resource => (resource === 'tcpip' ? 'network' : 'service') };

/** Written a second after it happened, one minute after boot, by a clock that stood at the epoch. */
function entry(record: JournalRecord, more: Partial<JournalEntry> = {}): JournalEntry {
  const stamp = { seq: 7, bootId: 'this', bootMs: minute + 1000, wallMs: minute + 1000, synced: false };
  return { ...stamp, ...record, ...more } as JournalEntry;
}

const cause = { kind: 'exit', code: 3 } as const;
const begin = (resource: string) =>
  entry({ type: 'outage_begin', outage: 'o-1', resource, atMs: minute, cause, sensor: 'process' });
const end = (more: object = {}) =>
  entry({
    type: 'outage_end',
    outage: 'o-1',
    resource: 'tcpip',
    atMs: minute,
    outcome: 'recovered',
    beganWallMs: 111,
    endedWallMs: 222,
    durationMs: 2500,
    timeUncertain: false,
    attempts: 2,
    cause,
    ...more,
  });

const reopened = (more: object = {}) =>
  entry({
    type: 'outage_reopened',
    outage: 'o-1',
    resource: 'tcpip',
    atMs: minute,
    cause,
    sensor: 'process',
    backMs: minute - 5000,
    aliveMs: 5000,
    ...more,
  });

describe('events from entries', () => {
  it('has a type for every role and turn, all of them announced', () => {
    const common = { outage: 'o-1', resource: 'tcpip', atMs: minute };
    const notice = { type: 'notice', resource: 'tcpip', atMs: minute, detail: 'd' } as const;
    const types = [
      begin('tcpip'),
      end(),
      begin('dnsmasq'),
      end({ resource: 'dnsmasq' }),
      reopened(),
      entry({ type: 'recovery_failed', ...common, attempts: 6, next: 'reboot', detail: 'd' }),
      entry({ type: 'reboot_intent', intent: 'i', reason: 'r' }),
      entry({ type: 'reboot_refused', reason: 'r', code: 'not_allowed', detail: 'd' }),
      entry({ type: 'reboot_failed', intent: 'i', error: 'e' }),
      entry({ type: 'rebooted', intent: 'i', reason: 'r', tookMs: 42_000 }),
      entry({
        ...{ type: 'command', id: 'ha-12345', action: 'restart', target: 'dnsmasq', origin: 'mqtt:run' },
        ...{ status: 'rejected', code: 'paused', detail: 'd' },
      }),
      entry({ ...notice, what: 'carrier_lost' }),
      entry({ ...notice, what: 'carrier_back' }),
      entry({ ...notice, what: 'flapping' }),
      entry({ ...notice, what: 'steady' }),
      entry({ ...notice, what: 'held' }),
    ].map(one => eventOf(one, context)?.event_type);
    assert.deepEqual(types, [...eventTypes]);
  });

  it('tells a reboot or a restart that was asked for from afar and refused, and no other command', () => {
    const asked = (more: object = {}): JournalEntry => {
      const command = { type: 'command', id: 'press-1', action: 'reboot', origin: 'mqtt:press' } as const;
      return entry({ ...command, status: 'rejected', code: 'not_allowed', detail: 'it is off', ...more });
    };
    const told = eventOf(asked(), context);
    assert.deepEqual(
      [told?.event_type, told?.detail, told?.outage],
      ['reboot_refused', 'it is off', undefined],
    );
    for (const code of [
      'uptime_floor',
      'hold_off',
      'budget_exhausted',
      'paused',
      'too_soon',
      'bad_signature',
    ])
      assert.equal(eventOf(asked({ code }), context)?.event_type, 'reboot_refused', code);
    const restart = asked({ action: 'restart', target: 'dnsmasq', code: 'rate_limited', detail: 'again' });
    const { event_type, resource, detail } = eventOf(restart, context) ?? {};
    assert.deepEqual([event_type, resource, detail], ['restart_refused', 'dnsmasq', 'again']);
    const untold = [
      ...['retained', 'duplicate', 'invalid', 'busy', 'rate_limited'].map(code => ({ code })),
      { status: 'accepted', code: undefined },
      { status: 'done', code: undefined },
      { action: 'restart', code: 'busy' },
      { action: 'pause' },
      { action: null },
      { origin: 'control' },
      { dryRun: true },
    ];
    for (const more of untold) {
      assert.equal(eventOf(asked(more), context), null, JSON.stringify(more));
      assert.equal(isTellable(asked(more)), false);
    }
  });

  it('keeps to itself what is nobody’s business', () => {
    const run = { outage: 'o-1', resource: 'tcpip', attempt: 1, run: 'r', atMs: 1 } as const;
    const silent: JournalRecord[] = [
      { type: 'start', version: '1', pid: 1, resources: [] },
      { type: 'stop', reason: 'x' },
      { type: 'seen', resource: 'tcpip', atMs: 1 },
      { type: 'notice', resource: 'tcpip', atMs: 1, what: 'degraded', detail: '' },
      { type: 'notice', resource: 'tcpip', atMs: 1, what: 'route_moved', detail: '' },
      { type: 'notice', resource: 'tcpip', atMs: 1, what: 'replaced', detail: '' },
      { type: 'outage_root', outage: 'o-1', resource: 'tcpip', root: 'o-0' },
      { type: 'pause', resource: null, untilMs: 1 },
      { type: 'resume', resource: null },
      { type: 'outage_cause', outage: 'o-1', resource: 'tcpip', cause, sensor: 's' },
      { type: 'attempt', ...run, script: '/x', by: 'reflex' },
      { type: 'attempt_end', ...run, durationMs: 1, result: { kind: 'exit', code: 0 } },
      { type: 'command', id: 'c', action: 'reboot', origin: 'x', status: 'accepted', detail: '' },
      { type: 'published', upTo: 3 },
    ];
    for (const record of silent) {
      assert.equal(isTellable(entry(record)), false, record.type);
      assert.equal(eventOf(entry(record), context), null, record.type);
    }
    assert.equal(eventOf(end({ outcome: 'forgotten' }), context), null);
  });

  it('does not tell the single deaths of what is known to flap', () => {
    const quiet = { quiet: true };
    assert.equal(eventOf({ ...begin('tcpip'), ...quiet } as JournalEntry, context), null);
    assert.equal(eventOf(end(quiet), context), null);
  });

  it('says that what was back is down again, and whose doing that was, in the same outage', () => {
    const own = eventOf(reopened({ run: 'o-1#1' }), context);
    assert.deepEqual(
      [own?.outage, own?.cause, own?.detail],
      [
        'o-1',
        'exited with status 3',
        'tcpip was stopped by our own restart 5.0 s after it was back: exited with status 3',
      ],
    );
    const doubtful = eventOf(reopened({ run: 'o-1#1', inDoubt: true }), context);
    assert.match(
      doubtful?.detail ?? '',
      /^tcpip died again 5.0 s after it was back, soon after our own restart: /,
    );
    const other = eventOf(reopened(), context);
    assert.match(other?.detail ?? '', /^tcpip is down again 5.0 s after it was back: .*the same outage/);
    assert.equal(eventOf(reopened({ quiet: true }), context), null);
    const back = eventOf(end({ aliveMs: 1500, againMs: 300 }), context);
    assert.deepEqual([back?.duration_s, back?.downtime_s], [2.5, 1]);
  });

  it('names the root of a cascade, also one that turned out later', () => {
    const known = { ...begin('dnsmasq'), root: 'o-0' } as JournalEntry;
    assert.equal(eventOf(known, context)?.root, 'o-0');
    const learned = { ...context, rootOf: (outage: string) => (outage === 'o-1' ? 'o-9' : undefined) };
    assert.equal(eventOf(begin('dnsmasq'), learned)?.root, 'o-9');
    assert.equal(eventOf(end(), learned)?.root, 'o-9');
    assert.ok(!('root' in (eventOf(end(), context) ?? {})));
  });

  it('tells the true time of what happened in this boot under a wrong clock', () => {
    const happened = new Date(trueMs - 9 * minute).toISOString();
    assert.deepEqual(eventOf(begin('tcpip'), context), {
      event_type: 'stack_down',
      seq: 7,
      at: happened,
      outage: 'o-1',
      resource: 'tcpip',
      cause: 'exited with status 3',
      cause_detail: cause,
      began_at: happened,
      time_uncertain: false,
      told_late: true,
    });
    const recovered = eventOf(end(), context);
    assert.equal(recovered?.ended_at, happened);
    assert.equal(recovered?.began_at, new Date(trueMs - 9 * minute - 2500).toISOString());
    assert.equal(recovered?.duration_s, 2.5);
    assert.equal(recovered?.attempts, 2);
    assert.equal(recovered?.time_uncertain, false);
  });

  it('says that a time is uncertain while the clock still is', () => {
    const unsynced = { ...context, now: { ...now, synced: false } };
    assert.equal(eventOf(begin('tcpip'), unsynced)?.time_uncertain, true);
  });

  it('believes the clock of an earlier boot, less the time until it was written, if it was synchronised', () => {
    const earlier = { bootId: 'earlier', wallMs: trueMs - 60 * minute };
    const clocks = new Map([['earlier', trueMs - 60 * minute - (minute + 1000)]]);
    const told = eventOf({ ...begin('tcpip'), ...earlier } as JournalEntry, {
      ...context,
      now: { ...now, clocks },
    });
    assert.equal(told?.at, new Date(trueMs - 60 * minute - 1000).toISOString());
    assert.equal(told?.time_uncertain, false);
    assert.equal(eventOf({ ...begin('tcpip'), ...earlier } as JournalEntry, context)?.time_uncertain, true);
  });

  describe('of an outage that is older than the boot', () => {
    const began = { bootId: 'earlier', atMs: 50 * minute };
    const spanning = end({ began, durationMs: 2 * minute, beganWallMs: trueMs - 30 * minute });

    it('counts the duration by the two clocks, once both are known to be right', () => {
      const clocks = new Map([['earlier', trueMs - 40 * minute - began.atMs]]);
      const told = eventOf(spanning, { ...context, now: { ...now, clocks } });
      assert.equal(told?.began_at, new Date(trueMs - 40 * minute).toISOString());
      assert.equal(told?.duration_s, 31 * 60);
      assert.equal(told?.time_uncertain, false);
    });

    it('tells what was believed, and that it is uncertain, while one of them is not', () => {
      const told = eventOf(spanning, context);
      assert.equal(told?.began_at, new Date(trueMs - 30 * minute).toISOString());
      assert.equal(told?.duration_s, 120);
      assert.equal(told?.time_uncertain, true);
      assert.deepEqual(told?.uncertain, { began_at: 'unset_clock', duration_s: 'at_least' });
    });
  });

  it('says that a time is uncertain when nobody saw the begin or the end', () => {
    const told = (more: object) => eventOf(end({ timeUncertain: true, ...more }), context);
    assert.equal(told({})?.time_uncertain, true);
    assert.deepEqual(told({ unseen: 'began' })?.uncertain, { began_at: 'unseen', duration_s: 'at_least' });
    assert.deepEqual(
      told({})?.uncertain,
      { ended_at: 'unseen', duration_s: 'at_most' },
      'of an older version',
    );
    assert.deepEqual(told({ cause: { kind: 'unseen' } })?.uncertain, {
      began_at: 'unseen',
      duration_s: 'at_least',
    });
    assert.equal(eventOf(end({}), context)?.uncertain, undefined);
    const unseen = { ...begin('tcpip'), cause: { kind: 'unseen' } } as JournalEntry;
    assert.equal(eventOf(unseen, context)?.time_uncertain, true);
  });

  it('tells a cause that was learned since', () => {
    const learned = { kind: 'signal', signal: 'SIGSEGV', coreDumped: true } as const;
    const told = eventOf(begin('tcpip'), {
      ...context,
      laterCause: id => (id === 'o-1' ? learned : undefined),
    });
    assert.equal(told?.cause, 'killed by SIGSEGV, core dumped');
    assert.deepEqual(told?.cause_detail, learned);
  });

  it('is late after a minute, not before', () => {
    const at = (atMs: number) =>
      eventOf(entry({ type: 'notice', resource: 'tcpip', atMs, what: 'carrier_lost', detail: 'd' }), context);
    assert.equal(at(now.bootMs - minute)?.told_late, false);
    assert.equal(at(now.bootMs - minute - 1)?.told_late, true);
  });
});
