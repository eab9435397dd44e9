/** The whole program beside a client: what it tells, and how often it runs its restart script. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { Daemon } from '../lab/daemon.js';
import { atEnd, scratch } from '../native/helpers.js';
import { Host, needsClients } from './host.js';
import { Line } from './line.js';

/** sockmon on this host. Its script counts itself in `ran`. */
async function watching(test: TestContext, host: Host, resources: Record<string, object>): Promise<Daemon> {
  const directory = scratch(test);
  writeFileSync(`${directory}/restart`, `#!/bin/sh\necho >>${directory}/ran\n`, { mode: 0o755 });
  const common = { settle: '0s', restart: `${directory}/restart` };
  const entries = Object.entries(resources).map(([name, settings]) => [name, { ...settings, ...common }]);
  const config = {
    node: 'clients',
    state_dir: `${directory}/state`,
    resources: Object.fromEntries(entries),
    reboot: { command: ['false'], force_command: ['false'] },
  };
  writeFileSync(`${directory}/sockmon.yaml`, JSON.stringify(config));
  const daemon = new Daemon({
    enter: argv => host.enter(argv),
    directory,
    stateDir: `${directory}/state`,
    arguments: ['run', '--config', `${directory}/sockmon.yaml`],
  });
  atEnd(test, () => daemon.kill('SIGKILL'));
  for (const name of Object.keys(resources)) await daemon.watching(name);
  return daemon;
}

function runs(daemon: Daemon): number {
  try {
    return readFileSync(daemon.journalFile.replace(/state\/.*/, 'ran'), 'utf8').length;
  } catch {
    return 0;
  }
}

describe('sockmon', { skip: needsClients(), concurrency: 2 }, () => {
  it('beside dhclient tells of no outage and runs nothing, until the lease is over', async test => {
    const line = await Line.open(test);
    await line.serve({ pool: 5, leaseS: 8, renewS: 2 });
    await line.gateway.start('dhclient', 'dhclient -4 -d -v -pf client.pid wan0');
    await line.leased(5);
    const daemon = await watching(test, line.gateway, { tcpip: { watch: 'tcpip' } });
    await line.granted((await line.grants()) + 2);
    await line.serve({ pool: 6, leaseS: 8, renewS: 2 });
    await line.leased(6);
    await line.granted(2);
    assert.deepEqual([daemon.entries('outage_begin'), runs(daemon)], [[], 0], daemon.story());

    await line.goSilent();
    const { cause } = await daemon.entry('outage_begin');
    assert.deepEqual(cause, { kind: 'link', what: 'no_address', interface: 'wan0' });
    await daemon.until('the script', () => runs(daemon) > 0);
    await line.gateway.stop('dhclient');
    await line.serve({ pool: 5, leaseS: 600 });
    await line.gateway.start('dhclient', 'dhclient -4 -d -v -pf client.pid wan0');
    await daemon.entry('outage_end');
    assert.equal(daemon.entries('outage_begin').length, 1);
  });

  it('restarts openvpn at once when its interface goes, and bears a SIGHUP where fall says so', async test => {
    const host = await Host.open(test);
    const start = () =>
      host.start(
        'openvpn',
        'openvpn --dev tun0 --dev-type tun --ifconfig 10.8.0.1 10.8.0.2 --remote 127.0.0.1 --lport 1195 --auth none --cipher none --persist-tun --persist-key',
      );
    await start();
    await host.until(
      'the interface',
      'ip -4 -o address show tun0 | grep -q inet && ip link show tun0 | grep -q LOWER_UP',
    );
    const process = { process: { name: 'openvpn', namespace: 'any' } };
    const daemon = await watching(test, host, {
      vpn: { watch: [process, { link: 'tun0' }] },
      patient: { watch: { link: 'tun0' }, fall: '5s' },
    });
    await host.signal('openvpn', 'SIGHUP');
    const begin = await daemon.entry('outage_begin');
    assert.deepEqual([begin.resource, begin.sensor], ['vpn', 'link tun0']);
    await daemon.entry('outage_end');
    const note = await daemon.until('the note', () =>
      daemon.entries('notice').find(({ resource }) => resource === 'patient'),
    );
    assert.match(note.detail, /tun0/);

    await host.stop('openvpn', 'SIGKILL');
    const { resource } = await daemon.entry('outage_begin', 2);
    assert.equal(resource, 'vpn');
    assert.equal((await daemon.entry('outage_begin', 3)).resource, 'patient');
    await start();
    await daemon.entry('outage_end', 3);
  });
});
