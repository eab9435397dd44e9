#!/bin/sh
# Linux 6.18 with iproute2 6.1.0: a cable that is pulled takes nexthop objects and their default routes away for good, IPv4 without a word.
#
# `ip route add default via 10.0.0.1` survives a pulled cable: the route stays, marked linkdown. The same route by a nexthop object
# (`ip nexthop add id 1 …`, `ip route add default nhid 1`, as FRR 8 and later install theirs) does not: when the carrier is lost, although the
# interface stays up, the kernel deletes the nexthop object and every route that uses it. Neither RTM_DELNEXTHOP nor, for IPv4, RTM_DELROUTE is
# sent; the only message is the RTM_NEWLINK without carrier. (With net.ipv4.nexthop_compat_mode=1, the default, IPv6 routes are told.) When the cable is back
# nothing of it is back: who has made the routes must make them again, and a hand-made one stays away.
#
# Needs root. It unpacks iproute2 into a temporary folder and works in a network namespace of its own.
# Exit status: 0 the behaviour is as described, 1 it is another one, 2 the package or a tool is missing.
set -eu
package=iproute2 version=6.1.0-3

if [ "${1-}" != inside ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  (cd "$folder" && apt-get download --quiet=2 -o APT::Sandbox::User=root "$package=$version" && dpkg -x ./*.deb root) || exit 2
  unshare --net sh "$0" inside "$folder"
  exit
fi

folder=$2
ip=$folder/root/bin/ip
"$ip" -V || exit 2
"$ip" link set lo up
for line in 0 1; do
  "$ip" link add "w$line" type veth peer name "p$line" || exit 2
  "$ip" link set "p$line" up
  "$ip" link set "w$line" up
  "$ip" address add "10.0.$line.2/24" dev "w$line"
done
"$ip" nexthop add id 1 via 10.0.0.1 dev w0
"$ip" route add default nhid 1
"$ip" route add 203.0.113.0/24 via 10.0.0.1 dev w0

"$ip" monitor route nexthop >"$folder/told" &
monitor=$!
wait_for() { # a condition, 10 s at most
  for _ in $(seq 100); do eval "$1" && return; sleep 0.1; done
  return 1
}
wait_for "'$ip' route replace 198.51.100.1 via 10.0.1.1 dev w1 && grep -q '^198.51.100.1 ' '$folder/told'" || { echo 'DIFFERENT: ip monitor tells nothing'; exit 1; }
"$ip" link set p0 down
wait_for "'$ip' link show w0 | grep -q NO-CARRIER"
echo 'without carrier:'; "$ip" nexthop; "$ip" route
"$ip" route | grep -q '^203.0.113.0/24 .*linkdown' || { echo 'DIFFERENT: an ordinary route does not stay, marked linkdown'; exit 1; }
[ -z "$("$ip" nexthop)$("$ip" route show default)" ] || { echo 'DIFFERENT: the nexthop object or its route stays'; exit 1; }
"$ip" link set p0 up
wait_for "'$ip' link show w0 | grep -q LOWER_UP"
"$ip" route add 198.51.100.2 via 10.0.1.1 dev w1
wait_for "grep -q '^198.51.100.2 ' '$folder/told'" || { echo 'DIFFERENT: a route that is added is not told'; exit 1; }
kill "$monitor"
echo 'told meanwhile:'; cat "$folder/told"
echo 'with the carrier back:'; "$ip" nexthop; "$ip" route
[ -z "$("$ip" nexthop)$("$ip" route show default)" ] || { echo 'DIFFERENT: they come back with the carrier'; exit 1; }
if grep "^Deleted" "$folder/told" | grep -q -e "nhid 1" -e " id 1"; then echo 'DIFFERENT: their end is told'; exit 1; fi
echo 'As described.'
