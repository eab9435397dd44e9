#include "network/audit.h"

#include <linux/if_addr.h>

#include <algorithm>

namespace sockmon {
namespace {

bool is_settled(const LinkAddress& address) { return (address.flags & IFA_F_TENTATIVE) == 0; }

/// Of a link that is down the kernel tells no change of alternative names, before it is up.
bool same_link(const Link& kept, Link read) {
  if (!read.up()) read.altnames = kept.altnames;
  return equal(kept, read);
}

/// How many of `a` have no equal in `b`.
template <typename List, typename Same>
uint64_t missing(const List& a, const List& b, Same same) {
  return static_cast<uint64_t>(std::count_if(a.begin(), a.end(), [&](const auto& each) {
    return std::none_of(b.begin(), b.end(), [&](const auto& other) { return same(each, other); });
  }));
}

/// In both directions; something that differs counts once.
template <typename List, typename Same>
uint64_t unlike(const List& a, const List& b, Same same) {
  return std::max(missing(a, b, same), missing(b, a, same));
}

uint64_t unlike_addresses(const NetworkStore& kept, const NetworkStore& read, int link) {
  const auto same = [](const LinkAddress& a, const LinkAddress& b) { return equal(a, b); };
  const Link* on = read.find(link);
  const bool is_ready = on != nullptr && on->up() && on->carrier();
  std::vector<LinkAddress> told;
  for (const LinkAddress& each : read.addresses_of(link)) {
    if (each.local.family == AF_INET || (is_ready && is_settled(each))) told.push_back(each);
  }
  std::vector<LinkAddress> settled;
  for (const LinkAddress& each : kept.addresses_of(link)) {
    if (is_settled(each)) settled.push_back(each);
  }
  return std::max(missing(told, kept.addresses_of(link), same), missing(settled, read.addresses_of(link), same));
}

template <typename Counts>
uint64_t unlike_routes(const NetworkStore& kept, const NetworkStore& read, Counts counts) {
  const std::vector<Route> none;
  const auto list_of = [&](const NetworkStore& store, const NetworkStore::RouteKey& key) -> const std::vector<Route>& {
    const auto found = store.routes().find(key);
    return found == store.routes().end() ? none : found->second;
  };
  uint64_t sum = 0;
  const auto add = [&](const NetworkStore::RouteKey& key) {
    const auto &a = list_of(kept, key), &b = list_of(read, key);
    const auto same = [](const Route& x, const Route& y) { return equal(x, y); };
    uint64_t differing = unlike(a, b, same);
    // The order decides which one is used.
    if (differing == 0 && !std::equal(a.begin(), a.end(), b.begin(), b.end(), same)) differing = 1;
    sum += differing;
  };
  for (const auto& [key, list] : kept.routes()) {
    if (counts(key)) add(key);
  }
  for (const auto& [key, list] : read.routes()) {
    if (counts(key) && kept.routes().count(key) == 0) add(key);
  }
  return sum;
}

/// By their ids: a router may have many thousands of them.
uint64_t unlike_nexthops(const NetworkStore& kept, const NetworkStore& read) {
  uint64_t sum = 0;
  for (const auto& [id, nexthop] : kept.nexthops()) {
    const auto other = read.nexthops().find(id);
    if (other == read.nexthops().end() || !equal(nexthop, other->second)) sum++;
  }
  for (const auto& [id, nexthop] : read.nexthops()) sum += kept.nexthops().count(id) == 0 ? 1 : 0;
  return sum;
}

}  // namespace

void Differences::add(const Differences& others) {
  links += others.links;
  addresses += others.addresses;
  routes += others.routes;
  rules += others.rules;
  nexthops += others.nexthops;
}

unsigned Differences::what() const {
  unsigned what = Change::kNothing;
  if (links != 0) what |= Change::kLink;
  if (addresses != 0) what |= Change::kAddress;
  if (routes != 0) what |= Change::kRoute;
  if (rules != 0) what |= Change::kRule;
  if (nexthops != 0) what |= Change::kNexthop;
  return what;
}

Differences compare(const NetworkStore& kept, const NetworkStore& read) {
  Differences found;
  for (const auto& [index, link] : kept.links()) {
    const Link* other = read.find(index);
    if (other == nullptr || !same_link(link, *other)) found.links++;
    found.addresses += unlike_addresses(kept, read, index);
  }
  for (const auto& [index, link] : read.links()) {
    if (kept.find(index) != nullptr) continue;
    found.links++;
    found.addresses += unlike_addresses(kept, read, index);
  }
  const std::set<uint32_t> ipv4 = read.tables(AF_INET), ipv6 = read.tables(AF_INET6);
  found.routes = unlike_routes(kept, read, [&](const NetworkStore::RouteKey& key) {
    return (key.family == AF_INET ? ipv4 : ipv6).count(key.table) != 0;
  });
  found.rules = unlike(kept.rules(), read.rules(), [](const Rule& a, const Rule& b) { return a.content == b.content; });
  found.nexthops = unlike_nexthops(kept, read);
  return found;
}

Differences compare(const NetworkStore& kept, const NetworkStore& read, const Doubts& doubts) {
  Differences found;
  found.routes = unlike_routes(kept, read, [&](const NetworkStore::RouteKey& key) {
    return doubts.tables.count({key.family, key.table}) != 0;
  });
  if (doubts.nexthops) found.nexthops = unlike_nexthops(kept, read);
  return found;
}

}  // namespace sockmon
