/** The connection sensor of the real addon, on real servers in processes of their own. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { SensorReport, SensorSpec } from '../../native/index.js';
import * as fields from '../../src/config/fields.js';
import { connectionSensor } from '../../src/sensors/connection.js';
import { addon, atEnd, kill, openMonitor, scratch, shell, start, until } from './helpers.js';
import { needs, needsNetworkNamespaces } from './needs.js';
import { Netns } from './netns.js';

const serverFile = fileURLToPath(new URL('connection-server.js', import.meta.url));

/** A server in a process of its own, see connection-server.ts. Ready when this resolves. `by`: what comes before its command line. */
async function serve(test: TestContext, at: string, how = 'hold', by: readonly string[] = []) {
  const [program = '', ...args] = [...by, process.execPath, serverFile, at, how];
  const server = start(test, program, args);
  let said = '';
  server.stdout?.on('data', data => {
    said += String(data);
  });
  await until(() => said.includes('ready'), `the server at ${at}; it said: ${said}`);
  return Object.assign(server, {
    address: /ready (\S+)/.exec(said)?.[1] ?? '',
    order: (word: string) => void server.stdin?.write(`${word}\n`),
    /** How many connections it has accepted. */
    accepted: () => said.split('accepted').length - 1,
  });
}

const connection = (to: string, more: object = {}): SensorSpec => ({ kind: 'connection', to, ...more });
const losses = (reports: readonly SensorReport[]) => reports.map(({ state, reason }) => [state, reason]);

/** Each way to reach a server on this machine. */
function places(test: TestContext): Record<string, string> {
  return {
    'UNIX socket': `unix:${join(scratch(test), 'x.sock')}`,
    'TCP over loopback': 'tcp:127.0.0.1:0',
    'TCP over IPv6': 'tcp:[::1]:0',
  };
}

