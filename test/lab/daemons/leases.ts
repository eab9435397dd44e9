/** Who gives addresses and who takes them. */
import {
  type Daemon,
  leased,
  noProvidersLine,
  providersLine,
  signal,
  systemctlReload,
  unitFile,
} from './daemon.js';

const line = { before: providersLine, after: noProvidersLine };

export const leases: readonly Daemon[] = [
  {
    ...line,
    name: 'dhcpcd',
    package: 'dhcpcd',
    program: '/usr/sbin/dhcpcd',
    unit: 'dhcpcd.service',
    files: { '/etc/dhcpcd.conf': 'persistent\nallowinterfaces wan0\nnoipv4ll\n' },
    restart: 'systemctl kill --signal=SIGKILL dhcpcd; systemctl restart dhcpcd',
    watch: ['{process: {pidfile: /run/dhcpcd/pid, name: dhcpcd}}'],
    // `systemctl restart` waits 90 s for the helpers that the manager has left.
    byUnit: 'nobody',
    reloads: [{ name: 'dhcpcd --rebind', command: 'dhcpcd --rebind', sees: 'nothing' }, signal('HUP')],
  },
  {
    ...line,
    name: 'dhclient',
    package: 'isc-dhcp-client',
    program: '/usr/sbin/dhclient',
    unit: 'dhclient-wan0.service',
    files: {
      // As ifupdown calls it.
      '/etc/systemd/system/dhclient-wan0.service': unitFile(
        'Type=forking\nPIDFile=/run/dhclient.wan0.pid\nExecStart=/sbin/dhclient -4 -v -i -pf /run/dhclient.wan0.pid -lf /var/lib/dhcp/dhclient.wan0.leases -I wan0',
      ),
    },
    watch: ['{process: {pidfile: /run/dhclient.wan0.pid, name: dhclient}}'],
    claims: [
      {
        says: 'Killed, it leaves its address until the lease is over: the kernel counts it down.',
        command: `${leased}
kill -KILL $MAIN
sleep 2
ip -4 -o address show wan0
ip -4 -o address show wan0 | grep -Eq 'valid_lft [0-9]+sec'`,
      },
    ],
  },
  {
    ...line,
    name: 'udhcpc',
    package: 'udhcpc',
    program: '/sbin/udhcpc',
    unit: 'udhcpc-wan0.service',
    files: {
      '/etc/systemd/system/udhcpc-wan0.service': unitFile(
        'ExecStart=/sbin/udhcpc -f -i wan0 -p /run/udhcpc.wan0.pid',
      ),
    },
    watch: ['{process: {pidfile: /run/udhcpc.wan0.pid, name: udhcpc}}'],
    reloads: [signal('USR1'), signal('USR2')],
    claims: [
      {
        says: 'Killed, it leaves its address for ever.',
        command: `${leased}
kill -KILL $MAIN
sleep 2
ip -4 -o address show wan0
ip -4 -o address show wan0 | grep -q 'valid_lft forever'`,
      },
    ],
  },
  {
    name: 'kea-dhcp4',
    package: 'kea-dhcp4-server',
    program: '/usr/sbin/kea-dhcp4',
    unit: 'kea-dhcp4-server.service',
    watch: ['{process: {pidfile: /run/kea/kea-dhcp4.kea-dhcp4.pid, name: kea-dhcp4}}'],
    reloads: [signal('HUP')],
  },
  {
    name: 'dhcpd',
    package: 'isc-dhcp-server',
    program: '/usr/sbin/dhcpd',
    unit: 'isc-dhcp-server.service',
    files: {
      '/etc/default/isc-dhcp-server': 'INTERFACESv4="lan0"\n',
      '/etc/dhcp/dhcpd.conf': 'subnet 10.9.0.0 netmask 255.255.255.0 { range 10.9.0.50 10.9.0.60; }\n',
    },
    watch: ['{process: {pidfile: /run/dhcpd.pid, name: dhcpd}}'],
  },
  {
    name: 'radvd',
    package: 'radvd',
    program: '/usr/sbin/radvd',
    unit: 'radvd.service',
    files: {
      '/etc/radvd.conf': 'interface lan0 { AdvSendAdvert on; prefix 2001:db8:9::/64 {}; };\n',
    },
    before: 'sysctl -qw net.ipv6.conf.all.forwarding=1',
    watch: ['{process: {pidfile: /run/radvd.pid, name: radvd}}'],
    reloads: [systemctlReload()],
    claims: [
      {
        says: 'Without the child the parent goes on.',
        command: `kill -KILL $(pgrep -P $MAIN radvd)
sleep 2
systemctl is-active $UNIT
test "$(cat /run/radvd.pid)" = $MAIN`,
      },
    ],
  },
  {
    ...line,
    name: 'dhcp6c',
    package: 'wide-dhcpv6-client',
    program: '/usr/sbin/dhcp6c',
    unit: 'wide-dhcpv6-client.service',
    files: {
      '/etc/default/wide-dhcpv6-client': 'INTERFACES="wan0"\n',
      '/etc/wide-dhcpv6/dhcp6c.conf': 'interface wan0 { send ia-na 0; };\nid-assoc na 0 {};\n',
    },
    watch: ['{process: {pidfile: /run/dhcp6c.pid, name: dhcp6c}}'],
    reloads: [signal('HUP')],
  },
];
