// Networks for the tests of links: eth0 (2) is whole with IPv4, and each test takes away and adds.
#pragma once
#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include "check.h"
#include "network/lookup.h"
#include "network/store.h"

namespace sockmon {

constexpr unsigned kUp = IFF_UP | Link::kLowerUp;

struct Net {
  struct Address {
    int interface = 0;
    std::string text;
  };
  struct Way {
    int interface = 0;
    int family = AF_INET;
    uint32_t metric = 0;
  };
  std::vector<Link> links{link(1, "lo"), link(2, "eth0"), link(3, "wwan0")};
  std::vector<Address> addresses{{2, "10.0.0.2"}};
  std::vector<Way> routes{{2, AF_INET, 100}};

  static Link link(int index, const std::string& name, const std::string& kind = "", unsigned flags = kUp) {
    Link link;
    link.index = index;
    link.name = name;
    link.kind = kind;
    link.flags = flags;
    return link;
  }
  operator NetworkStore() const {
    NetworkStore store;
    for (const Link& each : links) store.apply({each});
    for (const auto& [interface, text] : addresses) {
      LinkAddress address;
      address.link = interface;
      address.local = *parse_address(text);
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
  Link& at(int index) {
    for (Link& each : links) {
      if (each.index == index) return each;
    }
    CHECK(false);
    return links[0];
  }
  Net with_flags(unsigned flags) const {
    Net net = *this;
    net.at(2).flags = flags;
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
    net.links.erase(net.links.begin() + 1);
    return net;
  }
  Net without_first_route() const {
    Net net = *this;
    net.routes.erase(net.routes.begin());
    return net;
  }
  Net with_backup(int family = AF_INET) const {
    Net net = *this;
    net.addresses.push_back({3, family == AF_INET ? "10.1.0.2" : "fd00::3"});
    net.routes.push_back({3, family, 700});
    return net;
  }
  Net with_ipv6() const {
    Net net = *this;
    net.addresses.push_back({2, "fd00::2"});
    net.routes.push_back({2, AF_INET6, 1024});
    return net;
  }
  Net with_address(int interface, const std::string& text) const {
    Net net = *this;
    net.addresses.push_back({interface, text});
    return net;
  }
  Net with(const Link& more) const {
    Net net = *this;
    net.links.push_back(more);
    return net;
  }
};

/// The kernel's answers for such a network: the route of the least metric, an address of its link or else of another one.
struct NetRouter final : Router {
  Net net;
  std::vector<RouteQuery> asked;
  int error = 0;
  /// IPv6 routes are there and not used, as the kernel has those that have expired.
  bool expired = false;
  double lasts_ms = INFINITY;

  std::optional<Path> find(const RouteQuery& query) override {
    asked.push_back(query);
    if (error != 0) throw Error::from_errno(error, "Cannot ask");
    const Net::Way* best = nullptr;
    for (const Net::Way& way : net.routes) {
      if (way.family == query.to.family && (best == nullptr || way.metric < best->metric)) best = &way;
    }
    if (best == nullptr || (expired && best->family == AF_INET6)) return std::nullopt;
    Path path;
    if (best->family == AF_INET6) path.lasts_ms = lasts_ms;
    path.link = best->interface;
    for (const auto& [interface, text] : net.addresses) {
      const IpAddress address = *parse_address(text);
      if (address.family == query.to.family && (!path.source.any() || interface == best->interface)) path.source = address;
    }
    return path;
  }
};

}  // namespace sockmon