describe('a server to which a connection is held', () => {
  for (const place of ['UNIX socket', 'TCP over loopback', 'TCP over IPv6']) {
    it(`is dead when it is killed: the reflex is started at once, and its successor is found (${place})`, async test => {
      const { monitor, recorder } = openMonitor(test);
      const server = await serve(test, places(test)[place] ?? '');
      const [initial] = monitor.watch('r', [connection(server.address)]);
      assert.equal(initial?.state, 'up');
      monitor.armReflex('r', shell('reflex', 'true'), ['gone', 'exited']);
      // One that it has not taken out of its queue would be reset.
      await until(() => server.accepted() === 1, 'the connection');
      const killedMs = addon.bootTimeMs();
      server.kill('SIGKILL');
      const down = await recorder.state('down');
      assert.deepEqual([down.reason, down.nature, down.reflex], ['peer_closed', 'exited', 'reflex']);
      assert.ok(down.atMs >= killedMs && down.atMs <= addon.bootTimeMs());
      assert.equal((await recorder.ended('reflex')).exit?.kind, 'exit');
      await serve(test, server.address);
      const up = await recorder.state('up');
      assert.equal(up.replaced, undefined);
      assert.deepEqual(losses(recorder.all('sensor')), [
        ['down', 'peer_closed'],
        ['up', undefined],
      ]);
    });

    it(`that only closes is none: a note, no reflex (${place})`, async test => {
      const { monitor, recorder } = openMonitor(test);
      const server = await serve(test, places(test)[place] ?? '');
      monitor.watch('r', [connection(server.address)]);
      monitor.armReflex('r', shell('reflex', 'true'));
      await until(() => server.accepted() === 1, 'the connection');
      server.order('close');
      const replaced = await recorder.state('up');
      assert.match(
        replaced.replaced ?? '',
        /^the server closed the connection and accepted a new one at once$/,
      );
      await until(() => server.accepted() === 2, 'the second connection');
      // The reflex is still there, for the death that does come.
      assert.equal(recorder.all('run_started').length, 0);
      server.kill('SIGKILL');
      assert.equal((await recorder.state('down')).reflex, 'reflex');
      await recorder.ended('reflex');
    });
  }

  it('that resets is asked as well: a note while it lives, a death when it does not', async test => {
    const { monitor, recorder } = openMonitor(test);
    const server = await serve(test, 'tcp:127.0.0.1:0');
    monitor.watch('r', [connection(server.address)]);
    await until(() => server.accepted() === 1, 'the connection');
    server.order('reset');
    assert.match((await recorder.state('up')).replaced ?? '', /^the server reset the connection/);
    await until(() => server.accepted() === 2, 'the second connection');
    server.order('reset and stop listening');
    assert.equal((await recorder.state('down')).reason, 'peer_reset');
  });

  it('that somebody else restarts within milliseconds is up again each time', async test => {
    const { monitor, recorder } = openMonitor(test);
    const path = join(scratch(test), 'x.sock');
    const supervisor = start(test, '/bin/sh', [
      '-c',
      `while :; do socat UNIX-LISTEN:${path},unlink-early PIPE & echo $!; wait; done`,
    ]);
    const pids: number[] = [];
    supervisor.stdout?.on('data', data => pids.push(...String(data).trim().split('\n').map(Number)));
    atEnd(test, () => {
      supervisor.kill('SIGKILL');
      for (const pid of pids) kill(pid);
    });
    const rounds = 5;
    monitor.watch('r', [connection(`unix:${path}`)]);
    for (let round = 0; round < rounds; round++) {
      await until(() => pids.length > round && monitor.snapshot('r')[0]?.state === 'up', 'it to be up');
      kill(pids[round] as number);
      await recorder.state('down', round + 1);
    }
    await until(() => monitor.snapshot('r')[0]?.state === 'up', 'it to be up at last');
    const told = recorder.all('sensor').map(({ state }) => state);
    assert.deepEqual(
      told.filter((state, i) => state === told[i - 1]),
      [],
      told.join(' '),
    );
  });

  it('that was never there is absent, and comes up without having died', async test => {
    const { monitor, recorder } = openMonitor(test);
    const to = `unix:${join(scratch(test), 'x.sock')}`;
    const [initial] = monitor.watch('r', [connection(to)]);
    assert.deepEqual([initial?.state, initial?.detail], ['absent', 'ENOENT']);
    await serve(test, to);
    await recorder.state('up');
    assert.equal(recorder.all('sensor').length, 1);
    assert.equal(recorder.all('fault').length, 0);
  });

  it('and which throws out again and again is broken, with a dozen attempts and no reflex of its own', async test => {
    const { monitor, recorder } = openMonitor(test);
    const server = await serve(test, 'tcp:127.0.0.1:0');
    monitor.watch('r', [connection(server.address, { connectTimeoutMs: 500 })]);
    monitor.armReflex('r', shell('reflex', 'true'), ['gone', 'exited']);
    await until(() => server.accepted() === 1, 'the connection');
    server.order('throw out');
    const down = await recorder.state('down');
    assert.deepEqual([down.reason, down.nature, down.reflex], ['closes_at_once', 'broken', undefined]);
    assert.ok(server.accepted() < 20, `${server.accepted()} connections`);
    server.order('hold again');
    await recorder.state('up');
    assert.deepEqual(losses(recorder.all('sensor')), [
      ['down', 'closes_at_once'],
      ['up', undefined],
    ]);
  });

  it('is alive when it says what is expected, and broken when a new connection is accepted for one that hangs', async test => {
    const { monitor, recorder } = openMonitor(test);
    const server = await serve(test, 'tcp:127.0.0.1:0', 'greet');
    const spec = connection(server.address, {
      greeting: 'PING\\r\\n',
      expect: '+PONG\\x0d',
      connectTimeoutMs: 300,
    });
    const [initial] = monitor.watch('r', [spec]);
    assert.equal(initial?.state, 'unknown', 'nothing is said before it has answered');
    await recorder.state('up');
    server.order('close');
    await recorder.state('up', 2);
    // Its kernel accepts on.
    server.order('close and hang');
    const down = await recorder.state('down');
    assert.deepEqual([down.reason, down.nature], ['no_greeting', 'broken']);
    server.kill('SIGCONT');
    await recorder.state('up', 3);
  });

  it('and says something else is absent, with words for that', async test => {
    const { monitor, recorder } = openMonitor(test);
    const server = await serve(test, 'tcp:127.0.0.1:0', 'greet');
    const spec = connection(server.address, {
      greeting: 'EHLO\\r\\n',
      expect: '+PONG',
      connectTimeoutMs: 200,
    });
    monitor.watch('r', [spec]);
    const absent = await recorder.state('absent');
    assert.match(absent.detail ?? '', /does not say what is expected/);
  });

  it('gets no byte', async test => {
    const heard: Buffer[] = [];
    const server = createServer(socket => socket.on('data', data => heard.push(data)));
    const { monitor, recorder } = openMonitor(test);
    const path = join(scratch(test), 'x.sock');
    await new Promise<void>(resolve => server.listen(path, resolve));
    assert.equal(monitor.watch('r', [connection(`unix:${path}`)])[0]?.state, 'up');
    monitor.snapshot('r');
    monitor.unwatch('r');
    // Called when the last connection has ended.
    await new Promise(resolve => server.close(resolve));
    assert.deepEqual(heard, []);
    assert.equal(recorder.all('sensor').length, 0);
  });
});

