/** What is the network and what is a service: where the owner says it, and where he does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatFault } from '../../src/config/load.js';
import { workshop } from './workshop.js';

const process = '{process: {name: pppd}}';

const defaults: [watch: string, role: 'network' | 'service', warned: boolean][] = [
  ['tcpip', 'network', false],
  ['stack', 'network', false],
  ['link', 'network', false],
  ['{link: default}', 'network', false],
  ['{link: {interface: default, carrier: dead}}', 'network', false],
  [`[${process}, link]`, 'network', false],
  [`[${process}, stack]`, 'network', false],
  ['[{link: wg0}, stack]', 'network', false],
  [process, 'service', false],
  ['{link: wg0}', 'service', true],
  [`[${process}, {link: {interface: ppp0}}]`, 'service', true],
];

for (const [watch, role, warned] of defaults)
  test(`by default: watch: ${watch} is ${role}`, context => {
    const { write, load } = workshop(context);
    write('a.yaml', `resources: {a: {watch: ${watch}, restart: ./script}}\n`);
    const warnings: string[] = [];
    const config = load(['a.yaml'], { onWarning: warning => warnings.push(formatFault(warning)) });
    const [resource] = config.policy.resources;
    assert.equal(resource?.role, role);
    assert.equal(
      resource.rebootWhenFailed,
      role === 'network',
      'only the network asks for a reboot by itself',
    );
    assert.equal(warnings.length, warned ? 1 : 0);
    if (warned)
      assert.match(
        warnings[0] ?? '',
        /^a\.yaml:1:16: resources\.a: counts as a service, .*write role: network if .*, else role: service$/,
      );
  });

test('what the owner says counts, and ends the warning', context => {
  const { write, load } = workshop(context);
  write(
    'a.yaml',
    `resources:
  vpn: {watch: {link: wg0}, role: service, restart: ./script}
  wan: {watch: {link: ppp0}, role: network, restart: ./script}
  probe: {watch: stack, role: service, restart: ./script}
  tap: {watch: ${process}, role: network, restart: ./script}
  seen: {watch: ${process}, role: network}
  must: {watch: {link: wg1}, role: service, restart: ./script, reboot: true}
  not: {watch: tcpip, role: network, restart: ./script, reboot: false}
`,
  );
  const warnings: string[] = [];
  const { policy } = load(['a.yaml'], { onWarning: warning => warnings.push(formatFault(warning)) });
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    policy.resources.map(({ id, role, rebootWhenFailed }) => `${id} ${role} ${rebootWhenFailed}`),
    [
      'vpn service false',
      'wan network true',
      'probe service false',
      'tap network true',
      'seen network false',
      'must service true',
      'not network false',
    ],
  );
});

test('a role that does not exist is refused', context => {
  const { write, faults } = workshop(context);
  write('a.yaml', 'resources: {a: {watch: stack, role: stack}}\n');
  assert.deepEqual(faults(['a.yaml']).map(formatFault), [
    'a.yaml:1:37: resources.a.role: "stack" is not known; expected one of network, service',
  ]);
});
