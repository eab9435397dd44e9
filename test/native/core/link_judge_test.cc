#include "sensors/link_judge.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "check.h"

namespace sockmon {
namespace {

constexpr unsigned kUp = IFF_UP | Link::kLowerUp;

struct Interface {
  int index = 0;
  std::string name;
  unsigned flags = 0;
};
struct Address {
  int interface = 0;
  int family = AF_INET;
  std::string text;
};
struct Way {
  int interface = 0;
  int family = AF_INET;
  uint32_t metric = 0;
};

/// eth0 (2) whole with IPv4; the tests take away and add.
struct Net {
  std::vector<Interface> interfaces{{1, "lo", kUp}, {2, "eth0", kUp}, {3, "wwan0", kUp}};
  std::vector<Address> addresses{{2, AF_INET, "10.0.0.2"}};
  std::vector<Way> routes{{2, AF_INET, 100}};

  operator NetworkStore() const {
    NetworkStore store;
    for (const auto& [index, name, flags] : interfaces) {
      Link link;
      link.index = index;
      link.name = name;
      link.flags = flags;
      store.apply({link});
    }
    for (const auto& [interface, family, text] : addresses) {
      LinkAddress address;
      address.link = interface;
      address.local.family = static_cast<uint8_t>(family);
      CHECK(inet_pton(family, text.c_str(), address.local.bytes.data()) == 1);
      address.peer = address.local;
      address.prefix_length = 24;
      store.apply({address});
    }
    for (const auto& [interface, family, metric] : routes) {
      Route route;
      route.family = static_cast<uint8_t>(family);
      route.table = RT_TABLE_MAIN;
      route.type = RTN_UNICAST;
      route.metric = metric;
      route.hops = {{interface, {}, 0, 0}};
      store.apply({route});
    }
    return store;
  }
  Net with_flags(unsigned flags) const {
    Net net = *this;
    net.interfaces[1].flags = flags;
    return net;
  }
  Net without_carrier() const { return with_flags(IFF_UP); }
  Net without_route() const {
    Net net = *this;
    net.routes.clear();
    return net;
  }
  Net without_address() const {
    Net net = without_route();
    net.addresses.clear();
    return net;
  }
  Net without_interface() const {
    Net net = without_address();
    net.interfaces.erase(net.interfaces.begin() + 1);
    return net;
  }
  Net with_backup(int family = AF_INET) const {
    Net net = *this;
    net.addresses.push_back({3, family, family == AF_INET ? "10.1.0.2" : "fd00::3"});
    net.routes.push_back({3, family, 700});
    return net;
  }
  Net with_ipv6() const {
    Net net = *this;
    net.addresses.push_back({2, AF_INET6, "fd00::2"});
    net.routes.push_back({2, AF_INET6, 1024});
    return net;
  }
};

LinkSpec named(bool carrier = false) {
  LinkSpec spec;
  spec.interface = "eth0";
  spec.carrier = carrier;
  return spec;
}

bool down(const LinkVerdict& verdict, const Reason* reason) {
  return verdict.state == SensorState::down && verdict.reason == reason;
}
bool up(const LinkVerdict& verdict) { return verdict.state == SensorState::up && !verdict.reason; }
bool waiting(const LinkVerdict& verdict, const Reason* reason) {
  return verdict.state == SensorState::up && verdict.reason == reason;
}
bool absent(const LinkVerdict& verdict) { return verdict.state == SensorState::absent; }

void each_loss_has_its_reason_and_ends_when_whole_again() {
  const Net whole;
  const std::pair<Net, const Reason*> losses[] = {
      {whole.without_interface(), &kInterfaceGone},
      {whole.with_flags(0), &kInterfaceDown},
      {whole.without_address(), &kNoAddress},
      {whole.without_route(), &kNoDefaultRoute},
  };
  for (const auto& [lost, reason] : losses) {
    for (const LinkSpec& spec : {named(), LinkSpec()}) {
      LinkJudge judge(spec);
      CHECK(up(judge.next(whole)));
      CHECK(down(judge.next(lost), reason));
      CHECK(judge.verdict().interface == "eth0" && !judge.verdict().detail.empty());
      // The first reason stays: what comes after is the same death.
      CHECK(down(judge.next(whole.without_interface()), reason));
      CHECK(up(judge.next(whole)));
      CHECK(judge.verdict().detail.empty());
    }
  }
}

void what_was_never_whole_is_absent() {
  const Net whole;
  LinkJudge judge(named());
  CHECK(absent(judge.next(whole.without_interface())));
  CHECK(judge.verdict().detail == "the interface is not there");
  CHECK(absent(judge.next(whole.with_flags(0))));
  CHECK(absent(judge.next(whole.without_address())));
  CHECK(absent(judge.next(whole.without_route())));
  CHECK(up(judge.next(whole)));
  LinkJudge any{LinkSpec()};
  CHECK(absent(any.next(whole.without_route())) && any.verdict().interface.empty());
  CHECK(up(any.next(whole)) && any.verdict().interface == "eth0");
}

void a_lost_carrier_explains_what_is_lost_after_it() {
  const Net whole;
  LinkJudge judge(named());
  judge.next(whole);
  CHECK(up(judge.next(whole.without_carrier())) && !judge.verdict().carrier);
  CHECK(up(judge.next(whole.without_carrier().without_address())));
  const LinkVerdict before = judge.verdict();
  CHECK(waiting(judge.next(whole.without_address()), &kNoAddress));
  CHECK(judge.verdict().carrier && judge.verdict().detail == "waiting for address");
  CHECK(!judge.verdict().same_news(before));
  CHECK(waiting(judge.next(whole.without_route()), &kNoDefaultRoute));
  CHECK(judge.verdict().detail == "waiting for default route");
  CHECK(up(judge.next(whole.without_carrier().without_address())) && judge.verdict().detail.empty());
  CHECK(waiting(judge.next(whole.without_address()), &kNoAddress));
  CHECK(up(judge.next(whole)) && judge.verdict().detail.empty());
  // Whole again with carrier: from now on a loss is a death.
  CHECK(down(judge.next(whole.without_address()), &kNoAddress));
}

void carrier_and_address_lost_at_once_are_no_death() {
  const Net whole;
  LinkJudge judge(named());
  judge.next(whole);
  CHECK(up(judge.next(whole.without_address().without_carrier())));
}

void without_carrier_the_interface_itself_can_still_die() {
  const Net whole;
  for (const auto& [lost, reason] : {std::pair(whole.without_interface(), &kInterfaceGone),
                                     std::pair(whole.with_flags(0), &kInterfaceDown)}) {
    LinkJudge judge(named());
    judge.next(whole);
    judge.next(whole.without_carrier());
    CHECK(down(judge.next(lost), reason));
  }
}

void a_required_carrier_is_a_part_of_the_whole() {
  const Net whole;
  LinkJudge judge(named(true));
  CHECK(absent(judge.next(whole.without_carrier())));
  CHECK(up(judge.next(whole)));
  CHECK(down(judge.next(whole.without_carrier()), &kNoCarrier));
  CHECK(up(judge.next(whole)));
}

void up_without_carrier_from_the_start_is_excused() {
  const Net whole;
  LinkJudge judge(named());
  CHECK(up(judge.next(whole.without_carrier())));
  CHECK(up(judge.next(whole.without_carrier().without_address())));
}

void another_default_route_takes_over() {
  const Net whole;
  LinkJudge judge{LinkSpec()};
  judge.next(whole.with_backup());
  CHECK(judge.verdict().interface == "eth0" && !judge.depends_on_interface(whole.with_backup()));
  CHECK(judge.depends_on_interface(whole));
  Net left = whole.with_backup();
  left.routes.erase(left.routes.begin());
  CHECK(up(judge.next(left)) && judge.verdict().interface == "wwan0");
  // The first one back: the pin stays where it is.
  CHECK(up(judge.next(whole.with_backup())) && judge.verdict().interface == "wwan0");
  CHECK(up(judge.next(whole)) && judge.verdict().interface == "eth0");
  CHECK(down(judge.next(whole.without_interface()), &kInterfaceGone));
}

void an_unusable_route_does_not_take_over() {
  const Net whole;
  Net no_address = whole.with_backup();
  no_address.addresses.pop_back();
  Net no_carrier = whole.with_backup();
  no_carrier.interfaces[2].flags = IFF_UP;
  for (Net net : {no_address, no_carrier, whole.with_backup(AF_INET6)}) {
    LinkJudge judge{LinkSpec()};
    judge.next(net);
    net.routes.erase(net.routes.begin());
    CHECK(down(judge.next(net), &kNoDefaultRoute));
  }
}

void a_named_interface_has_no_deputy() {
  LinkJudge judge(named());
  Net net = Net().with_backup();
  judge.next(net);
  net.routes.erase(net.routes.begin());
  CHECK(down(judge.next(net), &kNoDefaultRoute));
}

void ipv6_does_not_stand_in_for_a_lost_ipv4() {
  const Net both = Net().with_ipv6();
  Net only_v6 = both;
  only_v6.addresses.erase(only_v6.addresses.begin());
  only_v6.routes.erase(only_v6.routes.begin());
  for (const LinkSpec& spec : {named(), LinkSpec()}) {
    LinkJudge judge(spec);
    judge.next(both);
    CHECK(down(judge.next(only_v6), &kNoAddress));
    CHECK(down(judge.next(only_v6), &kNoAddress));
    CHECK(up(judge.next(both)));
    // IPv6 first, IPv4 later: judged by IPv4 from then on.
    LinkJudge late(spec);
    CHECK(up(late.next(only_v6)));
    CHECK(up(late.next(both)));
    CHECK(down(late.next(only_v6), &kNoAddress));
  }
}

void what_is_not_asked_for_is_not_missed() {
  LinkSpec spec = named();
  spec.default_route = false;
  LinkJudge lan(spec);
  CHECK(up(lan.next(Net().without_route())));
  CHECK(down(lan.next(Net().without_address()), &kNoAddress));
  spec.address = false;
  LinkJudge bare(spec);
  CHECK(up(bare.next(Net().without_address())));
  CHECK(down(bare.next(Net().with_flags(0)), &kInterfaceDown));
}

void addresses_come_and_go_in_silence() {
  LinkJudge judge(named());
  const LinkVerdict before = judge.next(Net());
  Net more;
  more.addresses.push_back({2, AF_INET, "10.0.0.3"});
  CHECK(judge.next(more).same_news(before) && judge.verdict().addresses.size() == 2);
  CHECK(!judge.next(more.without_carrier()).same_news(before));
}

}  // namespace

void test_link_judge() {
  each_loss_has_its_reason_and_ends_when_whole_again();
  what_was_never_whole_is_absent();
  a_lost_carrier_explains_what_is_lost_after_it();
  carrier_and_address_lost_at_once_are_no_death();
  without_carrier_the_interface_itself_can_still_die();
  a_required_carrier_is_a_part_of_the_whole();
  up_without_carrier_from_the_start_is_excused();
  another_default_route_takes_over();
  an_unusable_route_does_not_take_over();
  a_named_interface_has_no_deputy();
  ipv6_does_not_stand_in_for_a_lost_ipv4();
  what_is_not_asked_for_is_not_missed();
  addresses_come_and_go_in_silence();
}

}  // namespace sockmon