describe('a server on another machine', {
  skip: needsNetworkNamespaces() || needs('nft', ['--version']),
}, () => {
  const at = 'tcp:10.9.0.2:7';
  const far = connection(at, { silentAfterMs: 3000, connectTimeoutMs: 3000 });
  const deaf = 'nft add table t; nft add chain t c "{ type filter hook input priority 0; policy drop; }"';
  const hearing = 'nft delete table t';

  /** Two namespaces with a cable between them: the sensor's, and the server's. */
  async function lan(test: TestContext) {
    const netns = new Netns(test);
    const peer = start(test, 'unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep 1000']);
    await new Promise(resolve => peer.stdout?.once('data', resolve));
    const inside = ['nsenter', '-t', String(peer.pid), '-n'];
    const there = (script: string): string => {
      const [program = '', ...args] = [...inside, 'sh', '-ec', script];
      const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      assert.equal(status, 0, `${script}: ${stderr}`);
      return stdout;
    };
    await netns.sh(`ip link set lo up; ip link add up0 type veth peer name up1 netns ${peer.pid}
      ip addr add 10.9.0.1/24 dev up0; ip link set up0 up`);
    there('ip link set lo up; ip addr add 10.9.0.2/24 dev up1; ip link set up1 up');
    await netns.sh('until ip link show up0 | grep -q "state UP"; do sleep 0.01; done');
    const server = await serve(test, at, 'hold', inside);
    return { netns, there, server };
  }

  it('is unknown, not absent, until it has answered, and then up', async test => {
    const { netns, there } = await lan(test);
    there(deaf);
    assert.equal((await netns.watch('r', [far]))[0]?.state, 'unknown');
    // Its kernel asks again after a second.
    there(hearing);
    await netns.recorder.state('up');
    assert.equal(netns.recorder.all('sensor').length, 1);
  });

  it('is absent when it has not answered in time', async test => {
    const { netns, there } = await lan(test);
    there(deaf);
    await netns.watch('r', [{ ...far, connectTimeoutMs: 200 }]);
    assert.equal((await netns.recorder.state('absent')).detail, 'ETIMEDOUT');
  });

  it('that dies is seen by its own word, and its reflex is due', async test => {
    const { netns, server } = await lan(test);
    await netns.watch('r', [far]);
    await until(() => server.accepted() === 1, 'the connection');
    await netns.armReflex('r', shell('reflex', 'true'));
    server.kill('SIGKILL');
    const down = await netns.recorder.state('down');
    assert.deepEqual([down.reason, down.reflex], ['peer_closed', 'reflex']);
    await netns.recorder.ended('reflex');
  });

  it('that falls silent is unreachable, and up again when it answers', async test => {
    const { netns, there, server } = await lan(test);
    await netns.watch('r', [far]);
    await until(() => server.accepted() === 1, 'the connection');
    there(deaf);
    const down = await netns.recorder.state('down');
    assert.deepEqual([down.reason, down.nature], ['silent', 'unreachable']);
    there(hearing);
    assert.equal((await netns.recorder.state('up')).replaced, undefined);
  });

  it('that is silent for less than that has not died', async test => {
    const { netns, there, server } = await lan(test);
    await netns.watch('r', [far]);
    await until(() => server.accepted() === 1, 'the connection');
    there(`${deaf}; sleep 1.2; ${hearing}; sleep 3.5`);
    assert.equal((await netns.snapshot('r'))[0]?.state, 'up');
    assert.equal(server.accepted(), 1);
    assert.ok(netns.recorder.all('sensor').every(({ replaced, state }) => state === 'up' && !replaced));
  });

  it('whose connection a router has forgotten while it lives is no outage', async test => {
    const { netns, there, server } = await lan(test);
    await netns.watch('r', [far]);
    await until(() => server.accepted() === 1, 'the connection');
    const port = /10\.9\.0\.1:(\d+)/.exec(there('ss -tnH'))?.[1];
    there(
      `nft add table t; nft add chain t c "{ type filter hook input priority 0; }"; nft add rule t c tcp sport ${port} drop`,
    );
    const told = await netns.recorder.next('sensor', ({ replaced }) => replaced !== undefined);
    assert.match(told.replaced ?? '', /^nothing was heard any more on the connection and accepted/);
    assert.equal(told.state, 'up');
  });
});

