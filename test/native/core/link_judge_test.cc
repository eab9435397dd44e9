#include "sensors/link_judge.h"

#include "link_watch.h"

namespace sockmon {
namespace {

NamedLinkSpec with_route() {
  NamedLinkSpec spec = named();
  spec.default_route = true;
  return spec;
}

void each_loss_has_its_reason_and_ends_when_whole_again() {
  const Net whole;
  const std::pair<Net, const Reason*> losses[] = {
      {whole.without_interface(), &kInterfaceGone},
      {whole.with_flags(0), &kInterfaceDown},
      {whole.without_address(), &kNoAddress},
      {whole.without_route(), &kNoDefaultRoute},
  };
  for (const auto& [lost, reason] : losses) {
    for (const bool is_named : {true, false}) {
      Watch watch = is_named ? Watch(with_route()) : Watch(uplink());
      CHECK(up(watch.next(whole)));
      CHECK(down(watch.next(lost), *reason));
      CHECK(watch.verdict().interface == "eth0" && watch.verdict().index == 2 && !watch.verdict().detail.empty());
      // What comes after is the same death, unless it was borne until then.
      const bool was_borne = reason->nature == Nature::unreachable;
      CHECK(down(watch.next(whole.without_interface()), was_borne ? kInterfaceGone : *reason));
      CHECK(up(watch.next(whole)));
      CHECK(watch.verdict().detail.empty());
    }
  }
}

void what_was_never_whole_is_absent() {
  const Net whole;
  Watch watch(with_route());
  CHECK(absent(watch.next(whole.without_interface())) && watch.verdict().detail == "the interface is not there");
  CHECK(absent(watch.next(whole.with_flags(0))) && watch.verdict().detail == "the interface is down");
  CHECK(absent(watch.next(whole.without_route())));
  CHECK(up(watch.next(whole)));
  Watch any{uplink()};
  CHECK(absent(any.next(whole.without_route())) && any.verdict().interface.empty());
  CHECK(any.verdict().detail == "no interface has a default route");
  CHECK(up(any.next(whole)) && any.verdict().interface == "eth0");
}

void an_uplink_that_leads_nowhere_says_what_is_missing() {
  using Families = UplinkSpec::Families;
  const auto words = [](UplinkSpec spec, const Net& net) {
    Watch watch{std::move(spec)};
    CHECK(absent(watch.next(net)));
    return watch.verdict().detail;
  };
  // An owner who sees an IPv4 default route must not read that there is none.
  CHECK(words(uplink(Families::all), Net()) == "no interface has a default route of IPv6");
  CHECK(words(uplink(Families::v4), Net().without_route()) == "no interface has a default route of IPv4");
  UplinkSpec far = uplink();
  far.is_towards_given = true;
  CHECK(words(far, Net().without_route()) == "no interface leads to " + far.towards6.text());
  far.towards6 = {};
  CHECK(words(far, Net().without_route()) == "no interface leads to " + far.towards4.text());
  UplinkSpec inside = uplink();
  inside.vrf = "red";
  CHECK(words(inside, Net()) == "there is no VRF red");
}

void a_named_link_needs_what_it_had() {
  // A bridge without an address is as good as one with.
  Watch bare(named());
  CHECK(up(bare.next(Net().without_address())) && up(bare.next(Net())));
  CHECK(up(bare.next(Net().without_route())));
  CHECK(down(bare.next(Net().without_address()), kNoAddress));
  // Another address is as good as the one before.
  Net other = Net().without_address();
  other.addresses = {{2, "10.9.9.9"}};
  CHECK(up(bare.next(other)));
  // One that it gives itself where nobody answers is none.
  Net alone = Net().without_address();
  alone.addresses = {{2, "169.254.7.7"}};
  CHECK(down(bare.next(alone), kNoAddress));

  NamedLinkSpec spec = named();
  spec.address = NamedLinkSpec::Address::required;
  Watch required(spec);
  CHECK(absent(required.next(Net().without_address())) && up(required.next(Net())));
  spec.address = NamedLinkSpec::Address::ignored;
  Watch ignored(spec);
  CHECK(up(ignored.next(Net())) && up(ignored.next(Net().without_address())));
  CHECK(down(ignored.next(Net().with_flags(0)), kInterfaceDown));
}

void a_prefix_that_the_provider_takes_away_is_no_death_of_a_lan() {
  Watch lan(named());
  CHECK(up(lan.next(Net().with_ipv6())) && up(lan.next(Net())));
  // Where there is nothing else it is.
  Net only_v6;
  only_v6.addresses = {{2, "2001:db8::2"}};
  Watch v6(named());
  CHECK(up(v6.next(only_v6)) && down(v6.next(Net().without_address()), kNoAddress));
  // After a death either is enough.
  CHECK(up(v6.next(Net())));
}

void a_renamed_interface_is_the_same() {
  Net renamed;
  renamed.at(2).name = "wan9";
  for (const bool is_named : {true, false}) {
    Watch watch = is_named ? Watch(named()) : Watch(uplink());
    watch.next(Net());
    CHECK(up(watch.next(renamed)) && watch.verdict().interface == "wan9" && watch.verdict().index == 2);
    CHECK(down(watch.next(renamed.with_flags(0)), kInterfaceDown));
    CHECK(up(watch.next(renamed)));
    CHECK(down(watch.next(renamed.without_interface()), kInterfaceGone) && watch.verdict().interface == "wan9");
  }
  // Another one that gets the name does not take its place as long as it lives.
  Watch watch(named());
  watch.next(Net());
  Net both = renamed;
  both.at(3).name = "eth0";
  both.addresses.push_back({3, "10.1.0.2"});
  CHECK(up(watch.next(both)) && watch.verdict().index == 2);
  CHECK(down(watch.next(both.with_flags(0)), kInterfaceDown));
  CHECK(up(watch.next(both)) && watch.verdict().index == 3);
  // By an alternative name.
  Net alternative;
  alternative.at(3).altnames = {"eth7"};
  NamedLinkSpec spec;
  spec.interface = "eth7";
  Watch other(spec);
  CHECK(up(other.next(alternative)) && other.verdict().interface == "wwan0");
}

void a_lost_carrier_explains_what_is_lost_after_it() {
  const Net whole;
  Watch watch(with_route());
  watch.next(whole);
  CHECK(up(watch.next(whole.without_carrier())) && !watch.verdict().carrier);
  CHECK(up(watch.next(whole.without_carrier().without_address())));
  const LinkVerdict before = watch.verdict();
  CHECK(waiting(watch.next(whole.without_address()), kNoAddress));
  CHECK(watch.verdict().carrier && watch.verdict().detail == "waiting for address");
  CHECK(!watch.verdict().same_news(before));
  CHECK(waiting(watch.next(whole.without_route()), kNoDefaultRoute));
  CHECK(watch.verdict().detail == "waiting for default route");
  CHECK(up(watch.next(whole.without_carrier().without_address())) && watch.verdict().detail.empty());
  CHECK(waiting(watch.next(whole.without_address()), kNoAddress));
  CHECK(up(watch.next(whole)) && watch.verdict().detail.empty());
  // Whole again with carrier: from now on a loss is a death.
  CHECK(down(watch.next(whole.without_address()), kNoAddress));
  // Too late for an excuse.
  CHECK(down(watch.next(whole.without_address().without_carrier()), kNoAddress));
}

void a_loss_that_a_carrier_may_explain_is_told_as_such() {
  Watch watch(uplink());
  watch.next(Net());
  const auto loses = [&](const Net& net) {
    watch.router.net = net;
    return watch.life.loses_what_may_be_renewed(watch.judge->look(net, true));
  };
  CHECK(loses(Net().without_route()) && loses(Net().without_address()));
  CHECK(!loses(Net()) && !loses(Net().with_flags(0)) && !loses(Net().without_route().without_carrier()));
  CHECK(up(watch.next(Net().without_address().without_carrier())));
}

void without_carrier_the_interface_itself_can_still_die() {
  const Net whole;
  for (const auto& [lost, reason] : {std::pair(whole.without_interface(), &kInterfaceGone), std::pair(whole.with_flags(0), &kInterfaceDown)}) {
    Watch watch(named());
    watch.next(whole);
    watch.next(whole.without_carrier());
    CHECK(down(watch.next(lost), *reason));
  }
}

void a_required_carrier_is_a_part_of_the_whole() {
  UplinkSpec spec = uplink();
  spec.carrier = true;
  for (Watch* watch : {new Watch(named(true)), new Watch(spec)}) {
    const std::unique_ptr<Watch> owner(watch);
    CHECK(absent(watch->next(Net().without_carrier())));
    CHECK(up(watch->next(Net())));
    CHECK(down(watch->next(Net().without_carrier()), kNoCarrier));
    CHECK(up(watch->next(Net())));
  }
}

void up_without_carrier_from_the_start_is_excused() {
  for (Watch* watch : {new Watch(named()), new Watch(uplink())}) {
    const std::unique_ptr<Watch> owner(watch);
    CHECK(up(watch->next(Net().without_carrier())));
    CHECK(up(watch->next(Net().without_carrier().without_address())));
  }
}

void a_tap_without_a_carrier_has_lost_its_stack() {
  Net tap;
  tap.at(2).kind = "tun";
  for (const bool is_named : {true, false}) {
    Watch watch = is_named ? Watch(named()) : Watch(uplink());
    CHECK(absent(watch.next(tap.without_carrier())) && watch.verdict().detail == "no process is behind the interface");
    CHECK(up(watch.next(tap)) && down(watch.next(tap.without_carrier()), kStackGone) && up(watch.next(tap)));
  }
}

void what_stands_on_taps_alone_goes_with_them() {
  Link vlan = Net::link(2, "eth0", "vlan");
  vlan.lower = 9;
  Link port = Net::link(9, "tap0", "tun");
  port.master = 2;
  Link other = Net::link(10, "eth1");
  other.master = 2;
  Net on_tap, bridge;
  on_tap.at(2) = vlan;
  bridge.at(2).kind = "bridge";
  const auto dead = [](Net net, unsigned port_flags) {
    net.at(2).flags = IFF_UP;
    net.at(9).flags = port_flags;
    return net;
  };
  for (const Net& net : {on_tap.with(port), bridge.with(port)}) {
    Watch watch(named());
    CHECK(up(watch.next(net)) && down(watch.next(dead(net, IFF_UP)), kStackGone) && up(watch.next(net)));
    // Dead for another reason.
    CHECK(up(watch.next(dead(net, kUp))) && !watch.verdict().carrier);
  }
  // A cable is one of its ports; a bridge without any port has lost its last one, which a container does when it ends.
  Watch mixed(named());
  Net cable = bridge.with(port).with(other);
  mixed.next(cable);
  Net pulled = dead(cable, IFF_UP);
  pulled.at(10).flags = IFF_UP;
  CHECK(up(mixed.next(pulled)));
  Watch empty(named());
  empty.next(bridge);
  CHECK(up(empty.next(bridge.without_carrier())));
}

void what_stands_on_a_nic_that_is_taken_down_is_dead() {
  Net net;
  net.at(2).kind = "macvlan";
  net.at(2).lower = 9;
  Link vlan = Net::link(9, "nic0.7", "vlan");
  vlan.lower = 10;
  const Net whole = net.with(vlan).with(Net::link(10, "nic0"));
  const auto with = [&](unsigned vlan_flags, unsigned nic_flags) {
    Net changed = whole.without_carrier();
    changed.at(9).flags = vlan_flags;
    changed.at(10).flags = nic_flags;
    return changed;
  };
  for (const bool is_named : {true, false}) {
    Watch watch = is_named ? Watch(named()) : Watch(uplink());
    CHECK(up(watch.next(whole)));
    // A cable is pulled.
    CHECK(up(watch.next(with(IFF_UP, IFF_UP))) && !watch.verdict().carrier && up(watch.next(whole)));
    CHECK(down(watch.next(with(0, 0)), kLowerDown) && up(watch.next(whole)));
    CHECK(down(watch.next(with(IFF_UP, 0)), kLowerDown) && up(watch.next(whole)));
    // It goes down before it is told what that means to those above.
    Net first = whole;
    first.at(10).flags = 0;
    CHECK(up(watch.next(first)) && watch.verdict().carrier);
  }
  // In another namespace nobody can look; the ports of a bridge come and go.
  Net elsewhere = with(0, 0);
  elsewhere.at(2).lower_elsewhere = true;
  Watch watch(named());
  CHECK(up(watch.next(elsewhere)));
  Net bridge;
  bridge.at(2).kind = "bridge";
  Link port = Net::link(9, "c0", "veth", 0);
  port.master = 2;
  Watch lan(named());
  CHECK(up(lan.next(bridge)) && up(lan.next(bridge.without_carrier().with(port))));
}

void the_kernel_says_which_link_carries() {
  Watch watch{uplink()};
  watch.next(Net().with_backup());
  CHECK(watch.verdict().interface == "eth0" && watch.judge->may_move(Net().with_backup(), 2) && !watch.judge->may_move(Net(), 2));
  CHECK(watch.judge->standby(Net().with_backup(), 2) == std::vector<std::string>{"wwan0"});
  CHECK(up(watch.next(Net().with_backup().without_first_route())) && watch.verdict().interface == "wwan0");
  CHECK(up(watch.next(Net().with_backup())) && watch.verdict().interface == "eth0");
  CHECK(down(watch.next(Net().without_interface()), kInterfaceGone));
  CHECK(watch.router.asked[0].to.text() == "192.0.2.1" && watch.router.asked[0].mark == 0 && watch.router.asked[0].vrf == 0);
}

void an_unusable_route_does_not_take_over() {
  Net no_address = Net().with_backup();
  no_address.addresses.clear();
  Net no_carrier = Net().with_backup();
  no_carrier.at(3).flags = IFF_UP;
  Net no_stack = no_carrier;
  no_stack.at(3).kind = "tun";
  for (const Net& net : {no_carrier, no_stack, Net().with_backup(AF_INET6)}) {
    Watch watch{uplink()};
    watch.next(net);
    CHECK(down(watch.next(net.without_first_route()), kNoDefaultRoute) && watch.verdict().interface == "eth0");
  }
  Watch watch{uplink()};
  watch.next(Net().with_backup());
  CHECK(down(watch.next(no_address.without_first_route()), kNoAddress));
}

void an_address_may_stand_on_another_link() {
  // Unnumbered, with the address on lo; and a delegated prefix on the LAN's bridge.
  Net unnumbered = Net().without_address().with_address(1, "10.0.0.2");
  unnumbered.routes = {{2, AF_INET, 0}};
  Net delegated = Net().without_address().with_address(3, "2001:db8:7::1").with_address(2, "fe80::2");
  delegated.addresses = {{3, "2001:db8:7::1"}};
  delegated.routes = {{2, AF_INET6, 1024}};
  for (const Net& net : {unnumbered, delegated}) {
    Watch watch{uplink()};
    CHECK(up(watch.next(net)) && watch.verdict().interface == "eth0");
    CHECK(down(watch.next(net.with_flags(0)), kInterfaceDown));
  }
}

void an_address_that_a_client_gave_itself_is_no_uplink() {
  for (const auto& [own, family] : {std::pair("169.254.3.4", AF_INET), std::pair("fe80::2", AF_INET6)}) {
    Net alone = Net().without_address().with_address(2, own);
    alone.routes = {{2, family, 1001002}};
    Watch watch{uplink()};
    CHECK(absent(watch.next(alone)) && watch.verdict().detail == "it has no address, or only one that it has given itself");
    watch.next(Net());
    CHECK(down(watch.next(alone), kNoAddress));
  }
}

void what_a_router_has_advertised_holds_for_a_time() {
  Net v6 = Net().with_ipv6();
  v6.addresses.erase(v6.addresses.begin());
  v6.routes.erase(v6.routes.begin());
  Watch watch{uplink()};
  watch.router.net = v6;
  const auto lasts = [&](const Net& net) { return watch.judge->look(net, true).lasts_ms; };
  CHECK(std::isinf(lasts(v6)));
  watch.router.lasts_ms = 5000;
  CHECK(lasts(v6) == 5000);
  // The kernel revives it without a word, as long as it has not been collected.
  watch.router.expired = true;
  CHECK(std::isfinite(lasts(v6)) && watch.judge->look(v6, true).missing == &kNoDefaultRoute);
  CHECK(std::isinf(lasts(v6.without_route())));
  CHECK(std::isinf(lasts(v6)));
}

void families_are_judged_as_the_owner_says() {
  using Families = UplinkSpec::Families;
  const Net v4, both = Net().with_ipv6();
  Net v6 = both;
  v6.addresses.erase(v6.addresses.begin());
  v6.routes.erase(v6.routes.begin());
  // What was whole with both: whether it still is with one of them.
  const struct {
    Families families;
    bool with_v4, with_v6;
  } cases[] = {{Families::automatic, true, false}, {Families::any, true, true}, {Families::all, false, false},
               {Families::v4, true, false},        {Families::v6, false, true}};
  for (const auto& [families, with_v4, with_v6] : cases) {
    Watch watch{uplink(families)};
    CHECK(up(watch.next(both)));
    CHECK(up(watch.next(v4)) == with_v4);
    watch.next(both);
    CHECK(up(watch.next(v6)) == with_v6);
  }
  // By IPv6 where it has never had another, by IPv4 from its first one on.
  Watch late{uplink()};
  CHECK(up(late.next(v6)) && up(late.next(both)) && down(late.next(v6), kNoAddress));
  CHECK(down(late.next(v6), kNoAddress) && up(late.next(both)));
}

void the_packets_that_are_meant_are_asked_for() {
  UplinkSpec spec = uplink();
  spec.towards6 = {};
  spec.mark = 0x10;
  spec.vrf = "red";
  Watch watch{spec};
  CHECK(absent(watch.next(Net())) && watch.router.asked.empty());
  CHECK(up(watch.next(Net().with(Net::link(9, "red", "vrf")))));
  CHECK(watch.router.asked.size() == 1 && watch.router.asked[0].mark == 0x10 && watch.router.asked[0].vrf == 9);
}

void the_families_that_carry_are_told_where_either_is_enough() {
  using Families = UplinkSpec::Families;
  using Names = std::vector<std::string>;
  const auto carrying = [](UplinkSpec spec, const Net& net) {
    Watch watch{std::move(spec)};
    watch.next(net);
    return watch.judge->families(net);
  };
  const Net both = Net().with_ipv6();
  CHECK(carrying(uplink(Families::any), both) == (Names{"IPv4", "IPv6"}) && carrying(uplink(Families::any), Net()) == Names{"IPv4"});
  CHECK(carrying(uplink(Families::any), both.without_interface()) == Names{});
  for (const Families families : {Families::automatic, Families::all, Families::v4, Families::v6})
    CHECK(!carrying(uplink(families), both));
  UplinkSpec one = uplink(Families::any);
  one.towards6 = {};
  CHECK(!carrying(one, both));
  Watch named_watch(named());
  CHECK(!named_watch.judge->families(both));
}

void addresses_come_and_go_in_silence() {
  Watch watch(named());
  const LinkVerdict before = watch.next(Net());
  const Net more = Net().with_address(2, "10.0.0.3");
  CHECK(watch.next(more).same_news(before) && watch.verdict().addresses.size() == 2);
  CHECK(!watch.next(more.without_carrier()).same_news(before));
}

void only_what_may_make_a_difference_is_looked_at() {
  const auto link_change = [](int index) {
    NetworkChanges changes;
    changes.add({Change::kLink, index});
    return changes;
  };
  Watch watch{uplink()};
  watch.next(Net());
  CHECK(!watch.judge->depends_on(Net(), link_change(7), watch.verdict()));
  CHECK(watch.judge->depends_on(Net(), link_change(2), watch.verdict()));
  for (const unsigned what : {Change::kRoute, Change::kRule, Change::kNexthop, Change::kAddress}) {
    NetworkChanges changes;
    changes.add({what, 7});
    CHECK(watch.judge->depends_on(Net(), changes, watch.verdict()));
  }
  Watch lan(named());
  lan.next(Net());
  CHECK(!lan.judge->depends_on(Net(), link_change(7), lan.verdict()) && lan.judge->depends_on(Net(), link_change(2), lan.verdict()));
  NetworkChanges route;
  route.add({Change::kRoute, 7});
  CHECK(!lan.judge->depends_on(Net(), route, lan.verdict()));
}

}  // namespace

void test_link_judge() {
  each_loss_has_its_reason_and_ends_when_whole_again();
  what_was_never_whole_is_absent();
  an_uplink_that_leads_nowhere_says_what_is_missing();
  a_named_link_needs_what_it_had();
  a_prefix_that_the_provider_takes_away_is_no_death_of_a_lan();
  a_renamed_interface_is_the_same();
  a_lost_carrier_explains_what_is_lost_after_it();
  a_loss_that_a_carrier_may_explain_is_told_as_such();
  without_carrier_the_interface_itself_can_still_die();
  a_required_carrier_is_a_part_of_the_whole();
  up_without_carrier_from_the_start_is_excused();
  a_tap_without_a_carrier_has_lost_its_stack();
  what_stands_on_taps_alone_goes_with_them();
  what_stands_on_a_nic_that_is_taken_down_is_dead();
  the_kernel_says_which_link_carries();
  an_unusable_route_does_not_take_over();
  an_address_may_stand_on_another_link();
  an_address_that_a_client_gave_itself_is_no_uplink();
  what_a_router_has_advertised_holds_for_a_time();
  families_are_judged_as_the_owner_says();
  the_packets_that_are_meant_are_asked_for();
  the_families_that_carry_are_told_where_either_is_enough();
  addresses_come_and_go_in_silence();
  only_what_may_make_a_difference_is_looked_at();
}

}  // namespace sockmon
