/** Where a role is shown: by `check`, and in the outages of a journal whose configuration has gone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordedRole } from '../../src/cli/journal-reader.js';
import type { OutageHistory } from '../../src/core/outage-history.js';
import { policy, resource, sensor, World } from '../core/world.js';
import { programIn } from './program.js';

test('check names the role of each resource, and what has become a service', async context => {
  const { run, write } = programIn(context);
  write(
    'a.yaml',
    `resources:
  tcpip: {watch: tcpip}
  wg0: {watch: {link: wg0}}
  ppp0: {watch: {link: ppp0}, role: network}
  wg1: {watch: {link: wg1}, role: service}
`,
  );
  const { status, out, err } = await run('check', '--config', 'a.yaml');
  assert.equal(status, 0);
  for (const title of ['tcpip (the network)', 'wg0 (a service)', 'ppp0 (the network)', 'wg1 (a service)'])
    assert.ok(out.includes(`\n${title}\n`), title);
  const lines = err.trimEnd().split('\n');
  assert.equal(lines.length, 1, err);
  assert.match(
    lines[0] ?? '',
    /^a\.yaml:3:8: resources\.wg0: counts as a service, .* write role: network if .*\(a warning\)$/,
  );
});

test('an outage keeps the role that its resource had; one of before has it by its sensor', () => {
  const world = new World(
    policy([
      resource('vpn', { role: 'service', sensors: [sensor('link wg0')] }),
      resource('tap', { role: 'network', sensors: [sensor('process slirp4netns')] }),
    ]),
  );
  for (const id of ['vpn', 'tap']) {
    world.up(id);
    world.die(id);
  }
  const outages = [...world.history.outages];
  assert.deepEqual(outages.map(recordedRole), ['service', 'network']);
  const before = outages.map(
    ({ begin: { role: _, ...begin }, ...outage }): OutageHistory => ({ ...outage, begin }),
  );
  assert.deepEqual(before.map(recordedRole), ['network', 'service']);
});
