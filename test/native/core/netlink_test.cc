#include "network/netlink.h"

#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/nexthop.h>

#include <random>

#include "base/error.h"
#include "check.h"
#include "messages.h"

namespace sockmon {
namespace {

constexpr int kFuzzRounds = 50'000;

Message link(int index, const char* name, unsigned flags, int family = AF_UNSPEC) {
  ifinfomsg body{};
  body.ifi_family = static_cast<uint8_t>(family);
  body.ifi_index = index;
  body.ifi_flags = flags;
  return Message(RTM_NEWLINK, body).attribute(IFLA_IFNAME, name);
}

Message address(int family, int scope, unsigned flags = 0) {
  ifaddrmsg body{};
  body.ifa_family = static_cast<uint8_t>(family);
  body.ifa_scope = static_cast<uint8_t>(scope);
  body.ifa_prefixlen = 24;
  body.ifa_index = 2;
  return Message(RTM_NEWADDR, body).attribute(IFA_FLAGS, flags);
}

Message route(int family, int prefix = 0, uint16_t flags = NLM_F_CREATE) {
  rtmsg body{};
  body.rtm_family = static_cast<uint8_t>(family);
  body.rtm_dst_len = static_cast<uint8_t>(prefix);
  body.rtm_type = RTN_UNICAST;
  body.rtm_table = RT_TABLE_MAIN;
  return Message(RTM_NEWROUTE, body, flags);
}

Message rule(unsigned flags = 0) {
  fib_rule_hdr body{};
  body.family = AF_INET;
  body.table = 100;
  body.action = FR_ACT_TO_TBL;
  body.flags = flags;
  return Message(RTM_NEWRULE, body).attribute(FRA_PRIORITY, 90).attribute(FRA_TABLE, 1000);
}

Message nexthop(uint32_t id) {
  nhmsg body{};
  body.nh_family = AF_INET;
  return Message(RTM_NEWNEXTHOP, body).attribute(NHA_ID, id);
}

std::string nested(const Message& inner) { return inner.bytes().substr(NLMSG_HDRLEN + sizeof(uint32_t)); }

std::vector<Fact> facts_of(const std::string& bytes) {
  std::vector<Fact> facts;
  CHECK(read_messages(bytes.data(), bytes.size(), 0, [&](Fact&& fact) { facts.push_back(std::move(fact)); }).error == 0);
  return facts;
}

template <typename Kind>
Kind only(const Message& message) {
  const auto facts = facts_of(message.bytes());
  CHECK(facts.size() == 1 && std::holds_alternative<Kind>(facts[0].what));
  return std::get<Kind>(facts[0].what);
}

bool nothing(const Message& message) { return facts_of(message.bytes()).empty(); }

void links_are_read_with_their_attributes() {
  const std::string kind = nested(Message(0, uint32_t{0}).attribute(IFLA_INFO_KIND, "vlan"));
  const std::string names = nested(Message(0, uint32_t{0}).attribute(IFLA_ALT_IFNAME, "wan").attribute(IFLA_ALT_IFNAME, "uplink"));
  const Link vlan = only<Link>(link(2, "lan0.7", IFF_UP | Link::kLowerUp)
                                   .attribute(IFLA_MASTER, 7)
                                   .attribute(IFLA_LINK, 3)
                                   .attribute(IFLA_LINKINFO, kind.data(), kind.size())
                                   .attribute(IFLA_PROP_LIST | NLA_F_NESTED, names.data(), names.size()));
  CHECK(vlan.index == 2 && vlan.name == "lan0.7" && vlan.up() && vlan.carrier() && vlan.kind == "vlan" && vlan.master == 7 && vlan.lower == 3);
  CHECK(vlan.altnames == (std::vector<std::string>{"wan", "uplink"}));
  const std::string pair = nested(Message(0, uint32_t{0}).attribute(IFLA_INFO_KIND, "veth"));
  CHECK(only<Link>(link(2, "v0", 0).attribute(IFLA_LINK, 3).attribute(IFLA_LINKINFO, pair.data(), pair.size())).lower == 0);
  // What it stands on is in another namespace, where the number means something else.
  const Link far = only<Link>(link(2, "v0", 0).attribute(IFLA_LINK, 3).attribute(IFLA_LINK_NETNSID, 0u));
  CHECK(far.lower == 0 && far.lower_elsewhere && !far.up());
  const std::string table = nested(Message(0, uint32_t{0}).attribute(IFLA_VRF_TABLE, 10));
  const std::string vrf =
      nested(Message(0, uint32_t{0}).attribute(IFLA_INFO_DATA, table.data(), table.size()).attribute(IFLA_INFO_KIND, "vrf"));
  CHECK(only<Link>(link(4, "red", 0).attribute(IFLA_LINKINFO, vrf.data(), vrf.size())).vrf_table == 10);
  CHECK(nothing(link(2, "v0", IFF_UP, AF_BRIDGE)) && nothing(link(0, "v0", IFF_UP)) && nothing(link(2, "", IFF_UP)));
}

void addresses_are_read() {
  CHECK(only<LinkAddress>(address(AF_INET, 0).address(IFA_ADDRESS, "10.0.2.100")).text() == "10.0.2.100/24");
  // The peer of a point-to-point link is not its address.
  const auto ppp = only<LinkAddress>(address(AF_INET, 0).address(IFA_ADDRESS, "10.9.9.9").address(IFA_LOCAL, "10.0.0.1"));
  CHECK(ppp.text() == "10.0.0.1/24" && ppp.peer.text() == "10.9.9.9" && ppp.usable());
  CHECK(only<LinkAddress>(address(AF_INET6, 0).address(IFA_LOCAL, "fd00::1").address(IFA_ADDRESS, "fd00::2")).text() == "fd00::1/24");
  CHECK(!only<LinkAddress>(address(AF_INET, RT_SCOPE_LINK).address(IFA_LOCAL, "169.254.1.1")).usable());
  const auto usable = [](unsigned flags) { return only<LinkAddress>(address(AF_INET6, 0, flags).address(IFA_ADDRESS, "fd00::1")).usable(); };
  CHECK(usable(0) && !usable(IFA_F_TENTATIVE) && !usable(IFA_F_DADFAILED) && usable(IFA_F_TENTATIVE | IFA_F_OPTIMISTIC));
  CHECK(nothing(address(AF_INET, 0).address(IFA_LOCAL, "fd00::1")));  // wrong length
}

void routes_to_everywhere_are_read() {
  const auto one = only<Route>(route(AF_INET).attribute(RTA_OIF, 2).attribute(RTA_PRIORITY, 100).address(RTA_GATEWAY, "10.0.0.1"));
  CHECK(one.hops.size() == 1 && one.hops[0].link == 2 && one.metric == 100 && one.hops[0].gateway.text() == "10.0.0.1");
  CHECK(one.table == RT_TABLE_MAIN && one.type == RTN_UNICAST && !one.source.any());
  // Above 255 the number of the table is in the attribute.
  CHECK(only<Route>(route(AF_INET).attribute(RTA_TABLE, 1000)).table == 1000);
  CHECK(only<Route>(route(AF_INET).attribute(RTA_OIF, 2).address(RTA_PREFSRC, "10.0.0.2")).source.text() == "10.0.0.2");
  CHECK(!only<Route>(route(AF_INET, 1).address(RTA_DST, "0.0.0.0")).upper_half);
  CHECK(only<Route>(route(AF_INET, 1).address(RTA_DST, "128.0.0.0")).upper_half);
  CHECK(only<Route>(route(AF_INET6, 1).address(RTA_DST, "8000::")).upper_half);
  CHECK(nothing(route(AF_INET, 2)) && nothing(route(AF_INET, 24)) && nothing(route(AF_INET6, 128)) && nothing(route(RTNL_FAMILY_IPMR)));
  // Its hops are told as well in compatibility mode, and are those of the object.
  const auto object = only<Route>(route(AF_INET).attribute(RTA_NH_ID, 5).attribute(RTA_OIF, 2));
  CHECK(object.nexthop == 5 && object.hops.empty());
  const char via[] = {AF_INET6, 0, '\xfe', '\x80', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  CHECK(only<Route>(route(AF_INET).attribute(RTA_OIF, 2).attribute(RTA_VIA, via, sizeof via)).hops[0].gateway.text() == "fe80::1");
  const auto verb = [](uint16_t flags) { return facts_of(route(AF_INET, 0, flags).bytes())[0].verb; };
  CHECK(verb(NLM_F_CREATE) == RouteVerb::prepend && verb(NLM_F_CREATE | NLM_F_APPEND) == RouteVerb::append);
  CHECK(verb(NLM_F_REPLACE) == RouteVerb::replace && verb(0) == RouteVerb::update && verb(NLM_F_MULTI) == RouteVerb::append);
}

void every_hop_of_a_multipath_route_is_read() {
  rtnexthop hops[3] = {};
  for (int i = 0; i < 3; i++) hops[i] = {sizeof(rtnexthop), 0, 0, i + 5};
  hops[1].rtnh_flags = RTNH_F_DEAD;
  const auto read = [&] { return only<Route>(route(AF_INET).attribute(RTA_MULTIPATH, hops, sizeof hops)).hops; };
  CHECK(read().size() == 3 && read()[0].link == 5 && read()[1].flags == RTNH_F_DEAD && read()[2].link == 7);
  hops[0].rtnh_len = 0;  // would loop for ever
  CHECK(read().empty());
  hops[0].rtnh_len = 200;
  CHECK(read().empty());
}

void rules_and_nexthops_are_read() {
  const Rule one = only<Rule>(rule().attribute(FRA_FWMARK, 7).attribute(FRA_IIFNAME, "lan0").attribute(FRA_SUPPRESS_PREFIXLEN, 0u));
  CHECK(one.priority == 90 && one.table == 1000 && one.mark == 7 && one.incoming == "lan0" && one.suppressed_prefix_length == 0);
  CHECK(!one.inverted && only<Rule>(rule(FIB_RULE_INVERT)).inverted);
  // Whether the interface exists just now is not a part of it.
  CHECK(only<Rule>(rule(FIB_RULE_IIF_DETACHED)).content == only<Rule>(rule()).content);
  CHECK(only<Rule>(rule(FIB_RULE_INVERT)).content != only<Rule>(rule()).content);
  const auto plain = only<Nexthop>(nexthop(5).attribute(NHA_OIF, 2).address(NHA_GATEWAY, "10.0.0.1"));
  CHECK(plain.id == 5 && plain.link == 2 && plain.gateway.text() == "10.0.0.1" && plain.members.empty() && !plain.blackhole);
  const nexthop_grp members[] = {{5, 0, 0, 0}, {6, 2, 0, 0}};
  const auto group = only<Nexthop>(nexthop(10).attribute(NHA_GROUP, members, sizeof members));
  CHECK(group.members.size() == 2 && group.members[1].id == 6 && group.members[1].weight == 2);
  CHECK(only<Nexthop>(nexthop(7).attribute(NHA_BLACKHOLE, "", 0)).blackhole && nothing(nexthop(0)));
}

Batch batch_of(const std::string& bytes, uint32_t sequence = 0) {
  return read_messages(bytes.data(), bytes.size(), sequence, [](Fact&&) {});
}

void control_messages_are_understood() {
  nlmsgerr refused{};
  refused.error = -EPERM;
  CHECK(batch_of(Message(NLMSG_ERROR, refused).bytes()).error == EPERM);
  CHECK(batch_of(Message(NLMSG_DONE, 0).bytes()).done);
  CHECK(batch_of(Message(NLMSG_DONE, -EINVAL).bytes()).error == EINVAL);
  CHECK(batch_of(Message(NLMSG_DONE, 0, NLM_F_MULTI | NLM_F_DUMP_INTR).bytes()).interrupted);
  // What is left of an earlier dump.
  CHECK(!batch_of(Message(NLMSG_DONE, 0, 0, 7).bytes(), 8).done);
}

void the_head_of_a_table_ends_with_the_first_other_destination() {
  const auto past = [](const Message& message) { return batch_of(message.bytes()).past_zero; };
  CHECK(!past(route(AF_INET)) && !past(route(AF_INET, 8).address(RTA_DST, "0.0.0.0")) && !past(route(AF_INET, 1).address(RTA_DST, "0.0.0.0")));
  CHECK(past(route(AF_INET, 8).address(RTA_DST, "10.0.0.0")) && past(route(AF_INET, 1).address(RTA_DST, "128.0.0.0")));
}

void hostile_messages_do_no_harm() {
  const std::string kind = nested(Message(0, uint32_t{0}).attribute(IFLA_INFO_KIND, "vrf").attribute(IFLA_INFO_DATA, "12345678"));
  const std::string names = nested(Message(0, uint32_t{0}).attribute(IFLA_ALT_IFNAME, "wan"));
  const rtnexthop hops[] = {{sizeof(rtnexthop), 0, 0, 2}, {sizeof(rtnexthop), 0, 0, 3}};
  const nexthop_grp members[] = {{5, 0, 0, 0}, {6, 2, 0, 0}};
  const std::vector<std::string> messages{
      link(2, "tap0", IFF_UP).attribute(IFLA_LINKINFO, kind.data(), kind.size()).attribute(IFLA_PROP_LIST, names.data(), names.size()).bytes(),
      address(AF_INET, 0).address(IFA_LOCAL, "10.0.0.1").bytes(),
      address(AF_INET6, 0).address(IFA_ADDRESS, "fd00::1").bytes(),
      route(AF_INET).attribute(RTA_OIF, 2).address(RTA_GATEWAY, "10.0.0.1").attribute(RTA_METRICS, "12345678").bytes(),
      route(AF_INET6, 1).address(RTA_DST, "8000::").attribute(RTA_MULTIPATH, hops, sizeof hops).bytes(),
      route(AF_INET).attribute(RTA_NH_ID, 10).attribute(RTA_VIA, "\n\0abcdefghijklmnop", 18).bytes(),
      rule().attribute(FRA_IIFNAME, "lan0").bytes(),
      nexthop(5).attribute(NHA_OIF, 2).address(NHA_GATEWAY, "10.0.0.1").bytes(),
      nexthop(10).attribute(NHA_GROUP, members, sizeof members).bytes()};
  std::string whole;
  for (const std::string& message : messages) whole += message;
  // Each length in its own allocation, so that ASan sees every read beyond the end.
  for (size_t size = 0; size <= whole.size(); size++) {
    const std::vector<char> exact(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    read_messages(exact.data(), exact.size(), 0, [](Fact&&) {});
  }
  CHECK(batch_of(whole.substr(0, whole.size() - 4)).error == EBADMSG);
  const char* rounds = getenv("SOCKMON_FUZZ_ROUNDS");
  std::mt19937 random(3);
  NetworkStore store;
  for (int round = rounds == nullptr ? kFuzzRounds : atoi(rounds); round > 0; round--) {
    const std::string& message = messages[random() % messages.size()];
    std::vector<char> damaged(message.begin(), message.end());
    for (int i = 0; i < 3; i++) damaged[random() % damaged.size()] = static_cast<char>(random());
    // Taken away as often as added, so that the store stays small.
    if (random() % 2 == 0) damaged[4] = static_cast<char>(damaged[4] | 1);
    read_messages(damaged.data(), damaged.size(), 0, [&](Fact&& fact) { store.apply(std::move(fact)); });
    if (round % 1000 == 0) store = {};
  }
}

void the_real_kernel_is_asked() {
  FakeSys sys;
  sys.on_recv = [left = 2](int) mutable { return left-- > 0 ? static_cast<ssize_t>(fail(EINTR)) : FakeSys::kReal; };
  const NetworkStore store = read_network(sys);
  CHECK(store.find("lo") != nullptr && store.find(1) != nullptr && !store.rules().empty());
  const auto& routes = store.default_routes();
  for (size_t i = 1; i < routes.size(); i++) CHECK(routes[i - 1].family == AF_INET || routes[i].family == AF_INET6);
}

void a_refused_socket_is_an_error() {
  FakeSys sys;
  sys.on_socket = [](int domain) { return domain == AF_NETLINK ? fail(EPERM) : FakeSys::kReal; };
  CHECK(code_of([&] { read_network(sys); }) == "EPERM");
  CHECK(code_of([&] { open_network_events(sys); }) == "EPERM");
}

}  // namespace

void test_netlink() {
  links_are_read_with_their_attributes();
  addresses_are_read();
  routes_to_everywhere_are_read();
  every_hop_of_a_multipath_route_is_read();
  rules_and_nexthops_are_read();
  control_messages_are_understood();
  the_head_of_a_table_ends_with_the_first_other_destination();
  hostile_messages_do_no_harm();
  the_real_kernel_is_asked();
  a_refused_socket_is_an_error();
}

}  // namespace sockmon
