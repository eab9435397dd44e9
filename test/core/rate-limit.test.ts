/** What a stranger at the broker can make of the journal: a few lines a day, and he is answered each time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ReceivedCommand } from '../../src/core/ports.js';
import { World } from './world.js';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

function send(world: World, count: number, command: Partial<ReceivedCommand>): string[] {
  return Array.from({ length: count }, (_, index) => {
    const effects = world.command({ id: `id-${world.effects.length}-${index}`, press: false, ...command });
    const answers = effects.filter(effect => effect.do === 'answer');
    assert.equal(answers.length, 1);
    return answers[0]?.answer.code ?? 'accepted';
  });
}

/** The clock goes on, tick by tick. */
function wait(world: World, ms: number): void {
  const untilMs = world.bootMs + ms;
  for (let due = world.deadline(); due !== null && due <= untilMs; due = world.deadline()) world.wait();
  world.advance(untilMs - world.bootMs);
}

const nonsense = { action: null, detail: 'no JSON' } as const;

describe('a flood of commands', () => {
  it('is answered one by one, written down five times and then counted in one record', () => {
    const world = new World();
    const codes = send(world, 1000, nonsense);
    assert.deepEqual(new Set(codes), new Set(['invalid']));
    assert.equal(world.of('command').length, 5);
    assert.equal(world.of('refusals').length, 0);
    wait(world, hourMs);
    assert.deepEqual(
      world.of('refusals').map(({ code, count }) => [code, count]),
      [['invalid', 995]],
    );
    assert.equal(world.deadline(), null, 'nothing more to be counted');
  });

  it('of one kind hides no other', () => {
    const world = new World();
    send(world, 100, nonsense);
    send(world, 1, { action: 'restart', target: 'tcpip', signature: 'bad' });
    assert.equal(world.of('command').at(-1)?.code, 'bad_signature');
  });

  it('that lasts for a day leaves less than a hundred lines', () => {
    const world = new World();
    for (let minute = 0; minute < 24 * 60; minute++) {
      send(world, 10, nonsense);
      wait(world, minuteMs);
    }
    const { length } = [...world.of('command'), ...world.of('refusals')];
    assert.ok(length < 100, `${length}`);
    const counted = world.of('refusals').reduce((sum, { count }) => sum + count, 0);
    assert.ok(counted > 14_000, `${counted}`);
  });

  it('that is over is forgotten: the next refusal is written down', () => {
    const world = new World();
    send(world, 100, nonsense);
    wait(world, 3 * hourMs);
    const before = world.of('command').length;
    send(world, 5, nonsense);
    assert.equal(world.of('command').length, before + 5);
  });

  it('of what would be accepted is refused after twenty, dry or not, and one a minute is accepted again', () => {
    const world = new World();
    const codes = [
      ...send(world, 10, { action: 'pause', forMs: minuteMs }),
      ...send(world, 10, { action: 'resume' }),
      ...send(world, 10, { action: 'reboot', press: true, dryRun: true }),
    ];
    assert.deepEqual(codes.slice(0, 20), Array(20).fill('accepted'));
    assert.deepEqual(codes.slice(20), Array(10).fill('rate_limited'));
    wait(world, minuteMs);
    assert.deepEqual(send(world, 2, { action: 'resume' }), ['accepted', 'rate_limited']);
  });

  it('does not shut out the person at the machine', () => {
    const world = new World();
    send(world, 100, { action: 'resume' });
    assert.deepEqual(send(world, 50, { action: 'resume', origin: 'control' }), Array(50).fill('accepted'));
    const refused = { action: 'restart', target: 'nobody', origin: 'control' } as const;
    const before = world.of('command').length;
    send(world, 10, refused);
    assert.equal(world.of('command').length, before + 10);
  });
});
