// What carries the traffic of one routing table.
#include <linux/fib_rules.h>

#include "check.h"
#include "link_watch.h"
#include "network/table_names.h"

namespace sockmon {
namespace {

/// A rule that leads to table 201, the default routes of which are its own.
NetworkStore with_table(NetworkStore network, std::vector<Route> routes, bool has_rule = true) {
  Rule rule;
  rule.action = FR_ACT_TO_TBL;
  rule.priority = 100;
  rule.table = 201;
  rule.mark = 7;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    rule.family = family;
    rule.content = std::to_string(family);
    if (has_rule) network.apply({rule});
  }
  for (Route& each : routes) network.apply({std::move(each), false, RouteVerb::append});
  return network;
}

Hop hop(int link, const char* gateway = nullptr) {
  return {link, gateway == nullptr ? IpAddress() : *parse_address(gateway), 0, 0};
}

Route in_table(std::vector<Hop> hops, uint32_t metric = 0, uint8_t family = AF_INET) {
  Route route;
  route.family = family;
  route.table = 201;
  route.type = RTN_UNICAST;
  route.metric = metric;
  route.hops = std::move(hops);
  return route;
}

UplinkSpec by_table(UplinkSpec::Families families = UplinkSpec::Families::automatic) {
  UplinkSpec spec = uplink(families);
  spec.table = "201";
  spec.table_number = 201;
  return spec;
}

void a_table_is_judged_by_its_own_routes_and_no_kernel_is_asked() {
  const Net net = Net().with_backup();
  const auto sees = [&](Watch& watch, std::vector<Route> routes, bool has_rule = true) -> const LinkVerdict& {
    return watch.next(with_table(net, std::move(routes), has_rule));
  };
  // In main eth0 carries; in the table wwan0.
  Watch watch{by_table()};
  CHECK(absent(watch.next(net)) && watch.verdict().detail == "no rule leads to a default route in routing table 201");
  CHECK(up(sees(watch, {in_table({hop(3)})})) && watch.verdict().interface == "wwan0" && watch.router.asked.empty());
  CHECK(down(sees(watch, {}), kNoDefaultRoute));
  CHECK(up(sees(watch, {in_table({hop(3)})})));
  // Nothing is routed by a table that no rule leads to.
  CHECK(down(sees(watch, {in_table({hop(3)})}, false), kNoDefaultRoute));
  Rule vrf;
  vrf.action = FR_ACT_TO_TBL;
  vrf.vrf = true;
  Link red = Net::link(9, "red", "vrf");
  red.vrf_table = 201;
  NetworkStore by_vrf = with_table(net.with(red), {in_table({hop(3)})}, false);
  by_vrf.apply({vrf});
  CHECK(up(watch.next(by_vrf)));

  Watch on_eth0{by_table()};
  CHECK(up(sees(on_eth0, {in_table({hop(2)})})) && down(on_eth0.next(with_table(net.without_interface(), {})), kInterfaceGone));
  CHECK((watch.judge->standby(with_table(net, {in_table({hop(2), hop(3)})}), 3) == std::vector<std::string>{"eth0"}));
  CHECK(watch.judge->standby(with_table(net, {in_table({hop(3)})}), 3).empty() && !watch.judge->may_move(with_table(net, {}), 3));
}

void a_table_routes_as_the_kernel_does() {
  const Net net = Net().with_backup();
  const auto carrier = [&](std::vector<Route> routes) {
    Watch watch{by_table()};
    watch.next(with_table(net, std::move(routes)));
    return watch.verdict().interface;
  };
  CHECK(carrier({in_table({hop(2)}, 20), in_table({hop(3)}, 10)}) == "wwan0");
  // 192.0.2.1 is in the upper half.
  Route upper = in_table({hop(3)}, 100), lower = in_table({hop(3)});
  upper.prefix_length = lower.prefix_length = 1;
  upper.upper_half = true;
  CHECK(carrier({in_table({hop(2)}), upper}) == "wwan0" && carrier({in_table({hop(2)}), lower}) == "eth0" && carrier({lower}).empty());
  Route refusing = in_table({});
  for (const uint8_t type : {RTN_UNREACHABLE, RTN_BLACKHOLE, RTN_PROHIBIT, RTN_THROW}) {
    refusing.type = type;
    CHECK(carrier({refusing, in_table({hop(2)}, 10)}).empty());
    refusing.metric = 20;
    CHECK(carrier({refusing, in_table({hop(2)}, 10)}) == "eth0");
    refusing.metric = 0;
  }
  Route low_delay = in_table({hop(3)});
  low_delay.tos = 0x10;
  CHECK(carrier({low_delay, in_table({hop(2)}, 10)}) == "eth0");
  Hop dead = hop(2);
  dead.flags = RTNH_F_DEAD;
  CHECK(carrier({in_table({dead}), in_table({hop(3)}, 10)}) == "wwan0" && carrier({in_table({dead, hop(3)})}) == "wwan0");

  // A rule that passes over default routes leads only to others.
  Rule rule;
  rule.action = FR_ACT_TO_TBL;
  rule.table = 201;
  rule.suppressed_prefix_length = 0;
  NetworkStore suppressed = with_table(net, {in_table({hop(2)})}, false);
  suppressed.apply({rule});
  Watch watch{by_table()};
  CHECK(absent(watch.next(suppressed)));
  suppressed.apply({upper});
  CHECK(up(watch.next(suppressed)) && watch.verdict().interface == "wwan0");
}

void a_table_of_several_ways_keeps_the_one_in_use_while_it_has_a_carrier() {
  const Net net = Net().with_backup();
  const auto ways = [](const Net& of) { return with_table(of, {in_table({hop(3), hop(2)})}); };
  Watch watch{by_table()};
  CHECK(up(watch.next(with_table(net, {in_table({hop(2)})}))) && watch.verdict().interface == "eth0");
  CHECK(up(watch.next(ways(net))) && watch.verdict().interface == "eth0");
  CHECK(up(watch.next(ways(net.without_carrier()))) && watch.verdict().interface == "wwan0");
  Net both = net.without_carrier();
  both.at(3).flags = IFF_UP;
  CHECK(up(watch.next(ways(both))) && watch.verdict().interface == "wwan0" && !watch.verdict().carrier);
}

void a_table_has_the_source_that_the_kernel_would_take() {
  const NetworkStore alone = with_table(Net().without_address().with_address(2, "169.254.3.4"), {in_table({hop(2)})});
  Watch watch{by_table()};
  CHECK(absent(watch.next(alone)) && watch.verdict().detail == "it has no address, or only one that it has given itself");
  // Of the gateway's network before the first one; of another link where it has none; the route's own before all.
  const Net two = Net().without_address().with_address(2, "169.254.3.4").with_address(2, "10.0.0.2");
  CHECK(up(watch.next(with_table(two, {in_table({hop(2, "10.0.0.1")})}))));
  Watch unnumbered{by_table()};
  CHECK(up(unnumbered.next(with_table(Net().without_address().with_address(1, "10.9.9.9"), {in_table({hop(2)})}))));
  Route sourced = in_table({hop(2)});
  sourced.source = *parse_address("10.9.9.9");
  Watch by_source{by_table()};
  CHECK(up(by_source.next(with_table(Net().without_address().with_address(2, "169.254.3.4"), {sourced}))));

  // For packets from a delegated prefix alone, as OpenWrt routes them.
  Route from = in_table({hop(2)}, 0, AF_INET6);
  from.from = *parse_address("2001:db8:7::");
  from.from_length = 48;
  Watch v6{by_table(UplinkSpec::Families::v6)};
  CHECK(absent(v6.next(with_table(Net(), {from}))));
  CHECK(up(v6.next(with_table(Net().with_address(3, "2001:db8:7::1"), {from}))));
}

void a_table_without_a_number_is_said_to_be_unknown() {
  UplinkSpec spec = by_table();
  spec.table = "wan";
  spec.table_number = 0;
  Watch watch{spec};
  CHECK(absent(watch.next(with_table(Net(), {in_table({hop(2)})}))));
  CHECK(watch.verdict().detail == "there is no routing table wan in /etc/iproute2/rt_tables (give its number)");
}

void tables_have_numbers_and_names() {
  const TempDir etc, usr;
  etc.write("rt_tables", "# the owner's\n255 local\n 201\twan  # by fibre\n0x12c lte\n7x broken\n#202 old\n");
  etc.write("rt_tables.d/vpn.conf", "300 vpn\n");
  etc.write("rt_tables.d/README", "301 readme\n");
  usr.write("rt_tables", "5 wan\n6 vendor\n");
  const auto number = [&](const char* text) { return table_number(text, {etc.path(), usr.path()}).value_or(0); };
  CHECK(number("201") == 201 && number("4294967295") == 4294967295U && number("main") == 254 && number("local") == 255);
  CHECK(number("wan") == 201 && number("lte") == 300 && number("vpn") == 300 && number("vendor") == 6);
  for (const char* text : {"0", "4294967296", "12a", "old", "broken", "readme", "-1", ""}) CHECK(number(text) == 0);
  CHECK(table_number("wan", {etc.path() + "/none"}) == std::nullopt);
}

}  // namespace

void test_uplink_table() {
  a_table_is_judged_by_its_own_routes_and_no_kernel_is_asked();
  a_table_routes_as_the_kernel_does();
  a_table_of_several_ways_keeps_the_one_in_use_while_it_has_a_carrier();
  a_table_has_the_source_that_the_kernel_would_take();
  a_table_without_a_number_is_said_to_be_unknown();
  tables_have_numbers_and_names();
}

}  // namespace sockmon
