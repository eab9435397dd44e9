#include "sensors/uplink_judge.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <set>

#include "network/table_lookup.h"

namespace sockmon {
namespace {

/// How often a route is asked for that has expired and not been collected yet.
constexpr double kRevivalMs = 1000;

bool has_ipv6_route(const NetworkStore& network) {
  const auto& routes = network.routes();
  return std::any_of(routes.begin(), routes.end(), [](const auto& entry) { return entry.first.family == AF_INET6; });
}

}  // namespace

std::optional<Path> UplinkJudge::find(const NetworkStore& network, const IpAddress& towards) {
  if (!towards.any()) return std::nullopt;
  if (!spec_.table.empty()) return find_in_table(network, spec_.table_number, towards, index_);
  const Link* vrf = spec_.vrf.empty() ? nullptr : network.find(spec_.vrf);
  if (!spec_.vrf.empty() && vrf == nullptr) return std::nullopt;
  return router_.find({towards, spec_.mark, vrf == nullptr ? 0 : vrf->index});
}

UplinkJudge::Way UplinkJudge::way(const NetworkStore& network, const IpAddress& towards) {
  const int family = towards.family;
  const auto path = find(network, towards);
  if (family == AF_INET6) expires_ = path ? std::isfinite(path->lasts_ms) : expires_ && has_ipv6_route(network);
  if (!path) return {0, &kNoDefaultRoute, family, family == AF_INET6 && expires_ ? kRevivalMs : INFINITY};
  const Link* link = network.find(path->link);
  // The kernel has not told of it yet, or not of its end.
  if (link == nullptr || !link->up()) return {0, &kNoDefaultRoute, family, path->lasts_ms};
  return {path->link, is_given(path->source) ? nullptr : &kNoAddress, family, path->lasts_ms};
}

UplinkJudge::Way UplinkJudge::choose(const NetworkStore& network) {
  using Families = UplinkSpec::Families;
  if (spec_.families == Families::v4) return way(network, spec_.towards4);
  if (spec_.families == Families::v6) return way(network, spec_.towards6);
  const Way v4 = way(network, spec_.towards4);
  if (spec_.families == Families::all) return v4.missing != nullptr ? v4 : way(network, spec_.towards6);
  if (v4.missing == nullptr) {
    had_v4_ = true;
    return v4;
  }
  if (spec_.families == Families::automatic && had_v4_) return v4;
  const Way v6 = way(network, spec_.towards6);
  Way chosen = v6.missing == nullptr || v4.link == 0 ? v6 : v4;
  chosen.lasts_ms = v6.lasts_ms;
  return chosen;
}

LinkSight UplinkJudge::look(const NetworkStore& network, bool) {
  const Way way = choose(network);
  LinkSight sight = sight_through(network, way);
  sight.lasts_ms = way.lasts_ms;
  return sight;
}

LinkSight UplinkJudge::sight_through(const NetworkStore& network, const Way& way) {
  const Link* link = network.find(way.link);
  const bool is_new = way.link != index_;
  // A cable that is not there is told of what carried before, and is no place to move to.
  const bool carries = way.missing == nullptr && link != nullptr && (link->carrier() || !is_new || index_ == 0);
  if (carries && lost_below(network, *link) == nullptr) {
    index_ = way.link;
    name_ = link->name;
    had_address_ = has_given_address(network, index_, way.family);
    LinkSight sight = sight_of(network, index_, name_);
    if (spec_.carrier && !sight.carrier) sight.missing = &kNoCarrier;
    return sight;
  }
  if (index_ == 0) {
    LinkSight sight = link == nullptr ? LinkSight{} : sight_of(network, way.link, link->name);
    if (sight.missing == nullptr) sight.missing = way.missing != nullptr ? way.missing : &kNoDefaultRoute;
    if (link == nullptr) sight.detail = nowhere(network, way.family);
    else if (way.missing == &kNoAddress) sight.detail = "it has no address, or only one that it has given itself";
    return sight;
  }
  LinkSight sight = sight_of(network, index_, name_);
  if (sight.missing != nullptr) return sight;
  const bool has_lost_address = had_address_ && !has_given_address(network, index_, way.family);
  sight.missing = has_lost_address || way.missing == &kNoAddress ? &kNoAddress : &kNoDefaultRoute;
  return sight;
}

bool UplinkJudge::depends_on(const NetworkStore& network, const NetworkChanges& changes, const LinkVerdict& verdict) const {
  if (changes.everything) return true;
  if ((changes.what & ~static_cast<unsigned>(Change::kLink)) != 0) return true;
  if ((changes.what & Change::kLink) == 0) return false;
  if (verdict.state != SensorState::up || changes.touches(index_)) return true;
  const Link* link = network.find(index_);
  const bool stands_on_others = link == nullptr || link->lower != 0 || link->kind == "bridge";
  return stands_on_others || !spec_.vrf.empty() || !spec_.table.empty() || minds_each_family();
}

std::string UplinkJudge::nowhere(const NetworkStore& network, int family) const {
  using Families = UplinkSpec::Families;
  if (!spec_.vrf.empty() && network.find(spec_.vrf) == nullptr) return "there is no VRF " + spec_.vrf;
  const std::string within = spec_.vrf.empty() ? "" : " in VRF " + spec_.vrf;
  if (spec_.table.empty() && spec_.is_towards_given)
    return "no interface leads to " + (family == AF_INET || !spec_.towards6.any() ? spec_.towards4 : spec_.towards6).text() + within;
  if (spec_.table.empty()) {
    const bool is_either = spec_.families == Families::automatic || spec_.families == Families::any;
    const std::string of = is_either ? "" : family == AF_INET ? " of IPv4" : " of IPv6";
    return "no interface has a default route" + of + within;
  }
  if (spec_.table_number == 0) return "there is no routing table " + spec_.table + " in /etc/iproute2/rt_tables (give its number)";
  return "no rule leads to a default route in routing table " + spec_.table;
}

bool UplinkJudge::minds_each_family() const {
  return spec_.families == UplinkSpec::Families::any && spec_.towards4.any() && spec_.towards6.any();
}

std::optional<std::vector<std::string>> UplinkJudge::families(const NetworkStore& network) {
  if (!minds_each_family()) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& [towards, name] : {std::pair(spec_.towards4, "IPv4"), std::pair(spec_.towards6, "IPv6")}) {
    const Way each = way(network, towards);
    const Link* link = network.find(each.link);
    if (each.missing == nullptr && link != nullptr && lost_below(network, *link) == nullptr) names.emplace_back(name);
  }
  return names;
}

std::vector<std::string> UplinkJudge::standby(const NetworkStore& network, int beside) const {
  std::set<std::string> names;
  for (const auto& [key, routes] : network.routes()) {
    if (!spec_.table.empty() && key.table != spec_.table_number) continue;
    for (const Route& route : routes) {
      if (route.type != RTN_UNICAST) continue;
      for (const Hop& hop : network.hops_of(route)) {
        const Link* link = network.find(hop.link);
        if (link != nullptr && hop.link != beside && link->up() && link->carrier() && (hop.flags & RTNH_F_DEAD) == 0) names.insert(link->name);
      }
    }
  }
  return {names.begin(), names.end()};
}

bool UplinkJudge::may_move(const NetworkStore& network, int from) const { return !standby(network, from).empty(); }

}  // namespace sockmon
