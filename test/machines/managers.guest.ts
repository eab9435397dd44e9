/**
 * What configures the network of a whole machine, played in a guest (docs/GUESTS.md has how): systemd-networkd, NetworkManager, ifupdown, each with a
 * lease of a server in a namespace of its own. It takes the default route of the guest away, and runs nowhere else.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { SensorReport } from '../../native/index.js';
import { openMonitor, until } from '../native/helpers.js';

const timeout = 400_000;
const skip =
  process.env.SOCKMON_GUEST === '1' ? false : 'this machine is no guest (SOCKMON_GUEST=1 says that it is)';
const graceMs = 5000;

/** The monitor tells meanwhile. */
const sh = async (script: string): Promise<string> =>
  (await promisify(execFile)('/bin/bash', ['-ec', script], { encoding: 'utf8', timeout: 200_000 })).stdout;

interface Manager {
  readonly name: string;
  readonly begin: string;
  readonly end: string;
  readonly routine: readonly { readonly what: string; readonly script: string; readonly outage: boolean }[];
}

const network = 'cat >/run/systemd/network/wan0.network';
/** It takes the lease anew some seconds after the command is over. */
const leased = (script: string): string =>
  `since=$(date +%s); ${script}; n=0
  until journalctl -q -u systemd-networkd --since @$since | grep -q 'wan0: DHCPv4 address'; do sleep 0.2; n=$((n+1)); [ $n -lt 400 ]; done`;
const managers: readonly Manager[] = [
  {
    name: 'systemd-networkd',
    begin: `mkdir -p /run/systemd/network; printf '[Match]\nName=wan0\n[Network]\nDHCP=ipv4\n' | ${network}; systemctl restart systemd-networkd`,
    end: 'rm /run/systemd/network/wan0.network; systemctl stop systemd-networkd.socket systemd-networkd',
    routine: [
      {
        what: 'systemctl restart systemd-networkd',
        script: leased('systemctl restart systemd-networkd'),
        outage: false,
      },
      {
        what: 'kill -9 of systemd-networkd, which systemd restarts',
        script: leased('systemctl kill -s KILL systemd-networkd'),
        outage: false,
      },
      { what: 'networkctl renew wan0', script: 'networkctl renew wan0', outage: false },
      {
        what: 'networkctl reconfigure wan0',
        script: leased('networkctl reconfigure wan0'),
        outage: false,
      },
    ],
  },
  {
    name: 'NetworkManager',
    begin: `systemctl start NetworkManager; nmcli dev set wan0 managed yes; nmcli con add type ethernet ifname wan0 con-name wan ipv6.method disabled >/dev/null; nmcli -w 60 con up wan >/dev/null`,
    end: 'nmcli con delete wan >/dev/null; systemctl stop NetworkManager',
    routine: [
      { what: 'nmcli con up wan', script: 'nmcli -w 60 con up wan', outage: false },
      { what: 'nmcli device reapply wan0', script: 'nmcli device reapply wan0', outage: false },
      {
        what: 'systemctl restart NetworkManager',
        script: 'systemctl restart NetworkManager; nm-online -q -t 60',
        outage: false,
      },
    ],
  },
  {
    name: 'ifupdown with dhclient',
    begin: "echo 'iface wan0 inet dhcp' >/run/wan0; ifup -i /run/wan0 wan0",
    end: 'ifdown -i /run/wan0 wan0',
    routine: [
      // It takes the interface down, which nobody can tell from the end.
      {
        what: 'ifdown wan0; ifup wan0',
        script: 'ifdown -i /run/wan0 wan0; ifup -i /run/wan0 wan0',
        outage: true,
      },
    ],
  },
];

/** What was seen of each step, and how long after its command was begun. */
const tell = (line: string): void => console.log(line);

async function play({ begin, end, name, routine }: Manager, test: TestContext): Promise<void> {
  test.after(() => sh(end));
  await sh(begin);
  await sh(
    `n=0; until ip route show default dev wan0 | grep -q default; do sleep 0.1; n=$((n+1)); [ $n -lt 600 ]; done`,
  );
  const { monitor, recorder } = openMonitor(test);
  const [first] = monitor.watch('r', [{ kind: 'uplink' }]);
  assert.deepEqual([first?.state, first?.interface], ['up', 'wan0']);
  for (const { what, script, outage } of routine) {
    const count = recorder.all('sensor').length;
    const begun = Number(await sh(`cut -d' ' -f1 /proc/uptime; { ${script}; } >&2`)) * 1000;
    await until(() => monitor.snapshot('r')[0]?.state === 'up', `${what}: up again`);
    const reports = recorder.all('sensor').slice(count);
    const line = `${name} | ${what} | ${reports.map(words(begun)).join(', ') || 'nothing'}`;
    tell(line);
    const dead = reports.some(
      (report, index) => report.state === 'down' && isDeath(report, reports[index + 1]),
    );
    assert.equal(dead, outage, line);
  }
  const count = recorder.all('sensor').length;
  const begun = Number(await sh(`cut -d' ' -f1 /proc/uptime; ip link del wan0`)) * 1000;
  await until(
    () =>
      recorder
        .all('sensor')
        .slice(count)
        .some(({ state }) => state === 'down'),
    'the end of wan0',
  );
  tell(`${name} | ip link del wan0 | ${recorder.all('sensor').slice(count).map(words(begun)).join(', ')}`);
}

const words =
  (begun: number) =>
  ({ state, reason, carrier, atMs, graceMs: borne }: SensorReport): string =>
    `${[state, reason, carrier === false && 'no-carrier', borne && 'borne'].filter(Boolean).join(' ')} (${Math.round(atMs - begun)} ms)`;

/** Not borne, or longer than that. */
const isDeath = (down: SensorReport, next: SensorReport | undefined): boolean =>
  down.graceMs === undefined || next === undefined || next.atMs - down.atMs > graceMs;

describe('what configures a machine', { skip }, () => {
  let defaultRoute = '';
  before(async () => {
    defaultRoute = (await sh('ip route show default | head -1')).trim();
    await sh(`ip route del default || true; ip netns add isp; ip -n isp link set lo up`);
  });
  after(async () => {
    await sh(
      `ip netns pids isp | xargs -r kill; ip netns del isp; ip link del wan0 2>/dev/null || true; ip route add ${defaultRoute} || true`,
    );
  });
  for (const manager of managers)
    it(manager.name, { timeout }, async test => {
      await sh(`ip netns pids isp | xargs -r kill; ip link del wan0 2>/dev/null || true
        ip link add wan0 type veth peer name far netns isp; ip -n isp addr add 10.0.0.1/24 dev far; ip -n isp link set far up; ip link set wan0 up
        ip netns exec isp dnsmasq --port=0 --interface=far --bind-interfaces --dhcp-range=10.0.0.50,10.0.0.99,120 --dhcp-authoritative --dhcp-leasefile=/run/isp.leases --pid-file= --user=root --log-facility=/run/isp.log`);
      await play(manager, test);
    });
});
