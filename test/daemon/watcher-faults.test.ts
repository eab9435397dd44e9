/** What the real monitor cannot do for want of file descriptors is a fault until it is done. The limit is this process's own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import type { Fault } from '../../native/index.js';
import type { Input } from '../../src/core/input.js';
import type { Sensor } from '../../src/core/policy.js';
import type { Log, Run, Watcher } from '../../src/core/ports.js';
import { startWatcher } from '../../src/monitor/watcher.js';
import { type Addon, loadAddon } from '../../src/system/addon.js';
import { until } from '../lab/wait.js';
import { alone } from './fakes.js';

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

/**
 * No new descriptor can be had: every number below the limit is taken, and what is closed meanwhile is above it. A shell that is there
 * already sets the limit, since nothing could be started.
 */
async function withoutDescriptors(context: TestContext, action: () => void | Promise<void>): Promise<void> {
  const shell = spawn('sh', { stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => void shell.kill('SIGKILL'));
  const limit = async (value: number): Promise<void> => {
    shell.stdin.write(`prlimit --pid ${process.pid} --nofile=${value}: && echo done\n`);
    assert.equal(String(await once(shell.stdout, 'data')), 'done\n');
  };
  await limit(3);
  try {
    await action();
  } finally {
    await limit(4096);
    shell.stdin.end();
  }
}

function watching(
  context: TestContext,
  addon: Addon = loadAddon(),
): { watcher: Watcher; take: () => string[] } {
  const inputs: Input[] = [];
  const watcher = startWatcher(addon, {
    ...alone(log),
    onInputs: more => void inputs.push(...more),
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
  it('in watching ends when watching succeeds, once', async context => {
    const { watcher, take } = watching(context);
    await withoutDescriptors(context, () => {
      watcher.watch([{ resource: 'r', sensors }]);
      watcher.watch([{ resource: 'r', sensors }]);
    });
    assert.deepEqual(take(), ['watching r begins', 'watching r begins']);
    watcher.watch([{ resource: 'r', sensors }]);
    assert.deepEqual(take(), ['r absent', 'watching r is over']);
    watcher.unwatch('r');
    watcher.watch([{ resource: 'r', sensors }]);
    assert.deepEqual(take(), ['r absent']);
  });

  it('in watching is no fault of what is watched next by that name', async context => {
    const { watcher, take } = watching(context);
    await withoutDescriptors(context, () => watcher.watch([{ resource: 'r', sensors }]));
    watcher.unwatch('r');
    watcher.watch([{ resource: 'r', sensors }]);
    assert.deepEqual(take(), ['watching r begins', 'r absent']);
  });

  it('in arming ends when arming succeeds, not when it is disarmed', async context => {
    const { watcher, take } = watching(context);
    // A sensor that looks for its process meanwhile has a fault of its own.
    const ofReflex = () => take().filter(words => words.startsWith('reflex'));
    watcher.watch([{ resource: 'r', sensors }]);
    take();
    await withoutDescriptors(context, () => watcher.armReflex('r', run, ['exited']));
    assert.deepEqual(ofReflex(), ['reflex r begins']);
    watcher.armReflex('r', null, []);
    assert.deepEqual(ofReflex(), []);
    watcher.armReflex('r', run, ['exited']);
    watcher.armReflex('r', run, ['exited']);
    assert.deepEqual(ofReflex(), ['reflex r is over']);
  });
});

describe('a fault that the monitor reports', () => {
  it('begins and ends with the real one: a connection that cannot be asked for', async context => {
    const sockets = new Set<Socket>();
    const server = createServer(socket => void sockets.add(socket.on('error', () => {}))).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    context.after(() => server.close());
    const to = `tcp:127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { watcher, take } = watching(context);
    context.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    const told: string[] = [];
    const hears = (words: string) => until(words, () => told.push(...take()) > 0 && told.includes(words));
    const fields = { to, connectTimeoutMs: 30_000, silentAfterMs: 30_000 };
    watcher.watch([
      { resource: 'r', sensors: [{ kind: 'connection', name: `connection ${to}`, canKill: false, fields }] },
    ]);
    await hears('r up');
    await until('the server to have it', () => sockets.size > 0);
    await withoutDescriptors(context, async () => {
      for (const socket of sockets) socket.destroy();
      await hears('sensor r begins');
    });
    await hears('sensor r is over');
    assert.deepEqual(
      told.filter(words => words.startsWith('sensor')),
      ['sensor r begins', 'sensor r is over'],
    );
  });

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
