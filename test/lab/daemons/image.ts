/** The programs of the lab: Debian's packages, installed over this machine's own into a folder, never on this machine. */
import { existsSync, mkdirSync } from 'node:fs';
import { run } from '../proc.js';
import { daemons } from './daemons.js';

/** What the daemons and the machine need besides. dbus: half of the daemons; iproute2 and procps: the lab's own looks. */
const besides = [
  'dbus',
  'iproute2',
  'procps',
  'systemd-container',
  'frr-pythontools',
  'nftables',
  'strongswan-starter',
  'miniupnpd',
];
/** Debian lets nobody have two daemons for one clock. Only one of them runs at a time here. */
const forced = ['ntpsec'];

const installScript = `set -e
upper="$1/upper" work="$1/work" disk="$1/disk" forced="$2"
shift 2
mkdir -p "$upper" "$work" "$disk"
mount -t overlay overlay -o "lowerdir=/,upperdir=$upper,workdir=$work" "$disk"
cd "$disk"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
# No package starts what it brings: invoke-rc.d(8).
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
export DEBIAN_FRONTEND=noninteractive
# systemd-resolved makes resolv.conf a link to what it would write if it ran.
find_names() { cp --remove-destination /etc/resolv.conf etc/resolv.conf; }
find_names
chroot . apt-get update --quiet=2
# It would be called broken from the second time on.
chroot . dpkg --force-depends --remove $forced >/dev/null 2>&1
chroot . apt-get install --yes --quiet=2 --no-install-recommends "$@"
find_names
chroot . sh -ec 'cd /tmp; apt-get download --quiet=2 "$@"; dpkg --force-conflicts --force-depends --install ./*.deb; rm ./*.deb' sh $forced
`;

/** Installs what is missing into `folder`. */
export async function install(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const packages = new Set(daemons.flatMap(({ package: name }) => name ?? []));
  for (const name of forced) packages.delete(name);
  const argv = ['unshare', '--mount', 'sh', '-c', installScript, 'sh', folder, forced.join(' ')];
  await run([...argv, ...besides, 'python3-ntp', ...packages]);
}

export function hasImage(folder: string): boolean {
  return existsSync(`${folder}/upper`);
}
