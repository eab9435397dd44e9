/** The C++ core under AddressSanitizer and UndefinedBehaviorSanitizer: builds and runs test/native/core. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../../../native', import.meta.url));

it('the core passes its own tests under ASan and UBSan', () => {
  const make = spawnSync('make', ['-C', native, '-j2', 'core-test'], { encoding: 'utf8' });
  assert.equal(make.status, 0, make.stdout + make.stderr);
  const test = spawnSync(`${native}/build/core_test`, { encoding: 'utf8' });
  assert.equal(test.status, 0, test.stdout + test.stderr);
});
