/** Clocks, logins, proxies, brokers and printers. */
import { type Daemon, signal, systemctlReload } from './daemon.js';

/** For a claim: somebody logs in and stays; until `systemctl stop session; pkill -f "^sleep 1234" || true`. */
const login = `useradd --create-home lab 2>/dev/null || true
mkdir -p ~lab/.ssh
rm -f /run/key /run/key.pub
ssh-keygen -q -t ed25519 -N '' -f /run/key
cp /run/key.pub ~lab/.ssh/authorized_keys
chown -R lab: ~lab/.ssh
! pgrep -f "^sleep 1234"
systemd-run --quiet --collect --unit=session ssh -o BatchMode=yes -o StrictHostKeyChecking=no -i /run/key lab@127.0.0.1 exec sleep 1234
until_true 'pgrep -f "^sleep 1234" >/dev/null' || { journalctl --no-pager -n 20 -u session -u $UNIT; exit 1; }`;

export const servers: readonly Daemon[] = [
  {
    name: 'chronyd',
    package: 'chrony',
    program: '/usr/sbin/chronyd',
    unit: 'chrony.service',
    files: {
      // The machine of the lab may not set the clock, and chronyd does not try with -x.
      '/etc/default/chrony': 'DAEMON_OPTS="-F 1 -x"\n',
      '/etc/systemd/system/chrony.service.d/lab.conf': '[Unit]\nConditionCapability=\n',
    },
    watch: ['{process: {pidfile: /run/chrony/chronyd.pid, name: chronyd}}'],
    reloads: [{ name: 'chronyc reload sources', command: 'chronyc reload sources', sees: 'nothing' }],
  },
  {
    name: 'ntpd',
    package: 'ntpsec',
    program: '/usr/sbin/ntpd',
    unit: 'ntpsec.service',
    files: {
      // The machine of the lab may not set the clock; ntpd that gives root up asks for the right to.
      '/etc/systemd/system/ntpsec.service.d/lab.conf':
        '[Unit]\nConditionCapability=\n[Service]\nExecStart=\nExecStart=/usr/sbin/ntpd -p /run/ntpd.pid -c /etc/ntpsec/ntp.conf -g -N\n',
    },
    watch: ['{process: {pidfile: /run/ntpd.pid, name: ntpd}}'],
    reloads: [signal('HUP')],
  },
  {
    name: 'sshd',
    package: 'openssh-server',
    program: '/usr/sbin/sshd',
    unit: 'ssh.service',
    watch: ['{process: {pidfile: /run/sshd.pid, name: sshd}}'],
    reloads: [systemctlReload()],
    claims: [
      {
        says: '1, and 2 for each session, all called sshd',
        command: `${login}
pgrep -ax sshd
test $(pgrep -cx sshd) = 3
systemctl stop session; pkill -f "^sleep 1234" || true`,
      },
      {
        says: 'A session lives on without the listener.',
        command: `${login}
kill -KILL $MAIN
sleep 2
pgrep -f "^sleep 1234"
systemctl stop session; pkill -f "^sleep 1234" || true`,
      },
    ],
  },
  {
    name: 'dropbear',
    package: 'dropbear',
    program: '/usr/sbin/dropbear',
    unit: 'dropbear.service',
    watch: ['{process: {name: dropbear, listen: tcp:22}}'],
    claims: [
      {
        says: '1, and 1 for each session',
        command: `${login}
pgrep -ax dropbear
test $(pgrep -cx dropbear) = 2
systemctl stop session; pkill -f "^sleep 1234" || true`,
      },
    ],
  },
  {
    name: 'haproxy',
    package: 'haproxy',
    program: '/usr/sbin/haproxy',
    unit: 'haproxy.service',
    files: {
      '/etc/haproxy/haproxy.cfg':
        'global\n user haproxy\n group haproxy\ndefaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend lab\n bind 127.0.0.1:8080\n',
    },
    watch: ['{process: {pidfile: /run/haproxy.pid, name: haproxy}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'haproxy -D -sf',
    comm: 'haproxy',
    package: 'haproxy',
    program: '/usr/sbin/haproxy',
    unit: 'haproxy-lab.service',
    files: {
      '/etc/haproxy/lab.cfg':
        'defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\nfrontend lab\n bind 127.0.0.1:8080\n',
      '/etc/systemd/system/haproxy-lab.service':
        '[Service]\nType=forking\nPIDFile=/run/haproxy-lab.pid\nExecStart=/usr/sbin/haproxy -D -f /etc/haproxy/lab.cfg -p /run/haproxy-lab.pid\n',
    },
    watch: ['{process: {pidfile: /run/haproxy-lab.pid, name: haproxy}}'],
    reloads: [
      {
        name: 'haproxy -sf',
        command: 'haproxy -D -f /etc/haproxy/lab.cfg -p /run/haproxy-lab.pid -sf $MAIN',
        sees: 'replaced',
      },
    ],
  },
  {
    name: 'nginx',
    package: 'nginx',
    program: '/usr/sbin/nginx',
    unit: 'nginx.service',
    files: { '/etc/nginx/sites-enabled/default': 'server { listen 127.0.0.1:8081; return 204; }\n' },
    watch: ['{process: {pidfile: /run/nginx.pid, name: nginx}}'],
    reloads: [
      systemctlReload(),
      {
        name: 'binary upgrade (SIGUSR2, SIGQUIT)',
        // The old pidfile is moved away before the new one is written: neither a look before nor one in between may count.
        command:
          'kill -USR2 $MAIN; until NEW=$(cat /run/nginx.pid 2>/dev/null) && test -n "$NEW" && test "$NEW" != $MAIN; do sleep 0.05; done; kill -QUIT $MAIN',
        sees: 'replaced',
      },
    ],
    claims: [
      {
        says: 'At an upgrade the old pid moves to /run/nginx.pid.oldbin.',
        command: `kill -USR2 $MAIN
until_true 'test -s /run/nginx.pid'
test "$(cat /run/nginx.pid.oldbin)" = $MAIN
test "$(cat /run/nginx.pid)" != $MAIN
kill -QUIT $MAIN
until_true 'test ! -e /run/nginx.pid.oldbin'`,
      },
    ],
  },
  {
    name: 'lighttpd',
    package: 'lighttpd',
    program: '/usr/sbin/lighttpd',
    unit: 'lighttpd.service',
    watch: ['{process: {pidfile: /run/lighttpd.pid, name: lighttpd}}'],
    reloads: [systemctlReload(), signal('HUP')],
  },
  {
    name: 'mosquitto',
    package: 'mosquitto',
    program: '/usr/sbin/mosquitto',
    unit: 'mosquitto.service',
    watch: ['{process: {pidfile: /run/mosquitto/mosquitto.pid, name: mosquitto}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'squid',
    package: 'squid-openssl',
    program: '/usr/sbin/squid',
    unit: 'squid.service',
    watch: ['{process: {pidfile: /run/squid.pid, name: squid}}'],
    reloads: [systemctlReload()],
  },
  {
    name: 'cupsd',
    package: 'cups-daemon',
    program: '/usr/sbin/cupsd',
    unit: 'cups.service',
    watch: ['{process: {name: cupsd}}'],
    reloads: [signal('HUP', 'outage')],
  },
  {
    name: 'inetd',
    package: 'openbsd-inetd',
    program: '/usr/sbin/inetd',
    unit: 'inetd.service',
    files: { '/etc/inetd.conf': '127.0.0.1:7 stream tcp nowait root internal\n' },
    watch: ['{process: {name: inetd}}'],
    reloads: [systemctlReload()],
  },
];
