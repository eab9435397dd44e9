// How routes are added, replaced and deleted, as the kernel does it, and who looks for those that lead to everywhere.
#include <linux/rtnetlink.h>

#include <algorithm>

#include "network/store.h"

namespace sockmon {
namespace {

bool same_hop(const Hop& a, const Hop& b) {
  return a.link == b.link && a.gateway == b.gateway && a.weight == b.weight && (a.flags & RTNH_F_ONLINK) == (b.flags & RTNH_F_ONLINK);
}

bool same_way(const Hop& a, const Hop& b) { return a.link == b.link && a.gateway == b.gateway; }

bool has_way(const Route& route, const Hop& hop) {
  return std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& each) { return same_way(each, hop); });
}

/// IPv6 routes with a gateway become hops of one route, except those of router advertisements and of nexthop objects.
bool may_share(const Route& route) {
  return route.nexthop == 0 && route.protocol != RTPROT_RA && !route.hops.empty() && route.hops.front().gateway.any();
}

bool same_but_hops(const Route& a, const Route& b) {
  return a.type == b.type && a.protocol == b.protocol && a.scope == b.scope && a.source == b.source && a.nexthop == b.nexthop &&
         a.preference == b.preference && a.metrics == b.metrics;
}

}  // namespace

NetworkStore::RouteKey key_of(const Route& route) {
  return {route.family, route.table, route.prefix_length, route.upper_half, route.from_length, route.from.bytes, route.metric, route.tos};
}

bool same_route(const Route& a, const Route& b) {
  return same_but_hops(a, b) && std::equal(a.hops.begin(), a.hops.end(), b.hops.begin(), b.hops.end(), same_hop);
}

bool equal(const Route& a, const Route& b) {
  const auto same_state = [](const Hop& x, const Hop& y) { return same_hop(x, y) && x.flags == y.flags; };
  return same_but_hops(a, b) && std::equal(a.hops.begin(), a.hops.end(), b.hops.begin(), b.hops.end(), same_state);
}

Change NetworkStore::apply_route(Route route, bool gone, RouteVerb verb) {
  const bool v4 = route.family == AF_INET;
  const int link = route.hops.empty() ? 0 : route.hops.front().link;
  const bool changed = gone ? (v4 ? remove_ipv4(route) : remove_ipv6(route))
                            : (v4 ? add_ipv4(std::move(route), verb) : add_ipv6(std::move(route), verb));
  return {changed ? Change::kRoute : Change::kNothing, link};
}

bool NetworkStore::add_ipv4(Route route, RouteVerb verb) {
  std::vector<Route>& list = routes_[key_of(route)];
  const auto known = std::find_if(list.begin(), list.end(), [&](const Route& each) { return same_route(each, route); });
  if (known != list.end()) {
    if (equal(*known, route)) return false;
    *known = std::move(route);
    return true;
  }
  switch (verb) {
    case RouteVerb::prepend:
      list.insert(list.begin(), std::move(route));
      return true;
    case RouteVerb::append:
      list.push_back(std::move(route));
      return true;
    case RouteVerb::replace:
      if (list.empty()) list.push_back(std::move(route));
      else list.front() = std::move(route);
      return true;
    case RouteVerb::update:
      break;
  }
  // It is said to be there and is not known.
  doubt(route.family, route.table);
  list.push_back(std::move(route));
  return true;
}

/// Routes with a gateway and without one may stand beside each other; which of them the kernel then replaces is better asked than guessed.
bool NetworkStore::add_ipv6(Route route, RouteVerb verb) {
  std::vector<Route>& list = routes_[key_of(route)];
  if (list.size() > 1) doubt(route.family, route.table);
  const auto known = std::find_if(list.begin(), list.end(), [&](const Route& each) { return same_route(each, route); });
  if (known != list.end()) {
    if (equal(*known, route)) return false;
    *known = std::move(route);
    return true;
  }
  if (verb == RouteVerb::replace) {
    // The first of its kind, or else the first of all.
    const bool shares = may_share(route);
    const auto peer = std::find_if(list.begin(), list.end(), [&](const Route& each) { return may_share(each) == shares; });
    const auto place = peer != list.end() ? peer : list.begin();
    if (place == list.end()) list.push_back(std::move(route));
    else *place = std::move(route);
    return true;
  }
  // A new hop is told with all others, itself first; what the first one of them is, all are said to be.
  const auto peer = std::find_if(list.begin(), list.end(), [&](const Route& each) {
    return route.hops.size() > 1 && each.type == route.type && each.nexthop == 0 && has_way(each, route.hops.back());
  });
  if (peer == list.end()) {
    list.push_back(std::move(route));
    return true;
  }
  for (const Hop& hop : route.hops) {
    if (!has_way(*peer, hop)) peer->hops.push_back(hop);
  }
  if (peer->hops.size() != route.hops.size()) doubt(route.family, route.table);
  return true;
}

