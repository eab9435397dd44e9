#include "sensors/named_link.h"

#include <algorithm>

namespace sockmon {
/// Who bears the name; of one that lives, or that has been renamed while it was down, the one that bore it.
int NamedLinkJudge::find(const NetworkStore& network, bool is_alive) const {
  if (is_alive && network.find(index_) != nullptr) return index_;
  if (const Link* link = network.find(spec_.interface)) return link->index;
  for (const auto& [index, link] : network.links()) {
    if (std::find(link.altnames.begin(), link.altnames.end(), spec_.interface) != link.altnames.end()) return index;
  }
  return index_;
}

LinkSight NamedLinkJudge::look(const NetworkStore& network, bool is_alive) {
  const int index = find(network, is_alive);
  LinkSight sight = sight_of(network, index, is_alive ? name_ : spec_.interface);
  if (sight.missing == &kInterfaceGone) return sight;
  index_ = index;
  name_ = sight.interface;
  if (sight.missing != nullptr) return sight;
  if (spec_.carrier && !sight.carrier) sight.missing = &kNoCarrier;
  else if (lacks_address(network, is_alive)) sight.missing = &kNoAddress;
  else if (spec_.default_route && !network.has_default_route(index, AF_UNSPEC)) sight.missing = &kNoDefaultRoute;
  return sight;
}

bool NamedLinkJudge::lacks_address(const NetworkStore& network, bool is_alive) {
  if (spec_.address == NamedLinkSpec::Address::ignored) return false;
  const bool has_v4 = has_given_address(network, index_, AF_INET);
  const bool has_v6 = has_given_address(network, index_, AF_INET6);
  const bool lacks = is_alive && family_ == AF_INET ? !has_v4 : !has_v4 && !has_v6;
  const bool must_have = spec_.address == NamedLinkSpec::Address::required || family_ != AF_UNSPEC;
  if (lacks) return must_have;
  family_ = has_v4 ? AF_INET : AF_INET6;
  return false;
}

bool NamedLinkJudge::depends_on(const NetworkStore& network, const NetworkChanges& changes, const LinkVerdict& verdict) const {
  if (changes.everything) return true;
  if (index_ == 0 || changes.touches(index_)) return true;
  // What it stands on, or who bears its name now.
  if ((changes.what & Change::kLink) != 0) {
    if (verdict.state != SensorState::up) return true;
    const Link* link = network.find(index_);
    const bool stands_on_others = link == nullptr || link->lower != 0 || link->kind == "bridge";
    if (stands_on_others) return true;
  }
  return spec_.default_route && (changes.what & (Change::kRoute | Change::kNexthop)) != 0;
}

}  // namespace sockmon
