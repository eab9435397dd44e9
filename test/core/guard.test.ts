import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeCommand, judgeReboot } from '../../src/core/guard.js';
import { History } from '../../src/core/history.js';
import type { CommandPolicy } from '../../src/core/policy.js';
import type { ReceivedCommand } from '../../src/core/ports.js';
import type { JournalEntry } from '../../src/core/records.js';
import type { Instant } from '../../src/core/time.js';
import { policy, rebootPolicy, resource, World } from './world.js';

const minuteMs = 60_000;
const fresh: ReceivedCommand = {
  id: 'abc-12345',
  action: 'restart',
  target: 'tcpip',
  origin: 'mqtt:run',
  press: false,
  retained: false,
  duplicate: false,
  sinceConnectMs: 60_000,
};

function verdictOf(command: Partial<ReceivedCommand>, change: (world: World) => void = () => {}): string {
  const world = new World(policy([resource('tcpip'), resource('nas', { steps: [] })]));
  change(world);
  const verdict = judgeCommand({ ...fresh, ...command }, world.policy, world.history, world.now());
  return verdict.allowed ? 'allowed' : verdict.code;
}

describe('the guard on commands', () => {
  const wall = new World().wallMs;
  const cases: [string, Partial<ReceivedCommand>, string][] = [
    ['a fresh restart', {}, 'allowed'],
    ['a fresh reboot', { action: 'reboot', issuedWallMs: wall }, 'allowed'],
    ['a press', { action: 'reboot', press: true }, 'allowed'],
    ['a retained message', { retained: true }, 'retained'],
    ['a retained message that makes no sense either', { retained: true, action: null }, 'retained'],
    ['a duplicate by the flag', { duplicate: true }, 'duplicate'],
    ['a payload that makes no sense', { action: null, detail: 'not JSON' }, 'invalid'],
    ['a press right after the connect', { action: 'reboot', press: true, sinceConnectMs: 9999 }, 'too_soon'],
    ['one issued long ago', { issuedWallMs: wall - 61_000 }, 'stale'],
    [
      'one issued long ago that is good for longer',
      { issuedWallMs: wall - 61_000, expiresWallMs: wall + 1 },
      'allowed',
    ],
    [
      'one that is good for longer than ids are remembered',
      { issuedWallMs: wall - 24 * 60 * minuteMs - 1, expiresWallMs: wall + 1 },
      'expired',
    ],
    ['one that has expired', { issuedWallMs: wall - 10, expiresWallMs: wall - 1 }, 'expired'],
    ['one from the future', { issuedWallMs: wall + 31_000 }, 'stale'],
    ['one for a stranger', { target: 'printer' }, 'unknown_target'],
    [
      'a restart of nothing',
      (({ target: _, ...rest }) => ({ ...rest, target: '' }))(fresh),
      'unknown_target',
    ],
    ['one for a resource without a script', { target: 'nas' }, 'not_allowed'],
  ];
  for (const [name, command, expected] of cases) {
    it(`${name}: ${expected}`, () => assert.equal(verdictOf(command), expected));
  }

  const judged = (command: Partial<ReceivedCommand>, commands: Partial<CommandPolicy> = {}): string => {
    const world = new World();
    const found = { ...world.policy, commands: { ...world.policy.commands, ...commands } };
    const verdict = judgeCommand({ ...fresh, ...command }, found, world.history, world.now());
    return verdict.allowed ? 'allowed' : verdict.code;
  };

  it('unsigned, where there is a key: bad signature, but for what Home Assistant sends if that is allowed', () => {
    const cases: [Partial<ReceivedCommand>, string, string][] = [
      [{ action: 'reboot', press: true }, 'bad_signature', 'allowed'],
      [{ action: 'restart' }, 'bad_signature', 'allowed'],
      [{ action: 'pause' }, 'bad_signature', 'allowed'],
      [{ action: 'resume' }, 'bad_signature', 'allowed'],
      [{ action: 'reboot' }, 'bad_signature', 'bad_signature'],
      [{ action: 'drill' }, 'bad_signature', 'bad_signature'],
    ];
    for (const [command, strict, withPress] of cases) {
      const what = JSON.stringify(command);
      assert.equal(judged({ ...command, signature: 'missing' }), strict, what);
      assert.equal(judged({ ...command, signature: 'missing' }, { allowPress: true }), withPress, what);
      assert.equal(judged({ ...command, signature: 'bad' }, { allowPress: true }), 'bad_signature', what);
      if (command.action !== 'drill')
        assert.equal(judged({ ...command, signature: 'valid' }), 'allowed', what);
    }
    assert.equal(judged({ signature: 'missing', retained: true }), 'retained');
  });

  it('commands are off: not allowed, but from the machine itself', () => {
    assert.equal(judged({ signature: 'valid' }, { enabled: false }), 'not_allowed');
    assert.equal(judged({ origin: 'control' }, { enabled: false }), 'allowed');
  });

  it('an id that has been carried out: duplicate, also after a restart of sockmon', () => {
    const world = new World();
    world.command({ ...fresh });
    world.restart();
    const verdict = judgeCommand(fresh, world.policy, world.history, world.now());
    assert.equal(!verdict.allowed && verdict.code, 'duplicate');
  });

  it('the same restart again within a minute: rate limited from the broker, not from the machine itself', () => {
    const world = new World();
    world.up();
    const codes = (['mqtt:run', 'mqtt:run', 'control'] as const).map((origin, index) => {
      world.advance(10_000);
      world.command({ ...fresh, id: `r${index}`, origin });
      world.runEnds(0);
      return world.of('command').at(-1)?.code ?? 'allowed';
    });
    assert.deepEqual(codes, ['allowed', 'rate_limited', 'allowed']);
    world.advance(60_000);
    world.command({ ...fresh, id: 'r9' });
    assert.equal(world.of('command').at(-1)?.status, 'accepted');
  });

  it('a refused press does not delay the next one', () => {
    const world = new World();
    world.command({ id: 'p1', sinceConnectMs: 1 });
    world.advance(12_000);
    world.command({ id: 'p2', sinceConnectMs: 12_001 });
    assert.deepEqual(
      world.of('command').map(entry => entry.status),
      ['rejected', 'accepted'],
    );
  });

  it('without a true clock a timed reboot is refused and a restart is not', () => {
    const unsynced = (world: World): void => {
      world.synced = false;
    };
    assert.equal(verdictOf({ action: 'reboot', issuedWallMs: 0 }, unsynced), 'clock_unsynced');
    assert.equal(verdictOf({ issuedWallMs: 0 }, unsynced), 'allowed');
  });
});

