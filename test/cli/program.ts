/** Runs the built program as a user would, in a folder of its own and with nothing of this process's environment. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SockmonError } from '../../src/base/errors.js';
import { ask } from '../../src/control/client.js';

export const mainFile = fileURLToPath(new URL('../../src/arm.cjs', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Program {
  readonly folder: string;
  write(name: string, text: string, mode?: number): string;
  start(...args: string[]): ChildProcess;
  /** Resolves when the daemon answers on its control socket: then it also listens to signals. */
  ready(daemon: ChildProcess): Promise<void>;
  run(...args: string[]): Promise<Ended>;
}

export function programIn(context: TestContext, env: Readonly<Record<string, string>> = {}): Program {
  const folder = mkdtempSync(join(tmpdir(), 'sockmon-cli-'));
  const children: ChildProcess[] = [];
  context.after(async () => {
    for (const child of children) await ended(child, () => child.kill('SIGKILL'));
    rmSync(folder, { recursive: true, force: true });
  });
  const start = (...args: string[]): ChildProcess => {
    const child = spawn(process.execPath, [mainFile, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH, HOME: folder, STATE_DIRECTORY: join(folder, 'state'), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    return child;
  };
  return {
    folder,
    write: (name, text, mode = 0o644) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    },
    start,
    ready: daemon => ready(daemon, join(folder, 'state')),
    run: (...args) => result(start(...args)),
  };
}

async function ready(daemon: ChildProcess, stateDir: string): Promise<void> {
  while (daemon.exitCode === null && daemon.signalCode === null) {
    try {
      await ask(stateDir, { v: 1, request: 'status' }, 5000);
      return;
    } catch (error) {
      if (!(error instanceof SockmonError && error.code === 'NOT_RUNNING')) throw error;
    }
    await setTimeout(20);
  }
  throw new Error(`sockmon ended with ${daemon.exitCode ?? daemon.signalCode} before it was ready`);
}

async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise(resolve => child.once('exit', resolve));
  end();
  await exit;
}

export function result(child: ChildProcess): Promise<Ended> {
  let out = '';
  let err = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', status => resolve({ status, out, err }));
  });
}

/** Resolves when stdout has said it; rejects when the program ends before. */
export function said(child: ChildProcess, words: RegExp): Promise<string> {
  let out = '';
  let err = '';
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (words.test(out)) resolve(out);
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.once('close', () => reject(new Error(`it ended without saying ${words}: ${out}${err}`)));
  });
}
