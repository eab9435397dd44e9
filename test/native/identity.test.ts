/** Which process counts as the service, on real daemons, each in a network namespace of its own. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { SensorSpec } from '../../native/index.js';
import { atEnd, kill, type Report, scratch, shell, until } from './helpers.js';
import { needs, needsNetworkNamespaces } from './needs.js';
import { Netns } from './netns.js';

const skip = needsNetworkNamespaces() || needs('/usr/bin/python3', ['-c', '']);

/** A namespace whose processes all end with the test. */
async function open(test: TestContext): Promise<{ ns: Netns; folder: string }> {
  const folder = scratch(test);
  const ns = new Netns(test);
  const name = (await ns.sh('ip link set lo up; readlink /proc/self/ns/net')).trim();
  atEnd(test, () => {
    for (const pid of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
      if (linkOf(pid) === name) kill(Number(pid));
    }
  });
  return { ns, folder };
}

function linkOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

/** 0 while there is none: daemons remove it before they write it anew. */
function pidIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0;
  }
}

/** Starts it in a session of its own, with nothing of ours open; returns its pid. */
async function start(ns: Netns, command: string): Promise<number> {
  return Number(await ns.sh(`setsid ${command} >/dev/null 2>&1 </dev/null & echo $!`));
}

/** It has left setsid(1), which bears the words of what it is about to become. */
const runs = (pid: number, ...words: string[]): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8') === words.map(word => `${word}\0`).join('');

async function isListening(ns: Netns, port: number, count = 1): Promise<void> {
  let seen = '';
  for (let i = 0; i < 500; i++) {
    seen = await ns.sh(`ss -Hltn sport = :${port}`);
    if (seen.trim().split('\n').filter(Boolean).length >= count) return;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  assert.fail(`nobody listens on ${port}: ${seen}`);
}

function script(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  chmodSync(file, 0o755);
  return file;
}

async function alive(ns: Netns, sensor: SensorSpec): Promise<Report> {
  const [initial] = await ns.watch('r', [sensor]);
  return initial?.state === 'up' ? initial : ns.recorder.state('up');
}

const states = (ns: Netns): string[] =>
  ns.recorder.all('sensor').map(({ state, replaced }) => (replaced === undefined ? state : 'replaced'));

/** Waits for what comes, and sees that nothing else has. */
async function seen(ns: Netns, wanted: string[]): Promise<void> {
  await until(() => states(ns).length >= wanted.length, `${wanted}; so far ${states(ns)}`);
  assert.deepEqual(states(ns), wanted);
}

const haproxy = (folder: string, global = 'maxconn 50'): string => {
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `global
  ${global}
defaults
  timeout connect 1s
  timeout client 1h
  timeout server 1h
listen x
  bind 127.0.0.1:8080
  mode tcp
  server held 127.0.0.1:9090
`,
  );
  return `haproxy -D -f ${file} -p ${folder}/pid`;
};

/** A connection through the proxy to a server behind it, for as long as the process lives. */
async function holdThrough(ns: Netns, folder: string): Promise<number> {
  const file = script(
    folder,
    'holder',
    `#!/usr/bin/python3
import socket, time
server = socket.create_server(('127.0.0.1', 9090))
client = socket.create_connection(('127.0.0.1', 8080))
client.sendall(b'x')
far, _ = server.accept()
far.recv(1)
open('${folder}/held', 'w')
time.sleep(1000)
`,
  );
  const holder = await start(ns, file);
  await until(() => existsSync(`${folder}/held`), 'a connection through the proxy');
  return holder;
}

/** From field 22 of proc_pid_stat(5), in ticks of 10 ms. */
function ageMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const uptimeMs = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  return uptimeMs - Number(fields[19]) * 10;
}

/**
 * What is told, without a living one that goes on under another pid: haproxy -D ends its first process when its fork is ready, and whoever
 * looks in between sees that one first.
 */
const news = (ns: Netns): string[] =>
  states(ns).filter(
    (state, index, all) => state !== 'up' || !['up', 'replaced'].includes(all[index - 1] ?? ''),
  );

