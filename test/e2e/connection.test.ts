/** A connection that is held to a server, through the whole program. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Lab } from '../lab/lab.js';
import { repository } from '../lab/paths.js';
import { signalIfAlive, start } from '../lab/proc.js';
import { until } from '../lab/wait.js';
import { scenario } from './scenario.js';

const serverFile = `${repository}dist/test/native/connection-server.js`;

/** A server of the test, and a script that starts the next one and leaves it running. */
async function serverIn(lab: Lab) {
  const socket = `${lab.directory}/x.sock`;
  const pidfile = `${lab.directory}/server.pid`;
  const callsFile = `${lab.directory}/restart-server.calls`;
  const script = `${lab.directory}/restart-server`;
  const argv = [process.execPath, serverFile, `unix:${socket}`, 'hold'];
  writeFileSync(
    script,
    `#!/bin/sh
echo "$SOCKMON_CAUSE" >>'${callsFile}'
setsid ${argv.join(' ')} </dev/null >/dev/null 2>&1 &
echo $! >'${pidfile}'
`,
    { mode: 0o755 },
  );
  const first = start(argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  first.child.stdout?.on('data', data => {
    said += String(data);
  });
  lab.onClose(async () => {
    first.child.kill('SIGKILL');
    if (existsSync(pidfile)) signalIfAlive(Number(readFileSync(pidfile, 'utf8')), 'SIGKILL');
  });
  await until('the server', () => said.includes('ready'));
  return {
    resource: { watch: { connection: `unix:${socket}` }, restart: script, flapping: { deaths: 1000 } },
    order: (word: string) => void first.child.stdin?.write(`${word}\n`),
    accepted: () => said.split('accepted').length - 1,
    kill: () => void first.child.kill('SIGKILL'),
    causes: () => (existsSync(callsFile) ? readFileSync(callsFile, 'utf8').trim().split('\n') : []),
  };
}

scenario('a server that is killed is restarted by reflex; one that only closes is a note', async lab => {
  const server = await serverIn(lab);
  const daemon = lab.run({ resources: { server: server.resource } });
  await daemon.watching('server');
  assert.equal(daemon.entries('seen')[0]?.detail, 'connection held');
  await until('the connection', () => server.accepted() === 1);

  server.order('close');
  const note = await daemon.entry('notice');
  assert.deepEqual(
    [note.what, note.detail],
    ['replaced', 'the server closed the connection and accepted a new one at once'],
  );
  assert.equal(daemon.entries('outage_begin').length, 0);
  assert.deepEqual(server.causes(), []);

  server.kill();
  const end = await daemon.entry('outage_end');
  const words = 'the server closed the connection and accepts no new one (ECONNREFUSED)';
  assert.deepEqual(end.cause, { kind: 'sensor', reason: 'peer_closed', words });
  assert.deepEqual(
    daemon.entries('attempt').map(({ by, attempt }) => [by, attempt]),
    [['reflex', 1]],
  );
  assert.deepEqual(server.causes().length, 1);
  assert.match(daemon.log, /server died: the server closed the connection and accepts no new one/);
  assert.equal(daemon.entries('outage_begin')[0]?.sensor, `connection unix:${lab.directory}/x.sock`);
});

scenario(
  'a server behind the network has not died because sockmon was restarted and has no answer yet',
  async lab => {
    // Its answer goes through slirp4netns, which asks the world outside first: it is never there at once.
    const sockets = new Set<Socket>();
    const server = createServer(socket => void sockets.add(socket.on('error', () => {}).resume()));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    lab.onClose(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const resources = { far: { watch: { connection: `tcp:10.0.2.2:${address.port}` } } };
    const daemon = lab.run({ resources });
    await daemon.watching('far');
    daemon.kill('SIGKILL');
    await daemon.ended;
    const next = lab.run({ resources });
    await next.until('the second connection', () => sockets.size === 2);
    await next.until('its start', () => next.entries('start').length === 2);
    await next.stop();
    assert.deepEqual(next.entries('outage_begin'), []);
  },
);
