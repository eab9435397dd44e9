#include "network/store.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "check.h"
#include "network/audit.h"

namespace sockmon {
namespace {

constexpr unsigned kUp = IFF_UP | IFF_RUNNING | Link::kLowerUp;

IpAddress ip(const char* text) {
  IpAddress address;
  address.family = strchr(text, ':') == nullptr ? AF_INET : AF_INET6;
  CHECK(inet_pton(address.family, text, address.bytes.data()) == 1);
  return address;
}

Link link(int index, const char* name, unsigned flags = kUp) {
  Link link;
  link.index = index;
  link.name = name;
  link.flags = flags;
  return link;
}

LinkAddress address(int on, const char* text) {
  LinkAddress address;
  address.link = on;
  address.local = address.peer = ip(text);
  address.prefix_length = 24;
  return address;
}

Hop hop(int link, const char* gateway = nullptr) { return {link, gateway == nullptr ? IpAddress() : ip(gateway), 0, 0}; }

Route route(std::vector<Hop> hops, uint32_t metric = 0, uint8_t family = AF_INET) {
  Route route;
  route.family = family;
  route.table = RT_TABLE_MAIN;
  route.type = RTN_UNICAST;
  route.protocol = RTPROT_STATIC;
  route.metric = metric;
  route.hops = std::move(hops);
  return route;
}

/// wan0 (2) and wan1 (3), each with an address.
struct Net : NetworkStore {
  Net() {
    apply({link(1, "lo")});
    apply({link(2, "wan0")});
    apply({link(3, "wan1")});
    apply({address(2, "192.0.2.2")});
    apply({address(3, "198.51.100.2")});
  }
  unsigned now(const Fact& fact) { return apply(fact).what; }
  unsigned add(const Route& route, RouteVerb verb = RouteVerb::prepend) { return now({route, false, verb}); }
  unsigned end(const Route& route) { return now({route, true}); }
  std::vector<int> ways() const {
    std::vector<int> links;
    for (const DefaultRoute& each : default_routes()) links.push_back(each.link);
    return links;
  }
};

using Ways = std::vector<int>;
constexpr unsigned kConfirmedRoute = Change::kRoute | Change::kConfirm;

void a_message_that_changes_nothing_says_so() {
  Net net;
  CHECK(net.now({link(2, "wan0")}) == Change::kNothing);
  CHECK(net.now({link(2, "wan0", kUp | IFF_PROMISC)}) == Change::kLink);
  CHECK(net.now({address(2, "192.0.2.2")}) == Change::kNothing);
  CHECK(net.now({address(2, "192.0.2.3")}) == Change::kAddress);
  CHECK(net.now({address(2, "192.0.2.9"), true}) == Change::kNothing);
  CHECK(net.add(route({hop(2)})) == Change::kRoute && net.add(route({hop(2)})) == Change::kNothing);
  CHECK(net.end(route({hop(2)})) == Change::kRoute && net.end(route({hop(2)})) == Change::kNothing);
  CHECK(net.now({link(9, "gone"), true}) == Change::kNothing);
  const Change change = net.apply({link(3, "wan1", 0)});
  CHECK(change.link == 3 && change.any());
}

void a_link_is_found_by_the_name_that_it_bears_now() {
  Net net;
  net.apply({link(2, "wan9")});
  CHECK(net.find("wan0") == nullptr && net.find("wan9")->index == 2);
  // Two that swap their names by a third one.
  net.apply({link(2, "x")});
  net.apply({link(3, "wan9")});
  net.apply({link(2, "wan1")});
  CHECK(net.find("wan9")->index == 3 && net.find("wan1")->index == 2);
  net.apply({link(3, "wan9"), true});
  CHECK(net.find("wan9") == nullptr && net.find(3) == nullptr && net.addresses_of(3).empty());
}

void routes_of_the_same_key_are_in_the_order_of_the_kernel() {
  Net net;
  net.add(route({hop(2)}));
  net.add(route({hop(3)}), RouteVerb::append);
  CHECK(net.ways() == (Ways{2, 3}));
  net.add(route({hop(2, "192.0.2.1")}), RouteVerb::prepend);
  CHECK(net.ways() == (Ways{2, 2, 3}));
  net.add(route({hop(3, "198.51.100.1")}), RouteVerb::replace);
  CHECK(net.ways() == (Ways{3, 2, 3}));
  CHECK(net.end(route({hop(2)})) == Change::kRoute && net.ways() == (Ways{3, 3}));
  // Another metric is another key; one that refuses takes the place of one that leads somewhere.
  net.add(route({hop(2)}, 10), RouteVerb::replace);
  CHECK(net.ways() == (Ways{3, 3, 2}));
  Route refusing = route({}, 10);
  refusing.type = RTN_UNREACHABLE;
  net.add(refusing, RouteVerb::replace);
  CHECK(net.ways() == (Ways{3, 3}));
}

void ipv6_hops_are_one_route() {
  Net net;
  const Hop a = hop(2, "fe80::1"), b = hop(3, "fe80::2");
  net.add(route({a}, 1024, AF_INET6));
  // A new hop is told with all others, itself first.
  CHECK(net.add(route({b, a}, 1024, AF_INET6)) == Change::kRoute);
  CHECK(net.ways() == (Ways{2, 3}) && net.routes().begin()->second.size() == 1);
  // What is left of it may be of another protocol.
  CHECK(net.end(route({a}, 1024, AF_INET6)) == kConfirmedRoute && net.ways() == (Ways{3}));
  net.take_doubts();
  // One without a gateway stands beside it, and then nobody knows what the kernel replaces.
  CHECK(net.add(route({hop(2)}, 1024, AF_INET6), RouteVerb::append) == Change::kRoute);
  CHECK(net.ways() == (Ways{3, 2}));
  CHECK(net.add(route({hop(3)}, 1024, AF_INET6), RouteVerb::replace) == kConfirmedRoute);
  CHECK(net.ways() == (Ways{3, 3}));
  net.take_doubts();
  CHECK(net.end(route({hop(2, "fe80::9")}, 1024, AF_INET6)) == Change::kConfirm);
}

void ipv4_routes_go_silently_with_their_link() {
  for (const bool deleted : {false, true}) {
    Net net;
    net.add(route({hop(2, "192.0.2.1")}));
    net.add(route({hop(3)}, 10));
    CHECK((net.now({link(2, "wan0", 0), deleted}) & kConfirmedRoute) == kConfirmedRoute);
    CHECK(net.ways() == (Ways{3}));
    CHECK(net.take_doubts().tables.count({AF_INET, RT_TABLE_MAIN}) == 1 && !net.take_doubts().any());
  }
}

void an_ecmp_route_survives_a_leg_that_is_down_and_none_that_is_deleted() {
  Net net;
  net.add(route({hop(2), hop(3)}));
  net.apply({link(2, "wan0", 0)});
  CHECK(net.ways() == (Ways{3}) && net.routes().size() == 1);
  net.apply({link(2, "wan0")});
  CHECK(net.ways() == (Ways{2, 3}));
  net.apply({link(2, "wan0"), true});
  CHECK(net.ways().empty() && net.routes().empty());
}

void they_go_with_the_last_address_and_with_their_source() {
  Net net;
  net.add(route({hop(2)}));
  net.apply({address(2, "192.0.2.3")});
  CHECK(net.now({address(2, "192.0.2.2"), true}) == Change::kAddress && net.ways() == (Ways{2}));
  CHECK(net.now({address(2, "192.0.2.3"), true}) == (Change::kAddress | kConfirmedRoute) && net.ways().empty());
  Route sourced = route({hop(3)});
  sourced.source = ip("198.51.100.3");
  net.take_doubts();
  net.apply({address(3, "198.51.100.3")});
  net.add(sourced);
  CHECK(net.now({address(3, "198.51.100.3"), true}) == (Change::kAddress | kConfirmedRoute) && net.ways().empty());
}

Nexthop object(uint32_t id, int link) {
  Nexthop nexthop;
  nexthop.id = id;
  nexthop.family = AF_INET;
  nexthop.link = link;
  return nexthop;
}

void a_nexthop_object_goes_with_the_carrier_and_takes_its_routes_along() {
  Net net;
  Route by_object = route({});
  by_object.nexthop = 10;
  net.apply({object(1, 2)});
  net.apply({object(2, 3)});
  Nexthop group = object(10, 0);
  group.members = {{1, 0}, {2, 0}};
  CHECK(net.now({group}) == Change::kNexthop);
  net.add(by_object);
  CHECK(net.ways() == (Ways{2, 3}));
  CHECK((net.now({link(2, "wan0", IFF_UP)}) & (Change::kNexthop | Change::kConfirm)) == (Change::kNexthop | Change::kConfirm));
  CHECK(net.ways() == (Ways{3}) && net.take_doubts().nexthops && net.nexthops().size() == 2);
  // An empty group is none.
  CHECK((net.now({object(2, 3), true}) & Change::kRoute) != 0);
  CHECK(net.ways().empty() && net.nexthops().empty() && net.routes().empty());
}

void a_table_that_a_rule_comes_to_name_is_doubtful() {
  Net net;
  Rule rule;
  rule.priority = 100;
  rule.table = 77;
  rule.content = "a";
  CHECK(net.now({rule}) == (Change::kRule | Change::kConfirm));
  CHECK(net.take_doubts().tables.count({AF_INET, 77}) == 1 && net.tables(AF_INET).count(77) == 1 && net.tables(AF_INET6).count(77) == 0);
  CHECK(net.now({rule}) == Change::kNothing && net.now({rule, true}) == Change::kRule && net.rules().empty());
}

void what_was_read_takes_the_place_of_what_was_doubtful() {
  Net net;
  net.add(route({hop(2)}));
  Route other = route({hop(3)});
  other.table = 100;
  net.add(other);
  Net read;
  read.add(route({hop(3)}));
  Doubts doubts;
  doubts.tables.emplace(AF_INET, RT_TABLE_MAIN);
  CHECK(compare(net, read, doubts).routes == 1);
  net.take_over(read, doubts);
  CHECK(compare(net, read, doubts).sum() == 0 && net.ways() == (Ways{3}) && net.routes().size() == 2);
}

void an_audit_counts_what_differs() {
  Net kept, read;
  CHECK(compare(kept, read).sum() == 0);
  read.apply({link(4, "new")});
  read.apply({address(4, "203.0.113.1")});
  read.add(route({hop(2)}));
  read.add(route({hop(3)}, 10));
  kept.add(route({hop(2)}));
  read.apply({object(1, 2)});
  const Differences found = compare(kept, read);
  CHECK(found.links == 1 && found.addresses == 1 && found.routes == 1 && found.nexthops == 1 && found.rules == 0 && found.sum() == 4);
  // The order of the same key decides which one is used.
  Net a, b;
  a.add(route({hop(2)}));
  a.add(route({hop(3)}));
  b.add(route({hop(3)}));
  b.add(route({hop(2)}));
  CHECK(compare(a, b).routes == 1);
}

}  // namespace

void test_network_store() {
  a_message_that_changes_nothing_says_so();
  a_link_is_found_by_the_name_that_it_bears_now();
  routes_of_the_same_key_are_in_the_order_of_the_kernel();
  ipv6_hops_are_one_route();
  ipv4_routes_go_silently_with_their_link();
  an_ecmp_route_survives_a_leg_that_is_down_and_none_that_is_deleted();
  they_go_with_the_last_address_and_with_their_source();
  a_nexthop_object_goes_with_the_carrier_and_takes_its_routes_along();
  a_table_that_a_rule_comes_to_name_is_doubtful();
  what_was_read_takes_the_place_of_what_was_doubtful();
  an_audit_counts_what_differs();
}

}  // namespace sockmon