describe('a hand-over', { skip: skip || needs('haproxy', ['-v']) }, () => {
  for (const [what, sensor] of [
    [
      'pidfile',
      (folder: string): SensorSpec => ({ kind: 'process', pidfile: `${folder}/pid`, name: 'haproxy' }),
    ],
    ['address', (): SensorSpec => ({ kind: 'process', listen: 'tcp:127.0.0.1:8080' })],
  ] as const) {
    it(`by the ${what} is told as one, and runs no script; a death is a death`, async test => {
      const { ns, folder } = await open(test);
      await ns.sh(haproxy(folder));
      await isListening(ns, 8080);
      const first = await alive(ns, sensor(folder));
      await ns.armReflex('r', shell('restart', `echo >${folder}/ran`));
      const before = pidIn(`${folder}/pid`);
      assert.equal(first.pid, before);
      await ns.sh(`${haproxy(folder)} -sf ${before}`);
      await until(() => news(ns).length > 0, 'the hand-over');
      const now = pidIn(`${folder}/pid`);
      await until(() => ns.recorder.all('sensor').at(-1)?.pid === now, 'the fork that stays');
      assert.deepEqual(news(ns), ['replaced']);
      assert.match(
        ns.recorder.all('sensor')[0]?.replaced ?? '',
        new RegExp(`^pid ${before} has ended, after pid \\d+ \\(haproxy `),
      );
      assert.ok(!existsSync(`${folder}/ran`));
      kill(now);
      await ns.recorder.ended('restart');
      assert.ok(existsSync(`${folder}/ran`));
      assert.deepEqual(news(ns), ['replaced', 'down']);
      await ns.sh(haproxy(folder));
      await until(() => news(ns).length > 2, 'the next');
      assert.deepEqual(news(ns), ['replaced', 'down', 'up']);
    });
  }

  for (const listen of [undefined, 'tcp:127.0.0.1:8080']) {
    const sensor = (folder: string): SensorSpec => ({
      kind: 'process',
      pidfile: `${folder}/pid`,
      ...(listen === undefined ? {} : { listen }),
    });
    const words = listen === undefined ? 'a pidfile' : 'a pidfile and an address';

    it(`is seen while the old process still holds a connection, by ${words}`, async test => {
      const { ns, folder } = await open(test);
      await ns.sh(haproxy(folder));
      await isListening(ns, 8080);
      const before = pidIn(`${folder}/pid`);
      assert.equal((await alive(ns, sensor(folder))).pid, before);
      const holder = await holdThrough(ns, folder);
      await ns.sh(`${haproxy(folder)} -sf ${before}`);
      const now = pidIn(`${folder}/pid`);
      await seen(ns, ['replaced']);
      const [{ pid, replaced = '' } = {}] = ns.recorder.all('sensor');
      assert.equal(pid, now);
      assert.match(replaced, new RegExp(`^pid ${before} has handed over to pid ${now} \\(haproxy `));
      assert.ok(runs(before, 'haproxy', ...haproxy(folder).split(' ').slice(1)), 'the old one lives');
      // With the connection ends the old one, which is no news, and neither is it where the new one is seen to live afterwards.
      kill(holder);
      await until(() => linkOf(String(before)) === '', 'the end of the old one');
      assert.equal((await ns.snapshot('r'))[0]?.pid, now);
      assert.deepEqual(states(ns), ['replaced']);
    });

    it(`is followed by the death of the new one, which is seen at once, by ${words}`, async test => {
      const { ns, folder } = await open(test);
      await ns.sh(haproxy(folder));
      await isListening(ns, 8080);
      await alive(ns, sensor(folder));
      await ns.armReflex('r', shell('restart', `echo run >>${folder}/ran; ${haproxy(folder)}`));
      await holdThrough(ns, folder);
      const before = pidIn(`${folder}/pid`);
      await ns.sh(`${haproxy(folder)} -sf ${before}`);
      await seen(ns, ['replaced']);
      const second = pidIn(`${folder}/pid`);
      kill(second);
      await until(() => states(ns).length >= 3, 'the restart');
      const [, down, up] = ns.recorder.all('sensor');
      assert.deepEqual([down?.state, down?.pid, down?.reflex], ['down', second, 'restart']);
      assert.equal(up?.state, 'up');
      assert.equal(readFileSync(`${folder}/ran`, 'utf8'), 'run\n');
      assert.notEqual(linkOf(String(before)), '', 'the old one lives on, and is not what is back');
      await until(
        () => ns.recorder.all('sensor').at(-1)?.pid === pidIn(`${folder}/pid`),
        'the fork that stays',
      );
    });
  }

  it('is none where a second instance fails', async test => {
    const { ns, folder } = await open(test);
    const alone = haproxy(folder, 'noreuseport');
    await ns.sh(alone);
    await isListening(ns, 8080);
    const first = pidIn(`${folder}/pid`);
    await alive(ns, { kind: 'process', pidfile: `${folder}/pid` });
    await assert.rejects(ns.sh(alone), /Address already in use/);
    // Others write their pid before they find the socket taken.
    await ns.sh(`sh -c 'echo $$ >${folder}/pid; exec sleep 0.3'`);
    assert.notEqual(pidIn(`${folder}/pid`), first);
    const witness = await start(ns, 'sleep 1000');
    await until(() => ageMs(witness) > 1200, 'the second in which it would have counted');
    assert.deepEqual(states(ns), []);
    kill(first);
    await seen(ns, ['down']);
    assert.equal(ns.recorder.all('sensor')[0]?.pid, first);
  });
});