/// The message bears the whole route. One that is not known went by a rule before.
bool NetworkStore::remove_ipv4(const Route& route) {
  const auto found = routes_.find(key_of(route));
  if (found == routes_.end()) return false;
  std::vector<Route>& list = found->second;
  const auto known = std::find_if(list.begin(), list.end(), [&](const Route& each) { return same_route(each, route); });
  if (known == list.end()) {
    if (!list.empty()) doubt(route.family, route.table);
    return false;
  }
  list.erase(known);
  if (list.empty()) routes_.erase(found);
  return true;
}

/// The message bears the hops that go: all of them, or one.
bool NetworkStore::remove_ipv6(const Route& route) {
  const auto found = routes_.find(key_of(route));
  if (found == routes_.end()) return false;
  std::vector<Route>& list = found->second;
  if (list.size() > 1) doubt(route.family, route.table);
  const auto bears = [&](const Route& each) {
    if (each.type != route.type || each.nexthop != route.nexthop) return false;
    if (route.hops.empty()) return each.hops.empty();
    return has_way(each, route.hops.front());
  };
  const auto known = std::find_if(list.begin(), list.end(), bears);
  if (known == list.end()) {
    // Its link has gone, and it with it.
    const bool is_known_to_be_gone = route.hops.empty() || find(route.hops.front().link) == nullptr || !find(route.hops.front().link)->up();
    if (!list.empty() && !is_known_to_be_gone) doubt(route.family, route.table);
    return false;
  }
  auto& hops = known->hops;
  const Hop first = hops.empty() ? Hop() : hops.front();
  for (const Hop& gone : route.hops) {
    hops.erase(std::remove_if(hops.begin(), hops.end(), [&](const Hop& hop) { return same_way(hop, gone); }), hops.end());
  }
  // The next one says from now on what they are: each has come with its own protocol and preference.
  if (!hops.empty() && !same_way(hops.front(), first)) doubt(route.family, route.table);
  if (hops.empty()) list.erase(known);
  if (list.empty()) routes_.erase(found);
  return true;
}

std::vector<Hop> NetworkStore::hops_of(const Route& route) const {
  if (route.nexthop == 0) return route.hops;
  std::vector<Hop> hops;
  const auto add = [&](const Nexthop& nexthop, uint8_t weight) {
    if (nexthop.blackhole || nexthop.fdb) return;
    hops.push_back({nexthop.link, nexthop.gateway, weight, nexthop.flags});
  };
  const auto found = nexthops_.find(route.nexthop);
  if (found == nexthops_.end()) return hops;
  if (found->second.members.empty()) {
    add(found->second, 0);
    return hops;
  }
  // The kernel allows no group of groups.
  for (const Nexthop::Member& member : found->second.members) {
    const auto each = nexthops_.find(member.id);
    if (each != nexthops_.end()) add(each->second, member.weight);
  }
  return hops;
}

const std::vector<DefaultRoute>& NetworkStore::default_routes() const {
  if (default_routes_known_) return default_routes_;
  default_routes_.clear();
  // The key's order: IPv4 first, then by metric.
  for (const auto& [key, list] : routes_) {
    if (key.table != RT_TABLE_MAIN || key.prefix_length != 0 || key.from_length != 0) continue;
    for (const Route& route : list) {
      if (route.type != RTN_UNICAST) continue;
      for (const Hop& hop : hops_of(route)) {
        if ((hop.flags & RTNH_F_DEAD) == 0) default_routes_.push_back({hop.link, route.family, route.metric});
      }
    }
  }
  default_routes_known_ = true;
  return default_routes_;
}

bool NetworkStore::has_default_route(int link, int family) const {
  const auto& routes = default_routes();
  return std::any_of(routes.begin(), routes.end(), [&](const DefaultRoute& route) {
    return route.link == link && (family == AF_UNSPEC || route.family == family);
  });
}

void NetworkStore::add_unread(const NetworkStore& kept) {
  for (const auto& [key, list] : kept.routes_) {
    if (key.family == AF_INET && key.upper_half && heads_.count(key.table) != 0) routes_.emplace(key, list);
  }
  heads_.clear();
  default_routes_known_ = false;
}

void NetworkStore::take_over(const NetworkStore& read, const Doubts& doubts) {
  const auto is_doubtful = [&](const RouteKey& key) { return doubts.tables.count({key.family, key.table}) != 0; };
  for (auto each = routes_.begin(); each != routes_.end();) each = is_doubtful(each->first) ? routes_.erase(each) : std::next(each);
  for (const auto& [key, list] : read.routes_) {
    if (is_doubtful(key)) routes_[key] = list;
  }
  if (doubts.nexthops) nexthops_ = read.nexthops_;
  default_routes_known_ = false;
}

}  // namespace sockmon
