#!/bin/sh
# pasta of Debian 12 (passt 0.0~git20230309.7c7625d-1) does not start where SIGPIPE is ignored.
#
# systemd ignores SIGPIPE in every service unless the unit says IgnoreSIGPIPE=no, and an ignored signal is inherited over execve(2), so
# that a shell cannot undo it with trap. pasta calls signal(SIGPIPE, SIG_IGN) and takes any answer but 0 for a failure; the answer is the
# old handler, and SIG_IGN is 1. It ends with status 1 and "Couldn't install signal handlers". passt, the same binary, is not affected.
# The same command line works in a terminal. Remedies: IgnoreSIGPIPE=no in the unit, env --default-signal=PIPE in a script.
#
# Seen on Linux 6.18, Debian 12.11: status 0 and "inside" with SIGPIPE at its default, status 1 and the words above with it ignored.
# Needs root, on Debian 12. It installs into a temporary folder and runs in network namespaces of its own.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
package=passt version=0.0~git20230309.7c7625d-1

if [ "${1-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  chmod 755 "$folder"
  (cd "$folder" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$package=$version" && dpkg -x ./*.deb root) || exit 2
  unshare --net --mount --pid --fork --kill-child --mount-proc sh "$0" inside "$folder"
  exit
fi

folder=$2
ip link set lo up
ip link add eth0 type veth peer name far
ip address add 192.0.2.2/24 dev eth0
ip link set far up
ip link set eth0 up
ip route add default via 192.0.2.1

attempt() {
  env "$@" "$folder/root/usr/bin/pasta" --runas 0 -4 -i eth0 -t none -u none -T none -U none -- echo inside >"$folder/out" 2>&1 && status=0 || status=$?
  printf 'SIGPIPE %s: status %s, %s\n' "$1" "$status" "$(tail -n 1 "$folder/out")"
}

attempt --default-signal=PIPE
[ "$status" = 0 ] && grep -q '^inside$' "$folder/out" || { echo 'DIFFERENT: it does not start with the default either'; exit 1; }
attempt --ignore-signal=PIPE
[ "$status" = 1 ] && grep -q "Couldn't install signal handlers" "$folder/out" || { echo 'DIFFERENT: it starts'; exit 1; }
echo "As described: $package $version"
