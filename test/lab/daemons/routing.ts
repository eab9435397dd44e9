/** Routing, addresses that move, and who configures interfaces. */
import {
  type Daemon,
  leased,
  noProvidersLine,
  providersLine,
  signal,
  systemctlReload,
  unitFile,
} from './daemon.js';

/** For a claim: what becomes of addresses and routes from now on, until `systemctl stop hearing`. */
const heard = `rm -f /run/heard
systemd-run --quiet --unit=hearing -p StandardOutput=file:/run/heard ip -4 monitor address route
until_true 'test -e /run/heard'; sleep 1`;

export const routing: readonly Daemon[] = [
  {
    name: 'zebra',
    package: 'frr',
    program: '/usr/lib/frr/zebra',
    unit: 'frr.service',
    watch: ['{process: {pidfile: /run/frr/zebra.pid, name: zebra}}'],
    // The unit's main process is watchfrr, which would have zebra back by itself, if it has run for a minute.
    byUnit: 'nobody',
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
    claims: [
      {
        says: 'The parent restarts a dead child by itself: at once, the second time after 1 s, the third after 2 s.',
        command: `for seconds in 0 1 2; do
  until_true 'test -s /run/vrrp.pid'
  child=$(cat /run/vrrp.pid)
  begin=$(ms)
  kill -KILL $child
  until_true 'test -s /run/vrrp.pid && test "$(cat /run/vrrp.pid)" != '$child
  took=$(($(ms) - begin))
  echo "back after $took ms"
  test $((took / 1000)) = $seconds
done`,
      },
      {
        says: 'A new child holds the address again after 3.6 s.',
        command: `until_true 'ip -4 -o address show lan0 | grep -q 10.9.0.9/'
kill -KILL $(cat /run/vrrp.pid)
sleep 1
begin=$(ms)
! ip -4 -o address show lan0 | grep 10.9.0.9/
until_true 'ip -4 -o address show lan0 | grep -q 10.9.0.9/'
echo "after $((1000 + $(ms) - begin)) ms"`,
      },
    ],
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
    claims: [
      {
        says: 'Killed and restarted, it leaves addresses and routes as they are.',
        command: `${leased}
${heard}
kill -KILL $MAIN
until_true 'test "$(systemctl show --property=MainPID --value $UNIT)" -gt 0 && test "$(systemctl show --property=MainPID --value $UNIT)" != '$MAIN
sleep 5
systemctl stop hearing
cat /run/heard
! grep -i deleted /run/heard`,
      },
    ],
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
    claims: [
      {
        says: 'Killed or restarted, it leaves the address of DHCP and the default route; stopped, it takes both away.',
        command: `${leased}
${heard}
systemctl restart $UNIT
sleep 5
kill -KILL $(systemctl show --property=MainPID --value $UNIT)
until_true 'systemctl is-active $UNIT'
sleep 5
systemctl stop hearing
cat /run/heard
! grep -E 'Deleted (default|.* inet )' /run/heard
${heard}
systemctl stop systemd-networkd.socket $UNIT
until_true 'grep -E "Deleted .* inet " /run/heard'
grep 'Deleted default' /run/heard
systemctl stop hearing`,
      },
    ],
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
    claims: [
      {
        says: '`hostapd@NAME` has /run/hostapd.NAME.pid.',
        command: "grep -x 'PIDFile=/run/hostapd.%i.pid' /lib/systemd/system/hostapd@.service",
      },
    ],
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
      // It takes no address for its own that is reserved, for documentation neither. Nobody asks for this one.
      '/etc/miniupnpd/miniupnpd.conf':
        'ext_ifname=wan0\next_ip=11.0.0.1\nlistening_ip=lan0\nsystem_uptime=yes\nuuid=00000000-0000-0000-0000-000000000009\n',
    },
    watch: ['{process: {pidfile: /run/miniupnpd.pid, name: miniupnpd}}'],
    reloads: [signal('HUP', 'outage'), signal('USR1')],
    claims: [
      {
        says: "Debian's unit for the nftables build does not start by itself (its nft_init.sh has no `$NFT`)",
        command: "grep -q '^.NFT' /etc/miniupnpd/nft_init.sh; ! grep -rE '(^|[^$])NFT=' /etc/miniupnpd",
      },
    ],
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
