// What the kernel does without a word when a link, an address or a nexthop object goes (fib_semantics.c, ip6_fib.c, nexthop.c, as of Linux 6.18).
#include <linux/rtnetlink.h>

#include <algorithm>

#include "network/store.h"

namespace sockmon {
namespace {

bool is_dead(const Hop& hop) { return (hop.flags & RTNH_F_DEAD) != 0; }

/// What says no needs nothing to live on: the kernel lets it stand even where it names a source that has gone.
bool refuses(const Route& route) {
  return route.type == RTN_BLACKHOLE || route.type == RTN_UNREACHABLE || route.type == RTN_PROHIBIT || route.type == RTN_THROW;
}

bool leads_by(const Route& route, int link) {
  return std::any_of(route.hops.begin(), route.hops.end(), [&](const Hop& hop) { return hop.link == link; });
}

bool kill(Hop& hop) { return !is_dead(hop) && (hop.flags |= RTNH_F_DEAD) != 0; }

}  // namespace

template <typename Visit>
unsigned NetworkStore::each_route(uint8_t family, Visit visit) {
  unsigned what = Change::kNothing;
  for (auto slot = routes_.begin(); slot != routes_.end();) {
    if (slot->first.family != family) {
      ++slot;
      continue;
    }
    std::vector<Route>& list = slot->second;
    for (auto route = list.begin(); route != list.end();) {
      bool changed = false;
      const bool is_gone = visit(*route, changed);
      if (is_gone || changed) what = Change::kRoute;
      route = is_gone ? list.erase(route) : std::next(route);
    }
    slot = list.empty() ? routes_.erase(slot) : std::next(slot);
  }
  return what;
}

unsigned NetworkStore::follow_flags(const Link& link, unsigned before) {
  const bool was_up = (before & IFF_UP) != 0;
  const bool was_ready = was_up && (before & IFF_RUNNING) != 0;
  unsigned what = Change::kNothing;
  if (was_up && !link.up()) what |= links_hops_down(link.index, false, false);
  if (!was_up && link.up()) what |= links_hops_up(AF_INET, link.index);
  // IPv6 takes a device for ready that has a carrier, too.
  if (!was_ready && link.up() && (link.flags & IFF_RUNNING) != 0) what |= links_hops_up(AF_INET6, link.index);
  if (!link.up() || !link.runs()) what |= flush_nexthops(link.index);
  return what;
}

/// `forced`: also those that lead to the machine itself.
unsigned NetworkStore::links_hops_down(int link, bool is_unregistered, bool forced) {
  unsigned what = each_route(AF_INET, [&](Route& route, bool& changed) {
    if (!leads_by(route, link)) return false;
    doubt(route.family, route.table);
    // One leg's end is the end of all of them.
    if (is_unregistered) return true;
    if (route.scope == RT_SCOPE_HOST && !forced) return false;
    for (Hop& hop : route.hops) {
      if (hop.link == link) changed |= kill(hop);
    }
    return std::all_of(route.hops.begin(), route.hops.end(), is_dead);
  });
  // Of the last IPv4 address IPv6 knows nothing.
  if (forced && !is_unregistered) return what;
  what |= each_route(AF_INET6, [&](Route& route, bool& changed) {
    if (!leads_by(route, link)) return false;
    auto& hops = route.hops;
    if (is_unregistered) {
      // The next one says from then on what they are; each has come with its own protocol and preference.
      if (hops.front().link == link) doubt(route.family, route.table);
      hops.erase(std::remove_if(hops.begin(), hops.end(), [&](const Hop& hop) { return hop.link == link; }), hops.end());
      changed = true;
      return hops.empty();
    }
    if (hops.size() == 1) return true;
    for (Hop& hop : hops) {
      if (hop.link == link) changed |= kill(hop);
    }
    return std::all_of(hops.begin(), hops.end(), is_dead);
  });
  return what;
}

unsigned NetworkStore::links_hops_up(uint8_t family, int link) {
  return each_route(family, [&](Route& route, bool& changed) {
    for (Hop& hop : route.hops) {
      if (hop.link != link || !is_dead(hop)) continue;
      hop.flags &= static_cast<uint8_t>(~RTNH_F_DEAD);
      changed = true;
    }
    return false;
  });
}

unsigned NetworkStore::address_gone(const LinkAddress& address) {
  const auto is_same = [&](const LinkAddress& each) {
    if (each.local == address.local) return true;
    if (each.local.family != AF_INET || address.local.family != AF_INET) return false;
    // With an address on the loopback interface its whole network is the machine's own, and stays so when that goes down.
    const Link* link = find(each.link);
    return link != nullptr && (link->flags & IFF_LOOPBACK) != 0 && each.covers(address.local);
  };
  const bool is_elsewhere = std::any_of(addresses_.begin(), addresses_.end(), [&](const auto& entry) {
    return std::any_of(entry.second.begin(), entry.second.end(), is_same);
  });
  if (address.local.family == AF_INET6) {
    // One that goes with its link is not missed by routes that name it.
    const Link* link = find(address.link);
    const bool is_down = link == nullptr || !link->up();
    return each_route(AF_INET6, [&](Route& route, bool& changed) {
      if (route.source != address.local) return false;
      // Where it is elsewhere too, the state of duplicate detection there decides, which is not always told.
      doubt(route.family, route.table);
      if (is_down || (is_elsewhere && !leads_by(route, address.link))) return false;
      // It stays, without a source.
      route.source = {};
      changed = true;
      return false;
    });
  }
  unsigned what = Change::kNothing;
  const auto& left = addresses_of(address.link);
  const bool is_last =
      std::none_of(left.begin(), left.end(), [](const LinkAddress& each) { return each.local.family == AF_INET; });
  if (is_last) what |= links_hops_down(address.link, false, true);
  const Link* link = find(address.link);
  const Link* master = link == nullptr ? nullptr : find(link->master);
  const uint32_t table = master != nullptr && master->vrf_table != 0 ? master->vrf_table : RT_TABLE_MAIN;
  what |= each_route(AF_INET, [&](Route& route, bool&) {
    if (route.source != address.local || refuses(route)) return false;
    doubt(route.family, route.table);
    // Those of nexthop objects survive it.
    return !is_elsewhere && route.table == table && route.nexthop == 0;
  });
  return what;
}

/// The objects that lead by a link go with its carrier, and with them their routes.
unsigned NetworkStore::flush_nexthops(int link) {
  std::vector<uint32_t> ids;
  for (const auto& [id, nexthop] : nexthops_) {
    if (nexthop.link == link) ids.push_back(id);
  }
  unsigned what = Change::kNothing;
  for (const uint32_t id : ids) what |= nexthop_gone(id);
  if (!ids.empty()) doubts_.nexthops = true;
  return what;
}

unsigned NetworkStore::nexthop_gone(uint32_t id) {
  if (nexthops_.erase(id) == 0) return Change::kNothing;
  unsigned what = Change::kNexthop;
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    what |= each_route(family, [&](Route& route, bool&) {
      if (route.nexthop != id) return false;
      if (family == AF_INET) doubt(route.family, route.table);
      return true;
    });
  }
  std::vector<uint32_t> emptied;
  for (auto& [group, nexthop] : nexthops_) {
    auto& members = nexthop.members;
    const size_t before = members.size();
    members.erase(std::remove_if(members.begin(), members.end(), [&](const Nexthop::Member& each) { return each.id == id; }),
                  members.end());
    if (before != 0 && members.empty()) emptied.push_back(group);
  }
  for (const uint32_t group : emptied) what |= nexthop_gone(group);
  return what;
}

}  // namespace sockmon
