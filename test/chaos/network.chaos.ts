/**
 * Ten thousand random changes of a network namespace: after each the store that the kernel's messages feed equals what a full dump says.
 * SOCKMON_PROPERTY_OPERATIONS=100000 plays more; SOCKMON_PROPERTY_SEED plays the same once more.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needsNetworkNamespaces } from '../native/needs.js';

const native = fileURLToPath(new URL('../../../native', import.meta.url));
const operations = '10000';

it('the store of the network is what the kernel says, whatever is done to it', {
  skip: needsNetworkNamespaces(),
  timeout: 1_800_000,
}, test => {
  const make = spawnSync('make', ['-s', '-C', native, '-j2', 'core-test'], { encoding: 'utf8' });
  assert.equal(make.status, 0, make.stdout + make.stderr);
  const env = { SOCKMON_PROPERTY_OPERATIONS: operations, ...process.env };
  const played = spawnSync(`${native}/build/core_test`, ['network_property'], { encoding: 'utf8', env });
  assert.equal(played.status, 0, played.stderr);
  test.diagnostic(played.stderr.trim());
  assert.match(played.stderr, /no difference/);
});

it('the parser and the store of the network stand a million damaged messages', { timeout: 900_000 }, () => {
  const env = { ...process.env, SOCKMON_FUZZ_ROUNDS: '1000000' };
  const fuzzed = spawnSync(`${native}/build/core_test`, ['netlink'], { encoding: 'utf8', env });
  assert.equal(fuzzed.status, 0, fuzzed.stderr);
});
