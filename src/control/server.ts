import { lstatSync, mkdirSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { SockmonError } from '../base/errors.js';
import { Mismatch } from '../base/shape.js';
import type { CommandAnswer } from '../core/ports.js';
import { isDiskFault } from '../system/folders.js';
import {
  type ControlAnswer,
  type ControlCommand,
  maxRequestBytes,
  requestShape,
  type StatusAnswer,
  socketPaths,
} from './protocol.js';

/** A client asks at once; one that does not is not worth a file descriptor. */
const connectionMs = 5000;
const maxConnections = 16;

export interface ControlHandlers {
  status(): StatusAnswer;
  /** Judged by the same guard as commands from the broker. */
  command(command: ControlCommand): CommandAnswer;
}

export interface ControlServer {
  /** Stops listening, ends the connections and removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens on `<stateDir>/control.sock`, for its owner alone (mode 0600). A socket left behind by a killed process is replaced.
 * Where the disk takes no socket it stands in the runtime folder.
 * @throws SockmonError STATE_DIR when the socket cannot be made, ALREADY_RUNNING when somebody answers on it.
 */
export async function listen(
  stateDir: string,
  handlers: ControlHandlers,
  limits: { readonly connectionMs: number } = { connectionMs },
): Promise<ControlServer> {
  const { usual, fallback } = socketPaths(stateDir);
  try {
    return await listenOn(usual, handlers, limits);
  } catch (error) {
    if (
      fallback === null ||
      !(error instanceof SockmonError) ||
      !(isDiskFault(error.cause) || isMissing(stateDir))
    )
      throw error;
    mkdirSync(dirname(fallback), { recursive: true, mode: 0o755 });
    return listenOn(fallback, handlers, limits);
  }
}

/** A disk that takes nothing has never had the folder; listen() calls that EACCES. */
function isMissing(stateDir: string): boolean {
  return lstatSync(stateDir, { throwIfNoEntry: false }) === undefined;
}

async function listenOn(
  path: string,
  handlers: ControlHandlers,
  limits: { readonly connectionMs: number },
): Promise<ControlServer> {
  await removeStale(path);
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    serve(socket, handlers, limits.connectionMs);
  });
  server.maxConnections = maxConnections;
  await bind(server, path);
  return { close: () => close(server, open) };
}

async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket())
    throw new SockmonError('STATE_DIR', `${path} is in the way of the control socket. Move it elsewhere.`);
  if (await isAnswered(path)) {
    const words = `Another sockmon answers on ${path}. Stop it first, or give this one a folder of its own with --state-dir.`;
    throw new SockmonError('ALREADY_RUNNING', words);
  }
  try {
    unlinkSync(path);
  } catch (error) {
    throw socketError(path, error);
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path);
    probe.on('error', () => resolve(false));
    probe.on('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', error => reject(socketError(path, error)));
    // bind(2) happens inside listen(); with a chmod afterwards the socket would stand open for a moment.
    const before = process.umask(0o177);
    try {
      server.listen(path, () => {
        server.removeAllListeners('error');
        // EMFILE while accepting: the client is told by its time-out, the daemon goes on.
        server.on('error', () => {});
        resolve();
      });
    } finally {
      process.umask(before);
    }
  });
}

function socketError(path: string, error: unknown): SockmonError {
  const words = `The control socket ${path} cannot be made (${(error as Error).message}). Choose another folder with --state-dir.`;
  return new SockmonError('STATE_DIR', words, { cause: error });
}

function serve(socket: Socket, handlers: ControlHandlers, lifeMs: number): void {
  let pending = Buffer.alloc(0);
  const deadline = setTimeout(() => socket.destroy(), lifeMs);
  socket.on('close', () => clearTimeout(deadline));
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  socket.on('data', chunk => {
    pending = Buffer.concat([pending, chunk]);
    for (let end = pending.indexOf('\n'); end !== -1 && !socket.writableEnded; end = pending.indexOf('\n')) {
      send(socket, answer(pending.subarray(0, end), handlers));
      pending = pending.subarray(end + 1);
    }
    if (pending.length <= maxRequestBytes || socket.writableEnded) return;
    send(socket, { ok: false, error: `The request is longer than ${maxRequestBytes} bytes.` });
    socket.end();
    socket.removeAllListeners('data');
    // Read on and forget, so that the client gets the answer instead of a reset; the deadline bounds it.
    socket.resume();
  });
}

function send(socket: Socket, message: ControlAnswer): void {
  // A client that asks without reading the answers must not fill the memory.
  if (socket.writableLength > 16 * maxRequestBytes) socket.destroy();
  else socket.write(`${JSON.stringify(message)}\n`);
}

function answer(line: Buffer, handlers: ControlHandlers): ControlAnswer {
  if (line.length > maxRequestBytes)
    return { ok: false, error: `The request is longer than ${maxRequestBytes} bytes.` };
  const request = requestShape(parseJson(line));
  if (request instanceof Mismatch)
    return { ok: false, error: `The request is not understood: ${request.words}.` };
  try {
    if (request.request === 'status') return { ok: true, ...handlers.status() };
    return { ok: true, answer: handlers.command(request) };
  } catch (error) {
    return { ok: false, error: `sockmon could not answer: ${(error as Error).message}` };
  }
}

function parseJson(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    // SyntaxError: the caller answers that it is no request.
    return undefined;
  }
}

function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve());
    for (const socket of open) socket.destroy();
  });
}
