/** What the addon says to arguments that it cannot take, and its small functions. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { addon, addonFile, openMonitor, scratch, shell } from './helpers.js';

const run = shell('x', 'true');
const wrongArguments: [string, unknown[], RegExp][] = [
  ['watch', [1, []], /resource: expected a string/],
  ['watch', ['r', 'x'], /sensors: expected an array/],
  ['watch', ['r', []], /at least one sensor/],
  ['watch', ['r', [null]], /sensors\[0\]: expected an object/],
  ['watch', ['r', [{ kind: 'x' }]], /sensors\[0\]\.kind: expected 'process', .* or 'stack'/],
  ['watch', ['r', [{ kind: 'process' }]], /at least one of pidfile, name, listen and command/],
  ['watch', ['r', [{ kind: 'process', name: 5 }]], /name: expected a string/],
  ['watch', ['r', [{ kind: 'process', name: '' }]], /not empty/],
  ['watch', ['r', [{ kind: 'process', pidfile: 'a\0b' }]], /without a zero byte/],
  ['watch', ['r', [{ kind: 'process', listen: 'tcp:0' }]], /expected tcp:PORT.*not tcp:0/],
  ['watch', ['r', [{ kind: 'link' }]], /interface: expected the name of an interface/],
  ['watch', ['r', [{ kind: 'link', interface: 'a-name-that-is-too-long' }]], /1 to 15 bytes/],
  ['watch', ['r', [{ kind: 'uplink', carrier: 'yes' }]], /carrier: expected true or false/],
  ['watch', ['r', [{ kind: 'uplink', families: '5' }]], /families: expected auto, any, all, 4 or 6/],
  ['watch', ['r', [{ kind: 'uplink', towards4: '::1' }]], /towards4: expected an IPv4 address/],
  ['watch', ['r', [{ kind: 'uplink', table: '7', mark: 7 }]], /table: expected it without mark and vrf/],
  [
    'watch',
    ['r', [{ kind: 'link', interface: 'a', address: 'must' }]],
    /address: expected keep, dead or ignore/,
  ],
  ['watch', ['r', [{ kind: 'stack', everyMs: 0 }]], /everyMs: expected milliseconds, at least 1/],
  ['watch', ['r', [{ kind: 'stack', everyMs: Number.NaN }]], /everyMs: expected milliseconds/],
  ['watchAll', ['r'], /requests: expected an array/],
  ['watchAll', [[1]], /requests\[0\]: expected an object/],
  ['watchAll', [[{ resource: 'r', sensors: [] }]], /at least one sensor/],
  ['run', [], /run: expected an object/],
  ['run', [{ ...run, id: undefined }], /run\.id: expected a string/],
  ['run', [{ ...run, argv: [] }], /run\.argv: expected an array/],
  ['run', [{ ...run, argv: ['sh'] }], /a path with a slash/],
  ['run', [{ ...run, argv: ['/bin/sh', 1] }], /run\.argv\[1\]: expected a string/],
  ['run', [{ ...run, env: undefined }], /run\.env: expected an object/],
  ['run', [{ ...run, env: { A: 1 } }], /run\.env\.A: expected a string/],
  ['run', [{ ...run, env: { 'A=B': '' } }], /names without '='/],
  ['run', [{ ...run, timeoutMs: -1 }], /timeoutMs: expected milliseconds, at least 0/],
  ['run', [{ ...run, graceMs: Number.POSITIVE_INFINITY }], /graceMs: expected milliseconds/],
  ['armReflex', ['r'], /run: expected an object/],
  ['endRun', [{}], /id: expected a string/],
  ['watch', ['r', [{ kind: 'unit' }]], /name: expected the name of a unit/],
  ['watch', ['r', [{ kind: 'unit', name: 'a/b' }]], /name: expected the name of a unit/],
  [
    'watch',
    ['r', [{ kind: 'unit', name: 'x.service', manager: 'mine' }]],
    /manager: expected system or user/,
  ],
  ['advise', ['r', 0], /advice: expected an object/],
  ['advise', ['r', 0, { state: ['running'] }], /advice\.state: expected a string/],
];

describe('a wrong argument is refused with a code and a sentence', () => {
  for (const [method, args, message] of wrongArguments) {
    it(`${method}: ${message.source}`, test => {
      const { monitor } = openMonitor(test);
      const call = monitor[method as 'watch'] as (...args: unknown[]) => unknown;
      assert.throws(() => call.apply(monitor, args), { code: 'ERR_SOCKMON_ARGUMENT', message });
    });
  }

  it('new Monitor: onEvents', () => {
    const Open = addon.Monitor as unknown as new (callback?: unknown) => unknown;
    assert.throws(() => new Open(), {
      code: 'ERR_SOCKMON_ARGUMENT',
      message: /onEvents: expected a function/,
    });
  });
});

it('an id in use, and one that is not, have their codes', test => {
  const { monitor } = openMonitor(test);
  monitor.watch('r', [{ kind: 'stack' }]);
  assert.throws(() => monitor.watch('r', [{ kind: 'stack' }]), { code: 'EEXIST' });
  assert.throws(() => monitor.snapshot('s'), { code: 'ENOENT' });
  assert.throws(() => monitor.armReflex('s', run), { code: 'ENOENT' });
  assert.throws(() => monitor.advise('s', 0, {}), { code: 'ENOENT' });
  assert.throws(() => monitor.advise('r', 1, {}), { code: 'ENOENT' });
  // A kind that never asks takes any answer.
  monitor.advise('r', 0, { state: 'running' });
  monitor.armReflex('s', null);
  monitor.unwatch('s');
});

it('of many that are watched at once each has an outcome of its own, in order', test => {
  const { monitor } = openMonitor(test);
  monitor.watch('r7', [{ kind: 'stack' }]);
  const outcomes = monitor.watchAll(
    Array.from({ length: 250 }, (_, i) => ({
      resource: `r${i}`,
      sensors: [{ kind: 'process', pidfile: `/run/nothing${i}.pid` }],
    })),
  );
  assert.deepEqual(
    outcomes.map(({ reports, error }) => error?.code ?? `${reports?.[0]?.resource} ${reports?.[0]?.state}`),
    outcomes.map((_, i) => (i === 7 ? 'EEXIST' : `r${i} absent`)),
  );
  assert.equal(monitor.snapshot('r249')[0]?.state, 'absent');
  assert.deepEqual(monitor.watchAll([]), []);
});

it('a watch near the limit of descriptors is refused, and Node can still open files', () => {
  const program = `const addon = require(${JSON.stringify(addonFile)}); const fs = require('fs');
    const held = []; for (let i = 0; i < 60; i++) held.push(fs.openSync('/dev/null'));
    const monitor = new addon.Monitor(() => {});
    try { monitor.watch('r', [{ kind: 'stack' }]); } catch (error) { console.log(error.code); }
    fs.closeSync(fs.openSync('/dev/null')); held.forEach(fs.closeSync);
    console.log(monitor.watch('r', [{ kind: 'stack' }]).length); monitor.close();`;
  const { stdout } = spawnSync(
    '/bin/sh',
    ['-c', 'ulimit -n 130; exec "$0" -e "$1"', process.execPath, program],
    {
      encoding: 'utf8',
    },
  );
  assert.equal(stdout, 'EMFILE\n1\n');
});

describe('the small functions', () => {
  it('bootTimeMs is CLOCK_BOOTTIME', () => {
    const uptimeMs = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
    const before = uptimeMs();
    const now = addon.bootTimeMs();
    // /proc/uptime has hundredths of a second.
    assert.ok(now >= before && now <= uptimeMs() + 10);
  });

  it('clockSynchronized and capabilities answer', () => {
    assert.equal(typeof addon.clockSynchronized(), 'boolean');
    assert.equal(typeof addon.capabilities().exitInfo, 'boolean');
  });

  it('lockFile takes a lock that another process then cannot have', test => {
    const file = join(scratch(test), 'lock');
    const fd = openSync(file, 'w');
    assert.equal(addon.lockFile(fd), true);
    const program = `const a = require(${JSON.stringify(addonFile)}); process.exit(a.lockFile(require('fs').openSync(${JSON.stringify(file)})) ? 0 : 9)`;
    const status = (): number | null => spawnSync(process.execPath, ['-e', program]).status;
    assert.equal(status(), 9);
    closeSync(fd);
    assert.equal(status(), 0);
    assert.throws(() => addon.lockFile(fd), { code: 'EBADF' });
    assert.throws(() => addon.lockFile(-1), { code: 'ERR_SOCKMON_ARGUMENT' });
    assert.throws(() => addon.lockFile(1.5), { code: 'ERR_SOCKMON_ARGUMENT' });
  });
});

it('the time of day is that of the zone, on both sides of a change of clocks', () => {
  const moments = [0, 1_700_000_000_123, Date.UTC(2026, 2, 29, 0, 59, 59), Date.UTC(2026, 2, 29, 1), -1];
  const program = `const { timeOfDay } = require(${JSON.stringify(addonFile)});
    for (const ms of ${JSON.stringify(moments)}) console.log(timeOfDay(ms), new Date(ms).toTimeString().slice(0, 8));`;
  for (const TZ of ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Chatham', 'XYZ-5:30']) {
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], {
      env: { ...process.env, TZ },
      encoding: 'utf8',
    });
    const lines = stdout.trim().split('\n');
    assert.equal(lines.length, moments.length, stderr);
    // ICU does not know the zones of POSIX, which a router without a table of zones has.
    const expected = TZ.startsWith('XYZ')
      ? ['05:30:00', '03:43:20', '06:29:59', '06:30:00', '05:29:59']
      : null;
    for (const [i, line] of lines.entries())
      assert.equal(line.split(' ')[0], expected?.[i] ?? line.split(' ')[1], `${TZ}: ${line}`);
  }
  assert.equal(addon.timeOfDay(Number.NaN), '');
  assert.equal(addon.timeOfDay(1e300), '');
  assert.throws(() => addon.timeOfDay('x' as never), { code: 'ERR_SOCKMON_ARGUMENT' });
});
