/**
 * A server for the tests of the connection sensor: `ADDRESS HOW`, with port 0 for a free one. Says `ready ADDRESS` and `accepted`.
 * HOW: `hold` says nothing; `greet` answers PING with +PONG. Orders come by lines on stdin.
 */
import { rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

const [, , at = '', how = 'hold'] = process.argv;
const held = new Set<Socket>();
let throwsOut = false;

const server = createServer(socket => {
  process.stdout.write('accepted\n');
  held.add(socket);
  socket.on('error', () => {}).on('close', () => held.delete(socket));
  if (how === 'greet') {
    socket.on(
      'data',
      data => void socket.write(String(data).startsWith('PING\r\n') ? '+PONG\r\n' : '-ERR\r\n'),
    );
  } else {
    socket.resume();
  }
  if (throwsOut) socket.destroy();
});

function closeAll(): void {
  for (const socket of held) socket.destroy();
}

function resetAll(): void {
  for (const socket of held) socket.resetAndDestroy();
}

const orders: Record<string, () => void> = {
  close: closeAll,
  reset: resetAll,
  'reset and stop listening': () => {
    server.close();
    resetAll();
  },
  'throw out': () => {
    throwsOut = true;
    closeAll();
  },
  'hold again': () => {
    throwsOut = false;
  },
  'close and hang': () => {
    for (const socket of held) socket.destroySoon();
    // Sent before the stop takes effect: a stopped process closes nothing.
    setImmediate(() => process.kill(process.pid, 'SIGSTOP'));
  },
};

createInterface({ input: process.stdin }).on('line', line => orders[line]?.());

const [, family, host = '', port = ''] = /^(tcp):\[?([^\]]*?)\]?:(\d+)$/.exec(at) ?? [];
if (family === undefined) {
  const path = at.slice('unix:'.length);
  rmSync(path, { force: true });
  server.listen(path, () => process.stdout.write(`ready ${at}\n`));
} else {
  server.listen(Number(port), host, () => {
    const address = server.address();
    const given = typeof address === 'object' ? address?.port : port;
    process.stdout.write(`ready tcp:${host.includes(':') ? `[${host}]` : host}:${given}\n`);
  });
}