const nginx = (folder: string): string => {
  mkdirSync(`${folder}/logs`, { recursive: true });
  const file = join(folder, 'nginx.conf');
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(name => `${name}_temp_path ${folder};`)
    .join(' ');
  writeFileSync(
    file,
    `user root; worker_processes 2; pid ${folder}/pid; error_log ${folder}/logs/e; events {}
http { access_log off; client_header_timeout 1h; ${paths} server { listen 127.0.0.1:8081; } }`,
  );
  // By its whole path: it executes its own argv[0] anew at an upgrade.
  return `$(command -v nginx) -c ${file} -p ${folder}`;
};

describe('a master and its workers', { skip: skip || needs('nginx', ['-v']) }, () => {
  it('the workers that a killed master leaves with its socket are not the service', async test => {
    const { ns, folder } = await open(test);
    await ns.sh(nginx(folder));
    await isListening(ns, 8081);
    const first = await alive(ns, { kind: 'process', listen: 'tcp:8081' });
    assert.equal(first.pid, pidIn(`${folder}/pid`));
    const workers = (await ns.sh(`cat /proc/${first.pid}/task/${first.pid}/children`))
      .trim()
      .split(' ')
      .map(Number);
    assert.equal(workers.length, 2);
    kill(first.pid ?? 0);
    await seen(ns, ['down']);
    await isListening(ns, 8081);
    assert.equal((await ns.snapshot('r'))[0]?.state, 'down');
    const told = () => ns.recorder.all('sensor').map(({ servedBy = '' }) => servedBy);
    assert.match(told()[0] ?? '', /^pid \d+ \(nginx: worker process\) at 127\.0\.0\.1:8081$/);
    for (const worker of workers) kill(worker);
    await until(() => workers.every(worker => linkOf(String(worker)) === ''), 'the end of the workers');
    // With the last of them ends what still served.
    await until(() => told().at(-1) === '', 'nobody to serve');
    assert.ok(states(ns).every(state => state === 'down'));
    await ns.sh(`rm ${folder}/pid; ${nginx(folder)}`);
    await until(() => states(ns).at(-1) === 'up', 'the next master');
    assert.equal(ns.recorder.all('sensor').at(-1)?.pid, pidIn(`${folder}/pid`));
  });

  for (const [what, sensor] of [
    ['pidfile', (folder: string): SensorSpec => ({ kind: 'process', pidfile: `${folder}/pid` })],
    ['address', (): SensorSpec => ({ kind: 'process', listen: 'tcp:8081' })],
  ] as const) {
    it(`an upgrade of the executable in flight is a hand-over, seen by the ${what}`, async test => {
      const { ns, folder } = await open(test);
      await ns.sh(nginx(folder));
      await isListening(ns, 8081);
      const { pid: before } = await alive(ns, sensor(folder));
      process.kill(before ?? 0, 'SIGUSR2');
      await until(() => existsSync(`${folder}/pid.oldbin`) && existsSync(`${folder}/pid`), 'the new master');
      await until(() => pidIn(`${folder}/pid`) > 0, 'its pid');
      process.kill(before ?? 0, 'SIGQUIT');
      await seen(ns, ['replaced']);
      assert.equal(ns.recorder.all('sensor')[0]?.pid, pidIn(`${folder}/pid`));
    });
  }

  it('an upgrade that is taken back is a hand-over to the old master', async test => {
    const { ns, folder } = await open(test);
    await ns.sh(nginx(folder));
    await isListening(ns, 8081);
    const { pid: before = 0 } = await alive(ns, { kind: 'process', pidfile: `${folder}/pid` });
    process.kill(before, 'SIGUSR2');
    await seen(ns, ['replaced']);
    process.kill(pidIn(`${folder}/pid`), 'SIGQUIT');
    await seen(ns, ['replaced', 'replaced']);
    assert.equal(ns.recorder.all('sensor')[1]?.pid, before);
    assert.equal(pidIn(`${folder}/pid`), before);
    kill(before);
    await ns.recorder.state('down');
  });

  for (const dies of [false, true]) {
    const what = dies ? 'the death of the new master is seen while' : 'an upgrade is a hand-over although';
    it(`${what} the old one still holds a connection`, async test => {
      const { ns, folder } = await open(test);
      await ns.sh(nginx(folder));
      await isListening(ns, 8081);
      const { pid: before = 0 } = await alive(ns, { kind: 'process', pidfile: `${folder}/pid` });
      const client = script(
        folder,
        'client',
        `#!/usr/bin/python3
import socket, time
client = socket.create_connection(('127.0.0.1', 8081))
client.sendall(b'GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET / HTTP/1.1\\r\\n')
client.recv(1)  # the answer to the first request, which the half of a second one has followed
open('${folder}/held', 'w')
time.sleep(1000)
`,
      );
      const holder = await start(ns, client);
      await until(() => existsSync(`${folder}/held`), 'a request that is under way');
      await ns.armReflex('r', shell('restart', `echo run >>${folder}/ran`));
      process.kill(before, 'SIGUSR2');
      await until(() => existsSync(`${folder}/pid.oldbin`) && existsSync(`${folder}/pid`), 'the new master');
      await until(() => pidIn(`${folder}/pid`) > 0, 'its pid');
      const now = pidIn(`${folder}/pid`);
      process.kill(before, 'SIGQUIT');
      await seen(ns, ['replaced']);
      assert.equal(ns.recorder.all('sensor')[0]?.pid, now);
      assert.notEqual(linkOf(String(before)), '');
      if (!dies) {
        kill(holder);
        await until(() => linkOf(String(before)) === '', 'the end of the old master');
        assert.deepEqual([(await ns.snapshot('r'))[0]?.pid, states(ns)], [now, ['replaced']]);
        assert.ok(!existsSync(`${folder}/ran`));
        return;
      }
      kill(now);
      await ns.recorder.ended('restart');
      // The old master takes the pidfile back, and listens no more.
      await until(() => pidIn(`${folder}/pid`) === before, 'the old pid');
      assert.equal((await ns.snapshot('r'))[0]?.state, 'down');
      assert.deepEqual(states(ns), ['replaced', 'down']);
      assert.equal(ns.recorder.all('sensor')[1]?.reflex, 'restart');
    });
  }
});

