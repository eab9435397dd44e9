#!/bin/sh
# dhcpcd of Debian 12 (dhcpcd-base 9.4.1-24~deb12u5): when its manager process is killed, two of its helpers stay and ignore SIGTERM.
#
# dhcpcd with privilege separation is a manager and three or more helpers, all named dhcpcd. After a SIGKILL of the manager (a crash, the
# OOM killer) the privileged proxy (root) and the network proxy live on, and SIGTERM does not end them. The control proxy goes.
# So `systemctl restart dhcpcd` of Debian's unit waits for the whole TimeoutStopSec, 90 s by default, until systemd sends SIGKILL and
# starts anew: a gateway without a DHCP client for a minute and a half, although the restart was ordered at once (seen: 87 s).
# Remedy: `systemctl kill --signal=SIGKILL dhcpcd` before the restart (seen: back after 0.3 s).
#
# Seen on Linux 6.18, Debian 12.11: "[privileged proxy]" and "[network proxy]" are there 5 s after SIGTERM; SIGKILL ends them.
# Needs root, on Debian 12. It installs into a temporary folder and runs in network, PID and mount namespaces of its own.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
package=dhcpcd-base version=9.4.1-24~deb12u5

if [ "${1-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  chmod 755 "$folder"
  (cd "$folder" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$package=$version" && dpkg -x ./*.deb root) || exit 2
  unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" inside "$folder"
  exit
fi

folder=$2
# Its hooks and its user are looked for at their usual places.
cp /etc/passwd "$folder/passwd"
grep -q '^dhcpcd:' "$folder/passwd" || echo 'dhcpcd:x:65533:65533::/var/empty:/usr/sbin/nologin' >>"$folder/passwd"
mount --bind "$folder/passwd" /etc/passwd
for place in /run /var/lib; do mount -t tmpfs tmpfs $place; done
mkdir -p /var/lib/dhcpcd /run/dhcpcd
ip link set lo up
ip link add eth0 type veth peer name far
ip link set far up
ip link set eth0 up
printf 'allowinterfaces eth0\nnoipv4ll\nscript /bin/true\n' >"$folder/dhcpcd.conf"
# Where the package is installed, its own path is the same; elsewhere the unpacked one serves.
dhcpcd=$(find "$folder/root" -path '*/sbin/dhcpcd' -type f)
"$dhcpcd" -q -b -f "$folder/dhcpcd.conf" eth0 >/dev/null 2>&1

helpers() { # the title of each process of dhcpcd, with its pid
  for process in /proc/[0-9]*; do
    [ "$(cat "$process/comm" 2>/dev/null)" = dhcpcd ] && echo "${process#/proc/} $(tr -s '\0 ' ' ' <"$process/cmdline")"
  done
  true
}
wait_for() { # a condition, 10 s at most
  for _ in $(seq 100); do eval "$1" && return; sleep 0.1; done
  return 1
}

wait_for "helpers | grep -q 'network proxy'" || { echo 'DIFFERENT: it has no network proxy'; helpers; exit 1; }
echo 'alive:'; helpers
manager=$(helpers | grep -v -e proxy -e BPF | cut -d' ' -f1)
kill -KILL "$manager"
wait_for "! [ -d /proc/$manager ]" || true
left=$(helpers | cut -d' ' -f1)
[ -n "$left" ] || { echo 'DIFFERENT: all have gone with the manager'; exit 1; }
kill -TERM $left
sleep 5
echo '5 s after SIGTERM:'; helpers
[ "$(helpers | grep -c -e 'privileged proxy' -e 'network proxy')" = 2 ] || { echo 'DIFFERENT: SIGTERM ends them'; exit 1; }
kill -KILL $(helpers | cut -d' ' -f1)
wait_for '[ -z "$(helpers)" ]' || { echo 'DIFFERENT: SIGKILL does not end them'; exit 1; }
echo "As described: $package $version"
