/** What `check` finds of each resource, with the real monitor. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lookNow, nowText } from '../../src/cli/now.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config, Sensor } from '../../src/core/policy.js';
import { exited, pidfileOf, scratch, start, startVictim } from '../native/helpers.js';
import { mainFile } from './program.js';

function configured(t: TestContext, resources: Record<string, unknown>): Config {
  const file = join(scratch(t), 'sockmon.yaml');
  writeFileSync(file, JSON.stringify({ node: 'gw', resources }));
  return loadConfig({ files: [file], env: {}, cwd: '/', checkOnly: true });
}

const byPidfile = (t: TestContext, pid: number) => ({ process: { pidfile: pidfileOf(t, pid) } });

describe('what there is now', () => {
  it('of a process is its pid and its command line, or why it is not found', async t => {
    const { pid } = startVictim(t);
    const config = configured(t, {
      there: { watch: byPidfile(t, pid) },
      gone: { watch: { process: { name: 'nobody-has-it' } } },
      both: { watch: ['stack', { process: { name: 'nobody-has-it' } }] },
      stack: { watch: 'stack' },
    });
    const [there, gone, both, stack] = nowText(await lookNow(config))
      .trimEnd()
      .split('\n')
      .slice(1);
    assert.match(
      there ?? '',
      new RegExp(`^ {2}there +up +process .*: pid ${pid}, /bin/sh -c read line; exit 0$`),
    );
    assert.match(gone ?? '', /^ {2}gone +absent +process nobody-has-it: absent, \S.*nobody-has-it/);
    assert.match(both ?? '', /^ {2}both +absent +stack: up, .*; process nobody-has-it: absent, \S/);
    assert.match(stack ?? '', /^ {2}stack +up +stack: datagrams pass$/);
  });

  it('of several that fit is each of them, and how to say which one is meant', async t => {
    const folder = scratch(t);
    const name = `twin${process.pid}`;
    const program = join(folder, name);
    cpSync('/bin/sleep', program);
    const pids = [1001, 1002].map(seconds => start(t, program, [String(seconds)]).pid);
    const config = configured(t, {
      twins: { watch: { process: { name } } },
      one: { watch: { process: { name, command: '1002' } } },
    });
    const text = nowText(await lookNow(config));
    const both = pids.map((pid, index) => `pid ${pid} \\(${program} 100${index + 1}\\)`).join(', ');
    assert.match(
      text,
      new RegExp(`^ {2}twins +up +process ${name}: pid ${pids[0]}, the oldest of several: ${both}`, 'm'),
    );
    assert.match(
      text,
      /^ {2}twins: degraded detection: Several processes fit: .*; say which one is meant by pidfile, listen, command or user\.$/m,
    );
    assert.match(text, new RegExp(`^ {2}one +up +process .*: pid ${pids[1]}, `, 'm'));
    assert.doesNotMatch(text, /^ {2}one: degraded/m);
  });

  it('shows nothing that a terminal would obey, and no command line to its end', async t => {
    const { pid } = start(t, '/bin/sh', ['-c', 'read line', `\u001b[31m\n${'x'.repeat(500)}`]);
    const text = nowText(await lookNow(configured(t, { there: { watch: byPidfile(t, pid) } })));
    assert.match(text, /\\x1b\[31m\\nx+…\n$/);
    assert.ok(text.length < 400, text);
  });

  it('of a process that has just ended is still its pid', async t => {
    const victim = startVictim(t);
    const now = await lookNow(configured(t, { there: { watch: byPidfile(t, victim.pid) } }));
    victim.kill('SIGKILL');
    await exited(victim);
    assert.match(nowText(now), new RegExp(`: pid ${victim.pid}$`, 'm'));
  });

  it('disturbs nothing: what was found lives on, and nothing of it is watched afterwards', async t => {
    const victim = startVictim(t);
    const config = configured(t, {
      there: { watch: byPidfile(t, victim.pid), restart: '/bin/false' },
    });
    await lookNow(config);
    assert.deepEqual(await lookNow(config), await lookNow(config), 'the ids are free again');
    assert.equal(victim.exitCode ?? victim.signalCode, null);
  });

  it('of a connection is waited for, whether it comes about or not', async t => {
    const server = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: nobodys } = closed.address() as AddressInfo;
    closed.close();
    await once(closed, 'close');
    const config = configured(t, {
      held: { watch: { connection: `tcp:127.0.0.1:${port}` } },
      refused: { watch: { connection: `tcp:127.0.0.1:${nobodys}` } },
    });
    const text = nowText(await lookNow(config));
    server.close();
    assert.match(text, /^ {2}held +up +connection tcp:[^ ]+: connection held$/m);
    assert.match(text, /^ {2}refused +absent +connection tcp:[^ ]+: absent, \S/m);
  });

  it('of what cannot be watched is said for that one, and of the others all the same', async t => {
    const config = configured(t, { one: { watch: 'stack' }, two: { watch: 'stack' } });
    const { policy } = config;
    const [one, two] = policy.resources;
    assert.ok(one && two);
    const bad = {
      ...one,
      sensors: [
        { ...one.sensors[0], kind: 'link', fields: { interface: 'a-name-that-is-too-long' } },
      ] as Sensor[],
    };
    const text = nowText(await lookNow({ ...config, policy: { ...policy, resources: [bad, two] } }));
    assert.match(
      text,
      /^ {2}one +unknown +it cannot be watched: .*interface.*\n {2}two +up +stack: datagrams pass\n$/m,
    );
  });
});

it('check without the addon says so in a sentence and checks the file all the same', async t => {
  const folder = scratch(t);
  const root = fileURLToPath(new URL('../../../', import.meta.url));
  mkdirSync(join(folder, 'dist'));
  cpSync(join(root, 'dist/src'), join(folder, 'dist/src'), { recursive: true });
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'a.yaml'), 'node: gw\nresources: {tcpip: {watch: tcpip}}\n');
  const program = mainFile.replace(join(root, 'dist'), join(folder, 'dist'));
  const child = start(t, process.execPath, [program, 'check', '--config', join(folder, 'a.yaml')]);
  let out = '';
  child.stdout?.on('data', chunk => {
    out += chunk;
  });
  await exited(child);
  assert.equal(child.exitCode, 0);
  assert.match(out, /a\.yaml: no faults\.\n\ntcpip \(the network\)\n/);
  assert.match(
    out,
    /\nNow: unknown, nothing can be looked at\. The native monitor cannot be loaded: [^\n]*\. Build it with "npm run build"[^\n]* The file has been checked all the same\.\n$/,
  );
});
