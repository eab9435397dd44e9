/** Tunnels and TCP/IP stacks in a process: what ends has an interface that ends with it. */
import { type Daemon, signal, systemctlReload, unitFile } from './daemon.js';

/** A network namespace held open by a process: the inside of a user-mode stack. */
const inside = 'systemd-run --quiet --unit=inside unshare --net sleep infinity\n';
const noInside = 'systemctl stop inside';
const insidePid = '$$(systemctl show --property=MainPID --value inside)';

export const tunnels: readonly Daemon[] = [
  {
    name: 'openvpn',
    package: 'openvpn',
    program: '/usr/sbin/openvpn',
    unit: 'openvpn@lab.service',
    before: 'openvpn --genkey secret /etc/openvpn/lab.key',
    files: {
      '/etc/openvpn/lab.conf':
        'dev tun9\ndev-type tun\nifconfig 10.8.0.1 10.8.0.2\nlocal 127.0.0.1\nsecret /etc/openvpn/lab.key\ncipher AES-256-CBC\npersist-tun\npersist-key\n',
    },
    watch: ['[{process: {pidfile: /run/openvpn/lab.pid, name: openvpn}}, {link: tun9}]'],
    reloads: [signal('USR1'), signal('HUP', 'outage')],
    claims: [
      {
        says: '/run/openvpn/NAME.pid by `openvpn@NAME`, none by `openvpn-client@NAME`',
        command: `grep 'writepid /run/openvpn/%i.pid' /lib/systemd/system/openvpn@.service
! grep -Ei 'pidfile|writepid' /lib/systemd/system/openvpn-client@.service`,
      },
    ],
  },
  {
    name: 'wireguard-go',
    package: 'wireguard-go',
    program: '/usr/bin/wireguard-go',
    unit: 'wireguard-wg9.service',
    files: {
      '/etc/systemd/system/wireguard-wg9.service': unitFile(
        'Type=forking\nEnvironment=WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1\nExecStart=/usr/bin/wireguard-go wg9\nExecStartPost=/bin/sh -ec "ip address add 10.7.0.1/24 dev wg9; ip link set wg9 up"',
      ),
    },
    watch: ['[{process: {name: wireguard-go}}, {link: wg9}]'],
  },
  {
    name: 'tincd',
    package: 'tinc',
    program: '/usr/sbin/tincd',
    unit: 'tinc@lab.service',
    before: 'tincd -n lab -K 1024 </dev/null >/dev/null 2>&1',
    files: {
      '/etc/tinc/lab/tinc.conf': 'Name = lab\nInterface = tinc9\nBindToAddress = 127.0.0.1\n',
      '/etc/tinc/lab/hosts/lab': 'Subnet = 10.6.0.1/32\n',
      '/etc/tinc/lab/tinc-up':
        '#!/bin/sh\nip address add 10.6.0.1/24 dev $INTERFACE\nip link set $INTERFACE up\n',
      '/etc/tinc/lab/tinc-down': '#!/bin/sh\necho >/run/tinc-down\n',
    },
    watch: ['[{process: {pidfile: /run/tinc.lab.pid, name: tincd}}, {link: tinc9}]'],
    reloads: [systemctlReload()],
    claims: [
      {
        says: 'Killed, it does not run tinc-down.',
        // The restart before this has run it.
        command: `test -e /run/tinc-down
rm /run/tinc-down
kill -KILL $MAIN
sleep 3
test ! -e /run/tinc-down`,
      },
    ],
  },
  {
    name: 'slirp4netns',
    package: 'slirp4netns',
    program: '/usr/bin/slirp4netns',
    unit: 'slirp-lab.service',
    before: inside,
    after: noInside,
    files: {
      '/etc/systemd/system/slirp-lab.service': unitFile(
        `ExecStart=/bin/sh -ec 'exec slirp4netns --configure --disable-host-loopback ${insidePid} tap0'`,
      ),
    },
    watch: ['{process: {name: slirp4netns}}'],
  },
  {
    name: 'pasta',
    package: 'passt',
    program: '/usr/bin/pasta',
    unit: 'pasta-lab.service',
    // It copies the addresses and routes of an interface that has a default route.
    // By the name of the namespace, which it may open when it has given up its rights; those of another process of root's it may not.
    before: 'ip netns add inside; ip route add default via 10.9.0.9 dev lan0',
    after: 'ip netns delete inside; ip route delete default',
    files: {
      '/etc/systemd/system/pasta-lab.service': unitFile(
        `Type=forking\nIgnoreSIGPIPE=no\nPIDFile=/run/pasta.pid\nExecStart=/bin/sh -ec 'exec pasta --quiet --pid /run/pasta.pid --runas 0 -4 --netns /run/netns/inside -i lan0'`,
      ),
    },
    comm: 'passt.avx2',
    watch: ['{process: {pidfile: /run/pasta.pid}}'],
  },
  {
    name: 'charon',
    package: 'strongswan-charon',
    program: '/usr/lib/ipsec/charon',
    unit: 'strongswan-starter.service',
    watch: ['{process: {pidfile: /run/charon.pid, name: charon}}'],
    // starter, the unit's main process, has it back by itself.
    byUnit: 'nobody',
    reloads: [systemctlReload(), signal('HUP')],
    claims: [
      {
        says: 'starter has a killed charon back by itself, after 5 s.',
        command: `begin=$(ms)
kill -KILL $MAIN
until_true 'test -s /run/charon.pid && test "$(cat /run/charon.pid)" != '$MAIN
took=$(($(ms) - begin))
echo "back after $took ms"
test $((took / 1000)) = 5`,
      },
    ],
  },
  {
    name: 'charon-systemd',
    package: 'charon-systemd',
    program: '/usr/sbin/charon-systemd',
    unit: 'strongswan.service',
    watch: ['{process: {name: charon-systemd}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'tailscaled',
    package: null,
    program: '/usr/local/sbin/tailscaled',
    unit: 'tailscaled-lab.service',
    files: {
      '/etc/systemd/system/tailscaled-lab.service': unitFile(
        'Type=notify\nRuntimeDirectory=tailscale\nExecStart=/usr/local/sbin/tailscaled --no-logs-no-support --state=mem: --socket=/run/tailscale/tailscaled.sock --port=0',
      ),
    },
    watch: ['[{process: {name: tailscaled}}, {link: {interface: tailscale0, address: ignore}}]'],
  },
];
