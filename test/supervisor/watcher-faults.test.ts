/** What the real monitor cannot do for want of file descriptors is a fault until it is done. The limit is this process's own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import type { Fault } from '../../native/index.js';
import { type Addon, loadAddon } from '../../src/addon.js';
import type { Sensor } from '../../src/core/policy.js';
import type { Log, Run, Watcher } from '../../src/core/ports.js';
import type { Input } from '../../src/core/state.js';
import { startWatcher } from '../../src/monitor.js';
import { RunFolder } from '../../src/run-folder.js';

const name = 'nobody-has-this-name';
const sensors: Sensor[] = [{ kind: 'process', name: `process ${name}`, canKill: true, fields: { name } }];
const run: Run = {
  id: 'r#1',
  argv: ['/bin/true'],
  env: {},
  purpose: { resource: 'r', outage: 'r-1', attempt: 1, step: 'true', script: '/bin/true', by: 'reflex' },
  timeoutMs: 1000,
  graceMs: 1000,
  journalLines: 0,
};
const log: Log = { debug() {}, info() {}, warn() {}, error() {} };

function prlimit(value: string): void {
  const { status, stderr } = spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${value}`]);
  assert.equal(status, 0, String(stderr));
}

/** None at all is left: not even the 64 that a watch leaves alone. */
function withoutDescriptors(action: () => void): void {
  prlimit('256:');
  const taken: number[] = [];
  try {
    assert.throws(() => {
      for (;;) taken.push(openSync('/dev/null', 'r'));
    }, /EMFILE/);
    action();
  } finally {
    for (const fd of taken) closeSync(fd);
    prlimit('4096:');
  }
}

function watching(
  context: TestContext,
  addon: Addon = loadAddon(),
): { watcher: Watcher; take: () => string[] } {
  const inputs: Input[] = [];
  const watcher = startWatcher(addon, {
    onInputs: more => void inputs.push(...more),
    environment: {},
    bootBeganMs: 0,
    onEnd: () => {},
    early: null,
    runFolder: new RunFolder(null, log),
    log,
  });
  context.after(() => watcher.close());
  const words = (input: Input): string => {
    if (input.kind === 'sensor') return `${input.resource} ${input.state}`;
    if (input.kind !== 'fault') return input.kind;
    const { of, active } = input;
    return `${of.what} ${'resource' in of ? of.resource : of.code} ${active ? 'begins' : 'is over'}`;
  };
  return { watcher, take: () => inputs.splice(0).map(words) };
}

describe('a fault of the watcher', () => {
  it('in watching ends when watching succeeds, once', context => {
    const { watcher, take } = watching(context);
    withoutDescriptors(() => {
      watcher.watch('r', sensors);
      watcher.watch('r', sensors);
    });
    assert.deepEqual(take(), ['watching r begins', 'watching r begins']);
    watcher.watch('r', sensors);
    assert.deepEqual(take(), ['r absent', 'watching r is over']);
    watcher.unwatch('r');
    watcher.watch('r', sensors);
    assert.deepEqual(take(), ['r absent']);
  });

  it('in watching is no fault of what is watched next by that name', context => {
    const { watcher, take } = watching(context);
    withoutDescriptors(() => watcher.watch('r', sensors));
    watcher.unwatch('r');
    watcher.watch('r', sensors);
    assert.deepEqual(take(), ['watching r begins', 'r absent']);
  });

  it('in arming ends when arming succeeds, not when it is disarmed', context => {
    const { watcher, take } = watching(context);
    watcher.watch('r', sensors);
    take();
    withoutDescriptors(() => watcher.armReflex('r', run, ['exited']));
    assert.deepEqual(take(), ['reflex r begins']);
    watcher.armReflex('r', null, []);
    assert.deepEqual(take(), []);
    watcher.armReflex('r', run, ['exited']);
    watcher.armReflex('r', run, ['exited']);
    assert.deepEqual(take(), ['reflex r is over']);
  });
});

describe('a fault that the monitor reports', () => {
  const reported: [what: string, event: Omit<Fault, 'type' | 'code' | 'detail' | 'atMs'>, words: string][] = [
    ['as begun', { resource: 'r', sensor: 0, active: true }, 'sensor r begins'],
    ['as over', { resource: 'r', sensor: 0, active: false }, 'sensor r is over'],
    ['of itself', { active: true }, 'monitor EIO begins'],
    ['of itself, as over', { active: false }, 'monitor EIO is over'],
  ];
  for (const [what, event, words] of reported)
    it(`${what}: ${words}`, context => {
      let deliver: ((events: Fault[]) => void) | undefined;
      class Monitor {
        constructor(onEvents: (events: Fault[]) => void) {
          deliver = onEvents;
        }
        close(): void {}
      }
      const { take } = watching(context, { bootTimeMs: () => 0, Monitor } as unknown as Addon);
      deliver?.([{ type: 'fault', code: 'EIO', detail: 'words', atMs: 1, ...event }]);
      assert.deepEqual(take(), [words]);
    });
});
