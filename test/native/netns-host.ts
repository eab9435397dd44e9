/**
 * Runs a monitor inside a network namespace that `unshare -n` has just made, for a test outside.
 * Reads one JSON array per line, [method, ...arguments]; answers {"result"} or {"error"}, and tells {"events"} as they come.
 */
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Monitor } from '../../native/index.js';
import { addon } from './helpers.js';

const say = (message: object): boolean => process.stdout.write(`${JSON.stringify(message)}\n`);
const monitor = new addon.Monitor(events => say({ events }));

function shell(script: string): string {
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-ec', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout;
}

createInterface({ input: process.stdin })
  .on('line', line => {
    const [method, ...args] = JSON.parse(line) as [keyof Monitor | 'shell', ...unknown[]];
    try {
      const call =
        method === 'shell' ? shell : (monitor[method] as (...args: unknown[]) => unknown).bind(monitor);
      say({ result: (call as (...args: unknown[]) => unknown)(...args) ?? null });
    } catch (error) {
      say({ error: (error as Error).message });
    }
  })
  .on('close', () => monitor.close());
