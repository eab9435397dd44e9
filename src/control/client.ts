import { connect } from 'node:net';
import { SockmonError } from '../base/errors.js';
import { type AnswerTo, type ControlAnswer, type ControlRequest, socketPaths } from './protocol.js';

const maxAnswerBytes = 4 * 1024 * 1024;

/**
 * Asks the running sockmon.
 * @throws SockmonError NOT_RUNNING when nobody listens; CONTROL when it may not be asked, does not answer in time or answers with an error.
 */
export async function ask<R extends ControlRequest>(
  stateDir: string,
  request: R,
  timeoutMs: number,
): Promise<AnswerTo<R>> {
  const { usual, fallback } = socketPaths(stateDir);
  const text = `${JSON.stringify(request)}\n`;
  const exchangeOn = (path: string): Promise<string> => exchange(path, text, timeoutMs, stateDir);
  const line = await exchangeOn(usual).catch((error: unknown) => {
    // A socket that a killed one has left on a disk that is read-only now answers nobody.
    const isElsewhere = error instanceof SockmonError && error.code === 'NOT_RUNNING' && fallback !== null;
    if (isElsewhere) return exchangeOn(fallback);
    throw error;
  });
  const answer = parse<R>(line);
  if (!answer.ok) throw new SockmonError('CONTROL', answer.error);
  return answer;
}

function parse<R extends ControlRequest>(line: string): ControlAnswer<R> {
  try {
    return JSON.parse(line) as ControlAnswer<R>;
  } catch (cause) {
    const words = 'The running sockmon answered with something else than JSON. Is it of another version?';
    throw new SockmonError('CONTROL', words, { cause });
  }
}

function exchange(path: string, request: string, timeoutMs: number, stateDir: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const socket = connect(path);
    const fail = (code: 'CONTROL' | 'NOT_RUNNING', words: string, cause?: unknown) => {
      socket.destroy();
      clearTimeout(timer);
      reject(new SockmonError(code, words, { cause }));
    };
    const timer = setTimeout(
      () => fail('CONTROL', `sockmon runs but has not answered within ${timeoutMs} ms. Look into its log.`),
      timeoutMs,
    );
    socket.on('connect', () => socket.write(request));
    socket.on('error', error => fail(...connectWords(error as NodeJS.ErrnoException, stateDir), error));
    socket.on('close', () => fail('CONTROL', 'sockmon hung up without an answer. Look into its log.'));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length > maxAnswerBytes) fail('CONTROL', 'The answer of sockmon is too long to be true.');
      if (!chunk.includes(10)) return;
      clearTimeout(timer);
      const text = Buffer.concat(chunks).toString('utf8');
      resolve(text.slice(0, text.indexOf('\n')));
      socket.destroy();
    });
  });
}

function connectWords(error: NodeJS.ErrnoException, stateDir: string): ['CONTROL' | 'NOT_RUNNING', string] {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR')
    return [
      'NOT_RUNNING',
      `No sockmon is running on the state folder ${stateDir}. Start it (sockmon run --config FILE), or name its folder with --state-dir.`,
    ];
  if (error.code === 'EACCES' || error.code === 'EPERM')
    return [
      'CONTROL',
      `The sockmon on ${stateDir} belongs to another user. Ask as that user, e.g. with sudo.`,
    ];
  return ['CONTROL', `The sockmon on ${stateDir} cannot be asked: ${error.message}.`];
}
