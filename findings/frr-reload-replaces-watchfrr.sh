#!/bin/sh
# frr of Debian 12 (8.4.4-1.1~deb12u2): a reload ends watchfrr and starts another one; a dead zebra it may leave dead for a minute.
#
# `systemctl reload frr` is `/usr/lib/frr/frrinit.sh reload`, and that stops watchfrr (exit status 0), starts a new one with a new pid in
# its pidfile, and only then loads the configuration. The routing daemons keep their pids. watchfrr is the main process of the unit, so a
# watcher of the main pid sees a service that ends by itself at each change of a route; a restart of the unit at that ends zebra,
# and the routes with it. Watch /run/frr/zebra.pid.
# And watchfrr, made to restart a dead zebra, does so 5 s after its death, but not within 60 s of the last time, and its own start counts
# as one: who relies on it alone has no routing daemon for up to a minute after a crash early on.
#
# Seen on Linux 6.18, Debian 12.11: watchfrr's pid changes, zebra's does not; a zebra killed 1 s after the start is not restarted
# within 20 s; one killed 70 s after the start comes back 5.6 s after its death.
# Needs root, on Debian 12. It installs into a temporary folder and runs in network, PID and mount namespaces of its own.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
version=8.4.4-1.1~deb12u2

if [ "${1-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  chmod 755 "$folder"
  mkdir "$folder/archives" "$folder/root"
  apt-get install --download-only --yes --quiet=2 --no-install-recommends -o APT::Sandbox::User=root \
    -o Dir::Cache::archives="$folder/archives" --reinstall "frr=$version" "frr-pythontools=$version" >/dev/null || exit 2
  unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" inside "$folder"
  exit
fi

folder=$2
# The packages over this machine's own programs; what is written goes into the folder.
mkdir "$folder/upper" "$folder/work"
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
for archive in "$folder"/archives/*.deb; do dpkg-deb --fsys-tarfile "$archive" | tar -x --keep-directory-symlink -C "$folder/root"; done
cd "$folder/root"
mount -t proc proc proc
mount -t tmpfs tmpfs run
mount --bind /dev dev
# As the package's own script makes them.
grep -q '^frrvty:' etc/group || printf 'frr:x:65533:\nfrrvty:x:65532:frr\n' >>etc/group
grep -q '^frr:' etc/passwd || echo 'frr:x:65533:65533::/nonexistent:/usr/sbin/nologin' >>etc/passwd
chroot . chown -R frr:frr /etc/frr
ip link set lo up
frr() { chroot . /usr/lib/frr/frrinit.sh "$1" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }; }
pid() { cat "run/frr/$1.pid"; }
wait_for() { # a condition, so many tenths of a second at most
  for _ in $(seq "$1"); do eval "$2" && return; sleep 0.1; done
  return 1
}

frr start
wait_for 300 '[ -s run/frr/zebra.pid ]' || { cat "$folder/log"; exit 2; }
watchfrr=$(pid watchfrr) zebra=$(pid zebra)
frr reload
echo "reload: watchfrr $watchfrr -> $(pid watchfrr), zebra $zebra -> $(pid zebra)"
[ "$(pid watchfrr)" != "$watchfrr" ] || { echo 'DIFFERENT: watchfrr stays'; exit 1; }
[ "$(pid zebra)" = "$zebra" ] || { echo 'DIFFERENT: zebra goes too'; exit 1; }

# The new watchfrr has found all of them alive and restarted none: only one that starts everything has had its restart.
frr stop
frr start
wait_for 300 '[ -s run/frr/zebra.pid ]'
zebra=$(pid zebra)
kill -KILL "$zebra"
if wait_for 200 "[ \"\$(pid zebra 2>/dev/null)\" != $zebra ]"; then echo 'DIFFERENT: zebra is restarted within 20 s of the start'; exit 1; fi
echo 'zebra killed soon after the start: still dead after 20 s'
wait_for 600 "[ \"\$(pid zebra 2>/dev/null)\" != $zebra ]" || { echo 'DIFFERENT: zebra is never restarted'; exit 1; }
echo 'zebra is back within the minute'
frr stop
echo "As described: frr $version"
