/** How systemd is asked: until there is a lasting answer, by one systemctl at a time, and no longer than anybody wants to know. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Advice } from '../../src/core/ports.js';
import { type Systemctl, systemdAdviser } from '../../src/monitor/units.js';
import { until } from '../lab/wait.js';

const answer = (id: string, lines: string): string => `Id=${id}\nLoadState=loaded\n${lines}\n`;
const up = (id: string, pid: number) =>
  answer(id, `ActiveState=active\nSubState=running\nMainPID=${pid}\nNRestarts=1`);
const restarting = (id: string) =>
  answer(id, 'ActiveState=activating\nSubState=auto-restart\nRestartUSec=1s\nTimeoutStartUSec=1s');

/** A systemctl that gives one answer after the other, and the last one for ever. */
function systemctlOf(...answers: readonly (string | Error)[]) {
  const calls: string[][] = [];
  let atOnce = 0;
  const systemctl: Systemctl = async args => {
    assert.equal(++atOnce, 1, 'one at a time');
    calls.push([...args]);
    await new Promise(setImmediate);
    atOnce--;
    const given = answers[Math.min(calls.length, answers.length) - 1] ?? '';
    if (given instanceof Error) throw given;
    return given;
  };
  return { systemctl, calls };
}

function asking(systemctl: Systemctl) {
  const adviser = systemdAdviser(systemctl);
  const heard: Advice[] = [];
  const ask = (name = 'x.service', deadPid: number | null = null, manager = 'system') =>
    adviser.consult({ name, manager }, deadPid, advice => void heard.push(advice));
  return { heard, ask, states: () => heard.map(({ state }) => state) };
}

describe('systemd is asked about a unit', () => {
  it('once, where the answer is lasting', async () => {
    const { systemctl, calls } = systemctlOf(up('x.service', 7));
    const { heard, ask } = asking(systemctl);
    ask();
    await until('the answer', () => heard[0]);
    assert.deepEqual([heard[0]?.state, heard[0]?.pid], ['running', 7]);
    assert.deepEqual(calls[0]?.slice(-1), ['x.service']);
    assert.ok(calls[0]?.includes('show') && !calls[0].includes('--user'));
  });

  it('until it is over: each answer is told once', async () => {
    const dead = up('x.service', 7);
    const { systemctl, calls } = systemctlOf(
      dead,
      dead,
      restarting('x.service'),
      restarting('x.service'),
      up('x.service', 8),
    );
    const { heard, ask, states } = asking(systemctl);
    ask('x.service', 7);
    await until('the restart', () => states().includes('running'));
    assert.deepEqual(states(), ['starting', 'running']);
    assert.equal(heard[1]?.pid, 8);
    assert.equal(calls.length, 5);
  });

  it('no more when nobody wants to know any more', async () => {
    const { systemctl, calls } = systemctlOf(restarting('x.service'));
    const { heard, ask } = asking(systemctl);
    const end = ask();
    await until('the first answer', () => heard[0]);
    end();
    const ofX = () => calls.filter(args => args.at(-1) === 'x.service').length;
    const asked = ofX();
    const endOther = ask('y.service');
    // Each wait is as long as the one of the same number before.
    await until('more answers than the first would have got meanwhile', () => calls.length > asked + 4);
    endOther();
    assert.equal(ofX(), asked);
  });

  it('together with all others of the same moment', async () => {
    const { systemctl, calls } = systemctlOf(`${up('a.service', 1)}\n${up('b.service', 2)}`);
    const { heard, ask } = asking(systemctl);
    ask('a.service');
    ask('b.service');
    ask('a.service');
    await until('all answers', () => heard.length === 3);
    assert.deepEqual(heard.map(({ pid }) => pid).sort(), [1, 1, 2]);
    assert.deepEqual([calls.length, calls[0]?.slice(-2)], [1, ['a.service', 'b.service']]);
  });

  it('of its user where it is one of those', async () => {
    const { systemctl, calls } = systemctlOf(up('x.service', 7));
    const { heard, ask } = asking(systemctl);
    ask('x.service', null, 'user');
    await until('the answer', () => heard[0]);
    assert.ok(calls[0]?.includes('--user'));
  });

  for (const [what, given] of [
    ['an error', new Error('Failed to connect to bus.')],
    ['nonsense', 'a\n\nb\n\nc'],
  ] as const) {
    it(`in vain: ${what} is told as what it is`, async () => {
      const { systemctl, calls } = systemctlOf(given);
      const { heard, ask } = asking(systemctl);
      ask();
      await until('the answer', () => heard[0]);
      assert.deepEqual([heard[0]?.state, heard[0]?.faultCode], ['unknown', 'EIO']);
      assert.match(
        String(heard[0]?.fault),
        /^systemd cannot be asked about x\.service: .*[^.]\. Whether it restarts/,
      );
      assert.equal(calls.length, 1);
    });
  }

  it('in vain where there is no systemctl', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nowhere';
    try {
      const adviser = systemdAdviser();
      const heard: Advice[] = [];
      adviser.consult({ name: 'x.service', manager: 'system' }, null, advice => void heard.push(advice));
      await until('the answer', () => heard[0]);
      assert.equal(heard[0]?.state, 'unknown');
    } finally {
      process.env.PATH = path;
    }
  });
});
