/** A process with a monitor ends well, with events queued or on their way and whatever its callback does. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratch } from './helpers.js';

const program = fileURLToPath(new URL('ending-child.js', import.meta.url));
/** The fault that these tests are about, an abort when the environment ends, came in 72 of 75 exits. */
const rounds = 4;

const endings = [
  { name: 'natural exit', status: 0 },
  { name: 'exit while children die', status: 5 },
  { name: 'exit with all events queued', status: 5 },
  { name: 'callback throws', status: 0 },
];

for (const { name, status } of endings) {
  it(`${name}: status ${status}, and no word`, { timeout: 60_000 }, async test => {
    for (let round = 0; round < rounds; round++) {
      const ended = await new Promise((resolve, reject) => {
        const args = [program, name, scratch(test)];
        const child = execFile(process.execPath, args, { timeout: 30_000 }, (_error, stdout, stderr) => {
          resolve({ status: child.exitCode, signal: child.signalCode, stdout, stderr });
        });
        child.on('error', reject);
      });
      assert.deepEqual(ended, { status, signal: null, stdout: '', stderr: '' });
    }
  });
}
