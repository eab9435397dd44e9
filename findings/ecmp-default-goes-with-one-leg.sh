#!/bin/sh
# Linux 6.18 with iproute2 6.1.0: an IPv4 default route over two lines goes as a whole, and without a message, when the device of one goes.
#
# `ip route add default nexthop … dev w0 nexthop … dev w1` is one route with two legs. When w0 is deleted (what holds a tun ends, a USB modem is
# pulled) the kernel removes the route with both legs, the healthy one too: the machine is offline beside a working line. No RTM_DELROUTE is
# sent for it, so who follows `ip monitor route` believes that the default is still there. A leg that only goes down or loses its carrier
# stays in the route, marked dead. IPv6 is different: the leg is told by RTM_DELROUTE and the other one goes on.
# What helps: look at the default again after each RTM_DELLINK, or give each line a default of its own metric.
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
  "$ip" -6 address add "2001:db8:$line::2/64" dev "w$line" nodad
done
"$ip" route add default nexthop via 10.0.0.1 dev w0 nexthop via 10.0.1.1 dev w1
"$ip" -6 route add default nexthop via 2001:db8:0::1 dev w0 nexthop via 2001:db8:1::1 dev w1

"$ip" monitor route >"$folder/told" &
monitor=$!
wait_for() { # a condition, 10 s at most
  for _ in $(seq 100); do eval "$1" && return; sleep 0.1; done
  return 1
}
mark() { # a route of no use that is told: what came before it has been told too, if it is told at all
  "$ip" route add "$1" via 10.0.1.1 dev w1 && wait_for "grep -q '^$1 ' '$folder/told'"
}
wait_for "'$ip' route replace 198.51.100.1 via 10.0.1.1 dev w1 && grep -q '^198.51.100.1 ' '$folder/told'" || { echo 'DIFFERENT: ip monitor tells nothing'; exit 1; }
"$ip" link delete w0
mark 198.51.100.2 || { echo 'DIFFERENT: a route that is added is not told'; exit 1; }
kill "$monitor"

echo 'told:'; cat "$folder/told"
echo 'IPv4 defaults left:'; "$ip" -4 route show default
echo 'IPv6 defaults left:'; "$ip" -6 route show default
[ -z "$("$ip" -4 route show default)" ] || { echo 'DIFFERENT: the healthy leg has stayed'; exit 1; }
"$ip" -6 route show default | grep -q 'dev w1' || { echo 'DIFFERENT: the IPv6 default has gone as well'; exit 1; }
if grep -q '^Deleted default via 10\|^Deleted default *$\|^Deleted default proto' "$folder/told"; then echo 'DIFFERENT: the end of the IPv4 default is told'; exit 1; fi
grep -q '^Deleted default via 2001:db8::1 dev w0' "$folder/told" || { echo 'DIFFERENT: the end of the IPv6 leg is not told'; exit 1; }
echo 'As described.'
