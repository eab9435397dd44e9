/** The hint of `sockmon check` about the order of a shutdown: real processes, found by the real addon, in control groups of the test's. */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lookNow } from '../../src/cli/now.js';
import { type Machine, orderingHint } from '../../src/cli/shutdown-order.js';
import { unitHint } from '../../src/cli/unit-hint.js';
import { loadConfig } from '../../src/config/load.js';
import { pidfileOf, scratch, start, startVictim } from '../native/helpers.js';

/** `count` services, each with a process. */
async function watching(t: TestContext, count = 1) {
  const victims = Array.from({ length: count }, () => startVictim(t));
  const resources = Object.fromEntries(
    victims.map(({ pid }, n) => [`r${n}`, { watch: { process: { pidfile: pidfileOf(t, pid) } } }]),
  );
  const file = join(scratch(t), 'sockmon.yaml');
  writeFileSync(file, JSON.stringify({ node: 'gw', resources }));
  const config = loadConfig({ files: [file], env: {}, cwd: '/', checkOnly: true });
  return { now: await lookNow(config), config, victims };
}

function machine(cgroup: string, properties: Record<string, readonly string[]> = {}): Machine {
  return {
    runsSystemd: true,
    cgroupOf: () => cgroup,
    property: (unit, name) => properties[`${unit} ${name}`] ?? [],
  };
}

const dnsmasq = '0::/system.slice/dnsmasq.service\n';

describe('what systemd may stop before sockmon', () => {
  const places: [what: string, cgroup: string, unit: string | null][] = [
    ['a service', dnsmasq, 'dnsmasq.service'],
    [
      'a service under the old control groups',
      '3:pids:/x\n1:name=systemd:/system.slice/dnsmasq.service\n',
      'dnsmasq.service',
    ],
    ['an instance', '0::/system.slice/system-wg.slice/wg@a.service\n', 'wg@a.service'],
    ['a service with groups of its own', '0::/system.slice/a.service/b.service\n', 'a.service'],
    ['a container', '0::/system.slice/docker-1.scope\n', null],
    ["a user's service", '0::/user.slice/user-0.slice/user@0.service/app.slice/x.service\n', null],
    ['what a script has left behind', '0::/system.slice/sockmon.service\n', null],
    ['no unit', '0::/\n', null],
  ];
  for (const [what, cgroup, unit] of places) {
    it(`${what}: ${unit ?? 'no hint'}`, async t => {
      const { now } = await watching(t);
      const [, after] = /^ {2}\[Unit\]\n {2}After=(.*)$/m.exec(orderingHint(now, machine(cgroup))) ?? [];
      assert.equal(after ?? null, unit);
    });
  }

  it('a unit that is watched as such: by its name, running or not', async t => {
    const resources = {
      dns: { watch: { unit: 'dnsmasq' } },
      mine: { watch: { unit: { name: 'sync', manager: 'user' } } },
    };
    const file = join(scratch(t), 'sockmon.yaml');
    writeFileSync(file, JSON.stringify({ node: 'gw', resources }));
    const config = loadConfig({ files: [file], env: {}, cwd: '/', checkOnly: true });
    assert.match(orderingHint(await lookNow(config), machine('')), /^ {2}After=dnsmasq\.service$/m);
  });

  it('is named once each', async t => {
    const { now, victims } = await watching(t, 3);
    const cgroupOf = (pid: number): string =>
      pid === victims[0]?.pid ? '0::/system.slice/a.service\n' : dnsmasq;
    assert.match(orderingHint(now, { ...machine(''), cgroupOf }), /^ {2}After=a\.service dnsmasq\.service$/m);
  });

  it('is not named when it is in order already', async t => {
    const { now } = await watching(t);
    const direct = machine(dnsmasq, { 'sockmon.service After': ['dnsmasq.service'] });
    assert.equal(orderingHint(now, direct), '');
    const between = {
      'sockmon.service After': ['network.target'],
      'dnsmasq.service Before': ['x.target', 'network.target'],
    };
    assert.equal(orderingHint(now, machine(dnsmasq, between)), '');
  });

  it('cannot be known without systemd, without the process and without its control group', async t => {
    const { now, config, victims } = await watching(t);
    assert.equal(orderingHint(now, { ...machine(dnsmasq), runsSystemd: false }), '');
    const unreadable = (): string => {
      throw new Error('ENOENT');
    };
    assert.equal(orderingHint(now, { ...machine(''), cgroupOf: unreadable }), '');
    const gone = new Promise(resolve => victims[0]?.once('exit', resolve));
    victims[0]?.kill('SIGKILL');
    await gone;
    assert.equal(orderingHint(await lookNow(config), machine(dnsmasq)), '');
  });

  it("is told beside a resource without a process, as in README's example", async t => {
    const readme = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');
    const [, example = ''] = /```yaml\n(resources:.*?)```/s.exec(readme) ?? [];
    const file = join(scratch(t), 'sockmon.yaml');
    writeFileSync(file, example);
    const config = loadConfig({ files: [file], env: {}, cwd: '/', policyOnly: true });
    const kinds = config.policy.resources.map(
      ({ id, sensors }) => `${id} ${sensors.map(({ kind }) => kind)}`,
    );
    assert.deepEqual(kinds, ['tcpip stack,uplink', 'dns process']);
    const program = join(scratch(t), 'dnsmasq');
    copyFileSync('/bin/sleep', program);
    start(t, program, ['1000']);
    assert.match(orderingHint(await lookNow(config), machine(dnsmasq)), /^ {2}After=dnsmasq\.service$/m);
  });

  it('is told of the others when one cannot be watched', async t => {
    const { now } = await watching(t);
    assert.ok('resources' in now);
    const broken = { id: 'broken', sensors: [], limits: [], why: 'too few file descriptors' };
    const both = { resources: [broken, ...now.resources] };
    assert.match(orderingHint(both, machine(dnsmasq)), /^ {2}After=dnsmasq\.service$/m);
    assert.equal(orderingHint({ why: 'no addon' }, machine(dnsmasq)), '');
  });
});

describe('what is watched as a process and belongs to a unit', () => {
  it('is named with what to write instead', async t => {
    const { now, victims } = await watching(t);
    assert.match(
      unitHint(now, machine(dnsmasq)),
      new RegExp(`^ {2}r0: watch: \\{unit: dnsmasq\\.service\\} {3}# its process ${victims[0]?.pid}$`, 'm'),
    );
  });

  it('is not named where it belongs to none, or there is no systemd', async t => {
    const { now } = await watching(t);
    assert.equal(unitHint(now, machine('0::/\n')), '');
    assert.equal(unitHint(now, machine('0::/system.slice/sockmon.service\n')), '');
    assert.equal(unitHint(now, { ...machine(dnsmasq), runsSystemd: false }), '');
  });
});
