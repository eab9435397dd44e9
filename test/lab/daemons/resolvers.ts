/** Resolvers and name servers. */
import { type Daemon, signal, systemctlReload } from './daemon.js';

export const resolvers: readonly Daemon[] = [
  {
    name: 'dnsmasq',
    package: 'dnsmasq',
    program: '/usr/sbin/dnsmasq',
    unit: 'dnsmasq.service',
    // With a dhcp-script there are two processes.
    files: {
      '/etc/dnsmasq.d/lab.conf':
        'interface=lan0\nbind-interfaces\nno-resolv\ndhcp-range=10.9.0.50,10.9.0.60,1h\ndhcp-script=/bin/true\n',
    },
    watch: [
      '{process: {pidfile: /run/dnsmasq/dnsmasq.pid, name: dnsmasq}}',
      '{process: {name: dnsmasq, listen: udp:53}}',
    ],
    reloads: [systemctlReload()],
    claims: [
      {
        says: 'With `dhcp-script` the parent (user dnsmasq) holds ports 53 and 67, and its child, root, is the helper.',
        command: `holds() { ss -Hlnup "sport = $1" | grep -q "pid=$2,"; }
test "$(ps -o user= -p $MAIN)" = dnsmasq
child=$(pgrep -P $MAIN dnsmasq)
test "$(ps -o user= -p $child)" = root
holds 53 $MAIN; holds 67 $MAIN
! holds 67 $child`,
      },
    ],
  },
  {
    name: 'unbound',
    package: 'unbound',
    program: '/usr/sbin/unbound',
    unit: 'unbound.service',
    watch: ['{process: {name: unbound, listen: udp:53}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'named',
    package: 'bind9',
    program: '/usr/sbin/named',
    unit: 'named.service',
    watch: ['{process: {pidfile: /run/named/named.pid, name: named}}'],
    reloads: [systemctlReload(), signal('HUP')],
  },
  {
    name: 'kresd',
    package: 'knot-resolver',
    program: '/usr/sbin/kresd',
    unit: 'kresd@1.service',
    watch: ['{process: {name: kresd, listen: udp:127.0.0.1:53}}', '{process: {name: kresd}}'],
    claims: [
      {
        says: '`kresd@1` and `kresd@2` share one port (SO_REUSEPORT) and one name.',
        command: `systemctl start kresd@2
holders() { ss -Hlnup 'src 127.0.0.1 and sport = 53' | grep -o 'pid=[0-9]*' | sort -u; }
until_true 'test $(holders | wc -l) = 2'
holders; pgrep -ax kresd
test $(pgrep -cx kresd) = 2
systemctl stop kresd@2`,
      },
    ],
  },
  {
    name: 'pdns_recursor',
    package: 'pdns-recursor',
    program: '/usr/sbin/pdns_recursor',
    unit: 'pdns-recursor.service',
    watch: ['{process: {name: pdns_recursor}}'],
    reloads: [{ name: 'rec_control reload-zones', command: 'rec_control reload-zones', sees: 'nothing' }],
  },
  {
    name: 'stubby',
    package: 'stubby',
    program: '/usr/bin/stubby',
    unit: 'stubby.service',
    watch: ['{process: {name: stubby}}'],
  },
  {
    name: 'systemd-resolved',
    package: 'systemd-resolved',
    program: '/lib/systemd/systemd-resolved',
    unit: 'systemd-resolved.service',
    comm: 'systemd-resolve',
    watch: ['{process: {listen: udp:127.0.0.53:53}}', '{process: {name: systemd-resolved}}'],
    reloads: [
      { name: 'resolvectl flush-caches', command: 'resolvectl flush-caches', sees: 'nothing' },
      signal('HUP', 'outage'),
    ],
  },
  {
    name: 'avahi-daemon',
    package: 'avahi-daemon',
    program: '/usr/sbin/avahi-daemon',
    unit: 'avahi-daemon.service',
    watch: ['{process: {pidfile: /run/avahi-daemon/pid, name: avahi-daemon}}'],
    reloads: [systemctlReload()],
  },
];
