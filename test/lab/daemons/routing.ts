/** Routing, addresses that move, and who configures interfaces. */
import { type Daemon, noProvidersLine, providersLine, signal, systemctlReload, unitFile } from './daemon.js';

export const routing: readonly Daemon[] = [
  {
    name: 'zebra',
    package: 'frr',
    program: '/usr/lib/frr/zebra',
    unit: 'frr.service',
    watch: ['{process: {pidfile: /run/frr/zebra.pid, name: zebra}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'watchfrr',
    package: 'frr',
    program: '/usr/lib/frr/watchfrr',
    unit: 'frr.service',
    watch: ['{process: {pidfile: /run/frr/watchfrr.pid, name: watchfrr}}'],
    reloads: [systemctlReload('outage')],
  },
  {
    name: 'bird',
    package: 'bird2',
    program: '/usr/sbin/bird',
    unit: 'bird.service',
    watch: ['{process: {name: bird}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'keepalived',
    package: 'keepalived',
    program: '/usr/sbin/keepalived',
    unit: 'keepalived.service',
    files: {
      '/etc/keepalived/keepalived.conf':
        'vrrp_instance lab {\n interface lan0\n virtual_router_id 9\n priority 100\n virtual_ipaddress { 10.9.0.9/24 }\n}\n',
    },
    watch: ['{process: {pidfile: /run/keepalived.pid, name: keepalived}}'],
    reloads: [systemctlReload()],
  },
  {
    ...{ before: providersLine, after: noProvidersLine },
    name: 'NetworkManager',
    package: 'network-manager',
    program: '/usr/sbin/NetworkManager',
    unit: 'NetworkManager.service',
    files: {
      '/etc/NetworkManager/conf.d/lab.conf': '[keyfile]\nunmanaged-devices=except:interface-name:wan0\n',
    },
    watch: ['{process: {name: NetworkManager}}'],
    reloads: [systemctlReload(), signal('HUP')],
  },
  {
    ...{ before: providersLine, after: noProvidersLine },
    name: 'systemd-networkd',
    package: 'systemd',
    program: '/lib/systemd/systemd-networkd',
    unit: 'systemd-networkd.service',
    files: { '/etc/systemd/network/wan0.network': '[Match]\nName=wan0\n[Network]\nDHCP=ipv4\n' },
    watch: ['{process: {name: systemd-networkd}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'hostapd',
    package: 'hostapd',
    program: '/usr/sbin/hostapd',
    unit: 'hostapd.service',
    // The kernel of the lab has no radio; the wired driver is the same process with the same pidfile.
    files: {
      '/etc/hostapd/hostapd.conf':
        'interface=lan0\ndriver=wired\nieee8021x=1\neap_server=1\neap_user_file=/etc/hostapd/users\n',
      '/etc/hostapd/users': '"lab" MD5 "lab"\n',
    },
    watch: ['{process: {pidfile: /run/hostapd.pid, name: hostapd}}'],
    reloads: [signal('HUP')],
  },
  {
    name: 'wpa_supplicant',
    package: 'wpasupplicant',
    program: '/sbin/wpa_supplicant',
    unit: 'wpa_supplicant.service',
    watch: ['{process: {name: wpa_supplicant}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'miniupnpd',
    package: 'miniupnpd-nftables',
    program: '/usr/sbin/miniupnpd',
    unit: 'miniupnpd.service',
    before: providersLine,
    after: noProvidersLine,
    files: {
      // Debian's own script for nftables calls no program: its file of functions is the one for iptables.
      '/etc/default/miniupnpd':
        'MiniUPnPd_PRESTART_COMMAND=/bin/true\nMiniUPnPd_POSTSTOP_COMMAND=/bin/true\n',
      '/etc/miniupnpd/miniupnpd.conf':
        'ext_ifname=wan0\next_ip=198.51.100.1\nlistening_ip=lan0\nsystem_uptime=yes\nuuid=00000000-0000-0000-0000-000000000009\n',
    },
    watch: ['{process: {pidfile: /run/miniupnpd.pid, name: miniupnpd}}'],
    reloads: [signal('HUP', 'outage'), signal('USR1')],
  },
  {
    name: 'igmpproxy',
    package: 'igmpproxy',
    program: '/usr/sbin/igmpproxy',
    unit: 'igmpproxy-lab.service',
    before: `${providersLine}ip address add 192.0.2.9/24 dev wan0`,
    after: noProvidersLine,
    files: {
      '/etc/igmpproxy.conf':
        'phyint wan0 upstream ratelimit 0 threshold 1\nphyint lan0 downstream ratelimit 0 threshold 1\n',
      '/etc/systemd/system/igmpproxy-lab.service': unitFile(
        'ExecStart=/usr/sbin/igmpproxy -n /etc/igmpproxy.conf',
      ),
    },
    watch: ['{process: {name: igmpproxy}}'],
  },
  {
    name: 'ndppd',
    package: 'ndppd',
    program: '/usr/sbin/ndppd',
    unit: 'ndppd.service',
    files: { '/etc/ndppd.conf': 'proxy lan0 {\n rule 2001:db8:9::/64 { static }\n}\n' },
    watch: ['{process: {pidfile: /run/ndppd.pid, name: ndppd}}'],
  },
];
