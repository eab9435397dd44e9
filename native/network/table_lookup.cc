#include "network/table_lookup.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <algorithm>

namespace sockmon {
namespace {

bool leads_to(const NetworkStore& network, const Rule& rule, uint32_t table) {
  if (rule.action != FR_ACT_TO_TBL) return false;
  if (!rule.vrf) return rule.table == table;
  const auto& links = network.links();
  return std::any_of(links.begin(), links.end(), [&](const auto& entry) { return entry.second.vrf_table == table; });
}

/// wg-quick lets a rule lead to main that passes over its default routes (suppress_prefixlength 0).
bool is_led_to(const NetworkStore& network, const Route& route) {
  bool has_rules = false;
  for (const Rule& rule : network.rules()) {
    if (rule.family != route.family) continue;
    has_rules = true;
    if (leads_to(network, rule, route.table) && rule.suppressed_prefix_length < route.prefix_length) return true;
  }
  // A kernel that was built without rules has one table.
  return !has_rules && route.table == RT_TABLE_MAIN;
}

/// Of a route for packets from a prefix: this machine has an address in it.
bool is_for_us(const NetworkStore& network, const Route& route) {
  if (route.from_length == 0) return true;
  for (const auto& [index, link] : network.links()) {
    for (const LinkAddress& each : network.addresses_of(index)) {
      if (each.usable() && same_prefix(each.local, route.from, route.from_length)) return true;
    }
  }
  return false;
}

bool is_meant(const NetworkStore& network, const NetworkStore::RouteKey& key, const Route& route, const IpAddress& to) {
  const bool upper_half = (to.bytes[0] & 0x80) != 0;
  const bool is_there = key.prefix_length == 0 || key.upper_half == upper_half;
  return is_there && key.tos == 0 && is_for_us(network, route) && is_led_to(network, route);
}

const Hop* choose(const NetworkStore& network, const std::vector<Hop>& hops, int kept) {
  const Hop* best = nullptr;
  int best_worth = 0;
  for (const Hop& hop : hops) {
    const Link* link = network.find(hop.link);
    if (link == nullptr || !link->up() || (hop.flags & RTNH_F_DEAD) != 0) continue;
    const int worth = 1 + (hop.link == kept ? 1 : 0) + (link->carrier() ? 2 : 0);
    if (worth > best_worth) best = &hop;
    best_worth = std::max(worth, best_worth);
  }
  return best;
}

/// The first one on the link, better one of the gateway's network; of another link only where it has none.
IpAddress source_of(const NetworkStore& network, const Hop& hop, int family) {
  const auto is_usable = [&](const LinkAddress& each) { return each.local.family == family && each.usable(); };
  IpAddress first;
  for (const LinkAddress& each : network.addresses_of(hop.link)) {
    if (!is_usable(each)) continue;
    if (each.covers(hop.gateway)) return each.local;
    if (!first.any()) first = each.local;
  }
  if (first.any()) return first;
  int of = 0;
  for (const auto& [index, link] : network.links()) {
    for (const LinkAddress& each : network.addresses_of(index)) {
      if (!is_usable(each) || (of != 0 && of <= index)) continue;
      of = index;
      first = each.local;
    }
  }
  return first;
}

}  // namespace

std::optional<Path> find_in_table(const NetworkStore& network, uint32_t table, const IpAddress& to, int kept) {
  for (const uint8_t prefix_length : {1, 0}) {
    // The key's order: routes for all packets first, then by metric.
    for (const auto& [key, list] : network.routes()) {
      if (key.family != to.family || key.table != table || key.prefix_length != prefix_length) continue;
      for (const Route& route : list) {
        if (!is_meant(network, key, route, to)) continue;
        if (route.type != RTN_UNICAST) return std::nullopt;
        const std::vector<Hop> hops = network.hops_of(route);
        const Hop* hop = choose(network, hops, kept);
        if (hop == nullptr) continue;
        return Path{hop->link, hop->gateway, route.source.any() ? route.source : source_of(network, *hop, to.family)};
      }
    }
  }
  return std::nullopt;
}

}  // namespace sockmon