describe('a name', { skip }, () => {
  it('that a survivor bears as well does not make it the successor', async test => {
    const { ns, folder } = await open(test);
    const program = `${folder}/twin${process.pid}`;
    await ns.sh(`cp /bin/sleep ${program}`);
    const first = await start(ns, `${program} 1001`);
    await until(() => runs(first, program, '1001'), 'the first');
    const second = await start(ns, `${program} 1002`);
    await until(() => runs(second, program, '1002'), 'the second');
    const name = `twin${process.pid}`;
    const up = await alive(ns, { kind: 'process', name });
    assert.equal(up.pid, first);
    assert.match(up.detail ?? '', /the oldest of several: pid \d+ .* 1001\), pid \d+ .* 1002\)/);
    const fault = await ns.recorder.next('fault', ({ active }) => active);
    assert.equal(fault.code, 'ENOTUNIQ');
    // Who was born within two ticks of 10 ms before a death cannot be told from who was born after it.
    await until(() => ageMs(second) > 100, 'the second to be older than that');
    kill(first);
    await seen(ns, ['down']);
    assert.equal((await ns.snapshot('r'))[0]?.state, 'down');
    const third = await start(ns, `${program} 1003`);
    const back = await ns.recorder.state('up');
    assert.equal(back.pid, third);
    assert.equal((await ns.recorder.next('fault', ({ active }) => !active)).code, 'ENOTUNIQ');
    // The words of the command line tell which.
    const [narrowed] = await ns.watch('narrowed', [{ kind: 'process', name, command: '1002' }]);
    assert.deepEqual([narrowed?.pid, narrowed?.detail], [second, undefined]);
  });

  it('of what runs in another network namespace is not ours, unless that is asked for', async test => {
    const { ns, folder } = await open(test);
    const name = `far${process.pid}`;
    await ns.sh(`cp /bin/sleep ${folder}/${name}`);
    const far = await start(ns, `unshare -n ${folder}/${name} 1000`);
    atEnd(test, () => kill(far));
    // Its comm is there while execve(2) is still at work, and it is not found yet.
    await until(() => runs(far, `${folder}/${name}`, '1000'), 'it to run');
    const [own] = await ns.watch('own', [{ kind: 'process', name }]);
    assert.equal(own?.state, 'absent');
    assert.match(
      own?.detail ?? '',
      /another network namespace, as in a container \(namespace: any would take it\)/,
    );
    const [any] = await ns.watch('any', [{ kind: 'process', name, namespace: 'any' }]);
    assert.deepEqual([any?.state, any?.pid], ['up', far]);
  });

  it('of a script may be longer than the kernel keeps, and the nearest is proposed', async test => {
    const { ns, folder } = await open(test);
    const name = `long-named-daemon-${process.pid}`;
    const file = script(folder, name, '#!/usr/bin/python3\nimport time\ntime.sleep(1000)\n');
    const pid = await start(ns, file);
    const up = await alive(ns, { kind: 'process', name });
    assert.equal(up.pid, pid);
    const [near] = await ns.watch('near', [{ kind: 'process', name: `${name}s` }]);
    assert.match(near?.detail ?? '', new RegExp(`did you mean ${name}, pid ${pid} `));
  });

  it('of a daemon that goes into the background stays with it', async test => {
    const { ns, folder } = await open(test);
    const name = `backgr${process.pid}`;
    const go = `${folder}/go`;
    const text = `#!/usr/bin/python3
import os, time
while not os.path.exists('${go}'): time.sleep(0.01)
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
with open('${folder}/pid.new', 'w') as f: f.write(str(os.getpid()))
os.rename('${folder}/pid.new', '${folder}/pid')
time.sleep(1000)
`;
    const first = await start(ns, script(folder, name, text));
    const up = await alive(ns, { kind: 'process', name });
    assert.equal(up.pid, first);
    await ns.sh(`touch ${go}`);
    await until(() => existsSync(`${folder}/pid`), 'the background');
    const last = Number(readFileSync(`${folder}/pid`, 'utf8'));
    // The child in between is another one for a moment.
    await until(() => ns.recorder.all('sensor').some(({ pid }) => pid === last), 'the last of the three');
    assert.ok(!states(ns).includes('down') && !states(ns).includes('replaced'), states(ns).join());
    assert.equal((await ns.snapshot('r'))[0]?.state, 'up');
    kill(last);
    await ns.recorder.state('down');
  });
});