describe('the guard on reboots', () => {
  const judge = (world: World, allowed = true) =>
    judgeReboot({ ...rebootPolicy, allowed }, world.history, world.now());

  it('refuses while rebooting is off', () => {
    const verdict = judge(new World(), false);
    assert.equal(!verdict.allowed && verdict.code, 'not_allowed');
  });

  it('refuses below the uptime floor and says when to ask again', () => {
    const world = new World();
    world.bootMs = 299_999;
    const verdict = judge(world);
    assert.deepEqual(!verdict.allowed && [verdict.code, verdict.retryAtMs], ['uptime_floor', 300_000]);
  });

  it('refuses the fourth within 24 h, across boots, and names the time when the first is too old to count', () => {
    const world = new World();
    for (let boot = 1; boot <= 3; boot++) {
      world.append({ type: 'reboot_intent', intent: `i${boot}`, reason: 'test' });
      world.advance(10 * minuteMs);
      world.restart(`boot${boot}`);
      world.advance(10 * minuteMs);
    }
    const verdict = judge(world);
    assert.equal(!verdict.allowed && verdict.code, 'budget_exhausted');
    const retryInMs = verdict.allowed ? 0 : (verdict.retryAtMs ?? 0) - world.bootMs;
    assert.equal(retryInMs, 24 * 60 * minuteMs - 60 * minuteMs);
    world.advance(retryInMs);
    assert.equal(judge(world).allowed, true);
  });

  it('counts an intent whose time cannot be right as just now: the careful side', () => {
    const world = new World();
    for (let i = 0; i < 3; i++) world.append({ type: 'reboot_intent', intent: `i${i}`, reason: 'test' });
    world.restart('another');
    world.bootMs = 10 * minuteMs;
    world.wallMs = 0;
    assert.equal(judge(world).allowed, false);
  });

  it('refuses while one is under way', () => {
    const world = new World();
    world.append({ type: 'reboot_intent', intent: 'i', reason: 'test' });
    const verdict = judge(world);
    assert.equal(!verdict.allowed && verdict.code, 'busy');
    assert.equal(new History().pendingIntent, null);
  });
});

describe('the age of a reboot of another boot', () => {
  const intentOf = (synced: boolean, at: Instant): JournalEntry => ({
    seq: 1,
    ...at,
    synced,
    type: 'reboot_intent',
    intent: 'i1',
    reason: 'r',
  });
  const hour = 3_600_000;
  const then: Instant = { bootId: 'one', bootMs: hour, wallMs: 100 * hour, synced: true };
  const day = { budget: { max: 1, perMs: 24 * hour }, holdOffMs: [] };
  const judge = (synced: boolean, now: Partial<Instant>) => {
    const rebooted = { ...then, bootId: 'two', bootMs: 10_000 };
    const history = new History([
      intentOf(synced, then),
      { seq: 2, ...rebooted, type: 'rebooted', intent: 'i1', reason: 'r', tookMs: null },
    ]);
    return judgeReboot({ ...rebootPolicy, ...day }, history, { ...then, bootId: 'two', bootMs: hour, ...now })
      .allowed;
  };

  it('is told by the wall clock where it was right at both ends', () => {
    assert.equal(judge(true, { wallMs: then.wallMs + 25 * hour }), true);
    assert.equal(judge(true, { wallMs: then.wallMs + 23 * hour }), false);
  });

  it('is not told by a clock that may be wrong: years ahead are no new budget', () => {
    assert.equal(judge(true, { wallMs: then.wallMs + 9999 * hour, synced: false }), false);
    assert.equal(judge(false, { wallMs: then.wallMs + 9999 * hour }), false);
  });

  it('is at least what has been lived through since: years behind hold nobody for years', () => {
    assert.equal(judge(true, { wallMs: 0, bootMs: 23 * hour }), false);
    assert.equal(judge(true, { wallMs: 0, bootMs: 25 * hour }), true);
    assert.equal(judge(false, { wallMs: 0, bootMs: 25 * hour, synced: false }), true);
  });
});
