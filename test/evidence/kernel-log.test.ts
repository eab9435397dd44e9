import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { KernelLog, kernelLine } from '../../src/evidence/kernel-log.js';

const worth = [
  'e1000e 0000:00:1f.6 eno1: NIC Link is Down',
  'r8169 0000:03:00.0 eth0: Link is Up - 1Gbps/Full - flow control rx/tx',
  'NETDEV WATCHDOG: eth0 (r8169): transmit queue 0 timed out',
  'br0: port 2(eth1) entered disabled state',
  'IPv6: ADDRCONF(NETDEV_CHANGE): wlan0: link becomes ready',
  'Out of memory: Killed process 811 (slirp4netns) total-vm:23456kB, anon-rss:12345kB',
  'oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),task=dnsmasq,pid=77,uid=0',
  'INFO: task kworker/0:1:23 blocked for more than 120 seconds.',
  'slirp4netns[811]: segfault at 0 ip 000055d0 sp 00007ffc error 4 in slirp4netns[55d0+1000]',
  'traps: dnsmasq[99] general protection fault ip:7f00 sp:7ffd error:0 in libc.so.6',
];
const noise = [
  'EXT4-fs (loop0): mounted filesystem',
  '[UFW BLOCK] IN=eth0 OUT= MAC=00:11:22 SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP',
  'audit: type=1400 audit(1.2:3): apparmor="DENIED"',
  'usbcore: registered new interface driver usb-storage',
  'random: crng init done',
];
const record = (text: string, atUs = 1_000_000, priority = 6): string => `${priority},1,${atUs},-;${text}`;

function fileIn(t: TestContext, text: string): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'sockmon-kmsg-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'kmsg');
  fs.writeFileSync(file, text);
  return file;
}

describe('a line of the kernel log', () => {
  for (const text of worth)
    it(`is kept: ${text.slice(0, 40)}`, () => assert.equal(kernelLine(record(text))?.text, text));
  for (const text of noise)
    it(`is left out: ${text.slice(0, 40)}`, () => assert.equal(kernelLine(record(text)), null));

  it("is the kernel's own: a program can write what it likes to the log", () => {
    const text = 'eth0: Link is Down';
    assert.equal(kernelLine(record(text, 0, 4))?.text, text);
    // Facility 1, user.
    assert.equal(kernelLine(record(text, 0, 12)), null);
  });

  it('is at most 200 printable characters', () => {
    const line = kernelLine(record(`eth0: \x1b[31m\u00e9${'x'.repeat(5000)}`));
    assert.equal(line?.text.length, 200);
    assert.match(line?.text ?? '', /^eth0: \?\[31m\?x+$/);
  });

  it('has the time of its record, with or without the field of the caller', () => {
    assert.equal(kernelLine('3,9,12345678,-,caller=T77;eth0: Link is Down')?.atMs, 12345.678);
  });

  it('may be any text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), text => {
        const line = kernelLine(`6,1,5,-;eth0: ${text}`);
        if (line !== null) assert.match(line.text, /^[\x20-\x7e]{1,200}$/);
        assert.equal(kernelLine(text), null);
      }),
    );
  });
});

describe('the kernel log', () => {
  it('is read on from where it was left, in order, the last ones, with keys and unknown lines in between', async t => {
    const file = fileIn(t, `${record(worth[0] ?? '', 1e6)}\n SUBSYSTEM=net\n DEVICE=n2\nnonsense\n`);
    const log = new KernelLog(file);
    await log.update();
    assert.deepEqual(log.since(0, 20), [worth[0]]);
    fs.appendFileSync(file, `${record(worth[1] ?? '', 2e6)}\n${record(worth[2] ?? '', 3e6)}`);
    await log.update();
    // The record without its end is waited for.
    assert.deepEqual(log.since(0, 20), worth.slice(0, 2));
    fs.appendFileSync(file, '\n');
    await Promise.all([log.update(), log.update()]);
    assert.deepEqual(log.since(0, 20), worth.slice(0, 3));
    assert.deepEqual(log.since(2000, 20), worth.slice(1, 3));
    assert.deepEqual(log.since(0, 2), worth.slice(1, 3));
  });

  it('of any length keeps a few lines, and lets others work in between', async t => {
    const lines = Array.from({ length: 20_000 }, (_, n) =>
      record(`eth0: Link is Down ${n}${' '.repeat(180)}`, n * 1000),
    );
    const log = new KernelLog(fileIn(t, `${lines.join('\n')}\n`));
    let turns = 0;
    const count = (): void => {
      turns++;
      counting = setImmediate(count);
    };
    let counting = setImmediate(count);
    await log.update();
    clearImmediate(counting);
    assert.ok(turns > 0);
    assert.deepEqual(log.since(0, 1000).length, 100);
    assert.equal(log.since(0, 1)[0]?.trimEnd(), 'eth0: Link is Down 19999');
  });

  it('that is not there or not ours to read is a note', async t => {
    const log = new KernelLog(`${fileIn(t, '')}-not`);
    await log.update();
    assert.match(log.fault ?? '', /^\(the kernel's log .* cannot be read: ENOENT\)$/);
  });

  it('goes on after records were overwritten, and waits for nothing (EPIPE, EAGAIN)', async t => {
    const log = new KernelLog(fileIn(t, ''));
    const answers = ['EPIPE', record('eth0: Link is Down'), 'EPIPE', 'EAGAIN'];
    t.mock.method(fs, 'readSync', (_fd: number, buffer: Buffer) => {
      const answer = answers.shift() ?? 'EIO';
      if (answer.startsWith('E')) throw Object.assign(new Error(answer), { code: answer });
      return buffer.write(`${answer}\n`);
    });
    await log.update();
    assert.deepEqual(log.since(0, 20), ['eth0: Link is Down']);
    assert.deepEqual([answers, log.fault], [[], null]);
  });

  it('of this machine can be read, or says why not', async () => {
    const log = new KernelLog('/dev/kmsg');
    await log.update();
    if (log.fault === null) for (const line of log.since(0, 100)) assert.match(line, /^[\x20-\x7e]{1,200}$/);
    else assert.match(log.fault, /(EPERM|EACCES|ENOENT)\)$/);
  });
});