/** Takes connections on descriptor 0, or on an address of its own, and does what the first line says. */
const server = `#!/usr/bin/python3
import os, signal, socket, sys
s = socket.socket(fileno=os.dup(0)) if len(sys.argv) < 2 else socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    c, _ = s.accept()
    word = c.makefile().readline().strip()
    if word == 'quit': os._exit(0)
    if word == 'crash': os.kill(os.getpid(), signal.SIGKILL)
`;

describe('a port', { skip }, () => {
  it('with several servers is down when one of its addresses is, until that one is served again', async test => {
    const { ns, folder } = await open(test);
    const file = script(folder, `server${process.pid}`, server);
    const stub = await start(ns, `${file} 127.0.0.53 5353`);
    await isListening(ns, 5353);
    const lan = await start(ns, `${file} 127.0.0.1 5353`);
    await isListening(ns, 5353, 2);
    const up = await alive(ns, { kind: 'process', listen: 'tcp:5353' });
    assert.match(up.detail ?? '', new RegExp(`127.0.0.53:5353 by pid ${stub}; 127.0.0.1:5353 by pid ${lan}`));
    kill(lan);
    await seen(ns, ['down']);
    assert.equal(ns.recorder.all('sensor')[0]?.detail, 'nobody serves 127.0.0.1:5353 any more');
    await start(ns, `${file} 127.0.0.2 5353`);
    await isListening(ns, 5353, 2);
    assert.equal((await ns.snapshot('r'))[0]?.state, 'down');
    await start(ns, `${file} 127.0.0.1 5353`);
    await ns.recorder.state('up');
    kill(stub);
    await ns.recorder.state('down', 2);
  });

  it('that inetd holds is idle without a server: an orderly end is none, a crash is', {
    skip: needs('test', ['-x', '/usr/sbin/inetd']),
  }, async test => {
    const { ns, folder } = await open(test);
    const file = script(folder, `server${process.pid}`, server);
    writeFileSync(`${folder}/inetd.conf`, `127.0.0.1:7777 stream tcp wait root ${file} server\n`);
    const inetd = await start(ns, `/usr/sbin/inetd -i ${folder}/inetd.conf`);
    await isListening(ns, 7777);
    const say = (word: string): Promise<string> =>
      ns.sh(
        `/usr/bin/python3 -c 'import socket; socket.create_connection(("127.0.0.1", 7777)).sendall(b"${word}\\n")'`,
      );
    const idle = await alive(ns, { kind: 'process', listen: 'tcp:127.0.0.1:7777' });
    assert.deepEqual([idle.pid, idle.detail], [undefined, `idle, socket held by inetd, pid ${inetd}`]);
    await ns.armReflex('r', shell('restart', `echo >${folder}/ran`));
    await say('hello');
    const served = await ns.recorder.next('sensor', ({ pid }) => pid !== undefined);
    assert.notEqual(served.pid, inetd);
    await say('quit');
    const again = await ns.recorder.next(
      'sensor',
      ({ atMs, pid }) => pid === undefined && atMs > served.atMs,
    );
    assert.match(again.detail ?? '', /^idle, socket held by inetd/);
    assert.ok(!existsSync(`${folder}/ran`));
    await say('hello');
    await ns.recorder.next('sensor', ({ atMs, pid }) => pid !== undefined && atMs > again.atMs);
    await say('crash');
    const down = await ns.recorder.state('down');
    assert.equal(down.reflex, 'restart');
    assert.deepEqual(down.cause, { kind: 'signal', signal: 9, coreDumped: false });
    await ns.recorder.next('sensor', ({ state, atMs }) => state === 'up' && atMs > down.atMs);
    // The end of who holds the socket is the end of the service.
    await until(() => states(ns).at(-1) === 'up', 'idle again');
    kill(inetd);
    await ns.recorder.state('down', 2);
  });
});
