import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { SockmonError } from '../../src/base/errors.js';
import { ask } from '../../src/control/client.js';
import type { ControlCommand, StatusAnswer } from '../../src/control/protocol.js';
import { type ControlHandlers, listen } from '../../src/control/server.js';

function stateDir(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-control-'));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const statusAnswer = { pid: 7, version: '1.2.3', snapshot: { node: 'gw' }, connection: {} } as StatusAnswer;

function handlers(commands: ControlCommand[] = []): ControlHandlers {
  return {
    status: () => statusAnswer,
    command: command => {
      commands.push(command);
      const at = '2026-01-01T00:00:00.000Z';
      return { id: 'x', action: command.action, status: 'rejected', code: 'not_allowed', detail: 'no', at };
    },
  };
}

async function served(context: TestContext, commands?: ControlCommand[]): Promise<string> {
  const folder = stateDir(context);
  const server = await listen(folder, handlers(commands));
  context.after(() => server.close());
  return folder;
}

const withCode = (code: string) => (error: unknown) => error instanceof SockmonError && error.code === code;

/** Everything that comes back until the server hangs up. */
function talk(folder: string, say: (socket: Socket) => void): Promise<string> {
  return new Promise(resolve => {
    let heard = '';
    const socket = connect(join(folder, 'control.sock'), () => say(socket));
    socket.setEncoding('utf8').on('data', (text: string) => {
      heard += text;
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

test('status and commands are answered', async context => {
  const commands: ControlCommand[] = [];
  const folder = await served(context, commands);
  const status = await ask(folder, { v: 1, request: 'status' }, 5000);
  assert.deepEqual({ ...status }, { ok: true, ...statusAnswer });
  const request = { v: 1, request: 'command', action: 'restart', target: 'dns', dry_run: true } as const;
  const { answer } = await ask(folder, request, 5000);
  assert.equal(answer.code, 'not_allowed');
  assert.deepEqual(commands, [request]);
});

test('the socket is for its owner alone, and gone after the end', async context => {
  const folder = stateDir(context);
  const before = process.umask();
  const server = await listen(folder, handlers());
  assert.equal(statSync(join(folder, 'control.sock')).mode & 0o777, 0o600);
  assert.equal(process.umask(), before);
  await server.close();
  assert.throws(() => statSync(join(folder, 'control.sock')), { code: 'ENOENT' });
  await assert.rejects(ask(folder, { v: 1, request: 'status' }, 5000), withCode('NOT_RUNNING'));
});

test('several requests on one connection are answered in their order', async context => {
  const folder = await served(context);
  const heard = await talk(folder, socket => {
    socket.write('{"v":1,"request":"status"}\n{"v":1,');
    socket.end('"request":"command","action":"reboot"}\nrubbish\n');
  });
  const answers = heard
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line));
  assert.deepEqual(
    answers.map(answer => answer.ok),
    [true, true, false],
  );
});

test('hostile requests get an error, and the server lives on', async context => {
  const commands: ControlCommand[] = [];
  const folder = await served(context, commands);
  const requests = [
    '',
    '{',
    'null',
    '[]',
    '"status"',
    '{"v":2,"request":"status"}',
    '{"v":1}',
    '{"v":1,"request":"stop"}',
    '{"v":1,"request":"status","x":1}',
    '{"v":1,"request":"command","action":"shutdown"}',
    '{"v":1,"request":"command","action":"restart","target":"../x"}',
    `${'['.repeat(30_000)}`,
    '{"__proto__":{"v":1,"request":"status"}}',
  ];
  for (const request of requests) {
    const heard = await talk(folder, socket => socket.end(`${request}\n`));
    const answer = JSON.parse(heard);
    assert.equal(answer.ok, false, request.slice(0, 80));
    assert.match(answer.error, /^The request is not understood: .+\.$/);
  }
  assert.deepEqual(commands, []);
  assert.equal((await ask(folder, { v: 1, request: 'status' }, 5000)).pid, 7);
});

test('random bytes never become a command', async context => {
  const commands: ControlCommand[] = [];
  const folder = await served(context, commands);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async bytes => {
      await talk(folder, socket => socket.end(bytes));
    }),
    { numRuns: 100 },
  );
  assert.deepEqual(commands, []);
  assert.equal((await ask(folder, { v: 1, request: 'status' }, 5000)).pid, 7);
});

test('a request without end is answered with an error and cut off', async context => {
  const folder = await served(context);
  const heard = await talk(folder, socket => socket.end('x'.repeat(200_000)));
  assert.deepEqual(JSON.parse(heard), { ok: false, error: 'The request is longer than 65536 bytes.' });
});

test('a client that says nothing, or drips, is hung up on', async context => {
  const folder = stateDir(context);
  const server = await listen(folder, handlers(), { connectionMs: 100 });
  context.after(() => server.close());
  assert.equal(await talk(folder, () => {}), '');
  const drip = await talk(folder, socket => {
    const timer = setInterval(() => socket.write('x'), 5);
    socket.on('close', () => clearInterval(timer));
  });
  assert.equal(drip, '');
});

test('a fault in a handler becomes an answer', async context => {
  const folder = stateDir(context);
  const status = (): never => {
    throw new Error('no snapshot yet');
  };
  const server = await listen(folder, { ...handlers(), status });
  context.after(() => server.close());
  await assert.rejects(
    ask(folder, { v: 1, request: 'status' }, 5000),
    /sockmon could not answer: no snapshot yet/,
  );
});

test('a socket left behind is replaced, a living one is not', async context => {
  const folder = stateDir(context);
  const path = join(folder, 'control.sock');
  // A listener in another process that is killed leaves its socket behind.
  const { spawnSync } = await import('node:child_process');
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.equal(spawnSync(process.execPath, ['-e', script]).signal, 'SIGKILL');
  assert.ok(statSync(path).isSocket());
  await assert.rejects(ask(folder, { v: 1, request: 'status' }, 5000), withCode('NOT_RUNNING'));
  const server = await listen(folder, handlers());
  context.after(() => server.close());
  await assert.rejects(listen(folder, handlers()), withCode('ALREADY_RUNNING'));
  assert.equal((await ask(folder, { v: 1, request: 'status' }, 5000)).pid, 7);
});

test('a state folder that the disk has never had: the socket stands in the runtime folder', async context => {
  const folder = stateDir(context);
  const before = process.env.RUNTIME_DIRECTORY;
  context.after(() => {
    if (before === undefined) delete process.env.RUNTIME_DIRECTORY;
    else process.env.RUNTIME_DIRECTORY = before;
  });
  process.env.RUNTIME_DIRECTORY = join(folder, 'run');
  const nowhere = join(folder, 'nowhere');
  const server = await listen(nowhere, handlers());
  context.after(() => server.close());
  assert.equal((await ask(nowhere, { v: 1, request: 'status' }, 5000)).pid, 7);
});

test('places where no socket can be', async context => {
  const folder = stateDir(context);
  const long = join(folder, 'x'.repeat(100));
  mkdirSync(long);
  await assert.rejects(listen(long, handlers()), /too long for a socket.*107/);
  await assert.rejects(ask(long, { v: 1, request: 'status' }, 5000), withCode('STATE_DIR'));
  writeFileSync(join(folder, 'control.sock'), '');
  await assert.rejects(listen(folder, handlers()), withCode('STATE_DIR'));
});

test('a server that never answers, and one that talks rubbish', async context => {
  const folder = stateDir(context);
  let say: string | null = null;
  const server = createServer(socket => {
    socket.resume().on('error', () => {});
    if (say !== null) socket.end(say);
  });
  context.after(() => new Promise<void>(resolve => server.close(() => resolve())));
  await new Promise<void>(resolve => server.listen(join(folder, 'control.sock'), resolve));
  const status = (withinMs = 30_000) => ask(folder, { v: 1, request: 'status' }, withinMs);
  await assert.rejects(status(50), withCode('CONTROL'));
  say = 'rubbish\n';
  await assert.rejects(status(), /something else than JSON/);
  say = '';
  await assert.rejects(status(), /hung up without an answer/);
});
