/** The C++ core under ThreadSanitizer. A file of its own: the first build takes 50 s on two slow cores. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const execute = promisify(execFile);

/** g++ before 14: the sanitizer finds no place for its shadow where the kernel randomises addresses by 32 bits. */
function withoutRandomAddresses(program: string): [string, string[]] {
  const works = spawnSync('setarch', ['-R', 'true'], { stdio: 'ignore' }).status === 0;
  return works ? ['setarch', ['-R', program]] : [program, []];
}

/** Each NAME_test.cc says "ok NAME" when all of its checks have passed. */
function expected(): string[] {
  const names = readdirSync(`${root}/test/native/core`).flatMap(
    file => /^(.*)_test\.cc$/.exec(file)?.[1] ?? [],
  );
  assert.ok(names.length > 0);
  return names.map(name => `ok ${name}`).sort();
}

it('the core passes its own tests under TSan, every file of them', async () => {
  await execute('make', ['-s', '-j2', '-C', `${root}/native`, 'core-test-tsan']);
  const [command, args] = withoutRandomAddresses(`${root}/native/build/core_test_tsan`);
  // A race ends it with a status that is not 0; the error then holds what the sanitizer wrote.
  const { stdout } = await execute(command, args);
  assert.deepEqual(stdout.trim().split('\n').sort(), expected());
});