describe('both sides', () => {
  const right = [
    'tcp:127.0.0.1:53',
    'tcp:[::1]:65535',
    'tcp:localhost:1',
    'unix:/run/x.sock',
    'unix:@name',
    `unix:/${'x'.repeat(106)}`,
  ];
  const wrong = [
    '',
    'tcp',
    'tcp:53',
    'tcp:127.0.0.1',
    'tcp:127.0.0.1:0',
    'tcp:127.0.0.1:65536',
    'tcp:127.0.0.1:5x',
    'tcp:1.2.3:53',
    'tcp:300.0.0.1:53',
    'tcp:::1:53',
    'tcp:[127.0.0.1]:53',
    'tcp:router.lan:53',
    'tcp:[fe80::1%lo]:1',
    'udp:127.0.0.1:53',
    'unix:',
    'unix:@',
    'unix:/',
    'unix:x',
    `unix:/${'x'.repeat(107)}`,
    `unix:/${'ü'.repeat(54)}`,
  ];
  const texts = ['PING\\r\\n', 'a\\\\b', '\\x00\\xff', 'ü', '\r\n', '\\q', '\\x0', '\\', 'x'.repeat(257)];
  const schema = connectionSensor.schema(fields);
  const natively = (spec: object): boolean => {
    const monitor = new addon.Monitor(() => {});
    try {
      monitor.watch('r', [{ kind: 'connection', ...spec } as SensorSpec]);
      return true;
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ERR_SOCKMON_ARGUMENT');
      return false;
    } finally {
      monitor.close();
    }
  };

  it('take the same addresses', () => {
    for (const [addresses, isRight] of [
      [right, true],
      [wrong, false],
    ] as const)
      for (const to of addresses) {
        assert.equal(schema.safeParse({ to }).success, isRight, to);
        assert.equal(natively({ to }), isRight, to);
      }
  });

  it('and what one side lets through of the texts, the other reads', () => {
    const to = 'unix:@sockmon-nobody';
    const passed = texts.filter(expect => schema.safeParse({ to, expect }).success);
    assert.deepEqual(passed, texts.slice(0, 5));
    for (const expect of passed) assert.ok(natively({ to, expect, greeting: expect }), expect);
    assert.ok(natively({ to, expect: '🦀'.repeat(128) }) && !natively({ to, expect: '\\q' }));
  });
});
