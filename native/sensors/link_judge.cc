#include "sensors/link_judge.h"

#include <algorithm>

namespace sockmon {

struct LinkJudge::Facts {
  /// What is missing, the gravest first; nothing: whole.
  const Reason* missing = nullptr;
  bool carrier = false;
  std::vector<std::string> addresses;
};

struct LinkJudge::Candidate {
  std::string interface;
  int family;
};

bool LinkVerdict::same_news(const LinkVerdict& other) const {
  return state == other.state && reason == other.reason && interface == other.interface &&
         carrier == other.carrier && detail == other.detail;
}

LinkJudge::LinkJudge(LinkSpec spec) : spec_(std::move(spec)), interface_(spec_.interface.value_or("")) {}

LinkJudge::Facts LinkJudge::look(const NetworkStore& network, const std::string& name, int family) const {
  Facts facts;
  const Link* interface = network.find(name);
  if (interface == nullptr) {
    facts.missing = &kInterfaceGone;
    return facts;
  }
  facts.carrier = interface->carrier();
  facts.addresses = network.usable_addresses(interface->index);
  if (!interface->up()) {
    facts.missing = &kInterfaceDown;
  } else if (spec_.carrier && !facts.carrier) {
    facts.missing = &kNoCarrier;
  } else if (spec_.address && !network.has_usable_address(interface->index, family)) {
    facts.missing = &kNoAddress;
  } else if (spec_.default_route && !network.has_default_route(interface->index, family)) {
    facts.missing = &kNoDefaultRoute;
  }
  return facts;
}

/// The family it is judged by: that of its default route, IPv4 if it has both.
int LinkJudge::family_of(const NetworkStore& network, const std::string& name) const {
  const Link* interface = network.find(name);
  if (!spec_.default_route || interface == nullptr) return AF_UNSPEC;
  for (const DefaultRoute& route : network.default_routes()) {
    if (route.link == interface->index) return route.family;
  }
  return AF_UNSPEC;
}

/// Another interface, whole and with carrier, that a default route leads through.
std::optional<LinkJudge::Candidate> LinkJudge::other_candidate(const NetworkStore& network) const {
  for (const DefaultRoute& route : network.default_routes()) {
    const Link* interface = network.find(route.link);
    if (interface == nullptr || interface->name == interface_ || !interface->carrier()) continue;
    if (family_ == AF_INET && route.family != AF_INET) continue;
    if (!look(network, interface->name, route.family).missing) return Candidate{interface->name, route.family};
  }
  return std::nullopt;
}

/// Which interface and family are meant from now on.
void LinkJudge::choose(const NetworkStore& network) {
  if (!spec_.interface) {
    const bool usable = !interface_.empty() && !look(network, interface_, family_).missing;
    if (!usable) {
      if (const auto other = other_candidate(network)) {
        interface_ = other->interface;
        family_ = other->family;
        excused_ = false;
      } else if (interface_.empty() && !network.default_routes().empty()) {
        const Link* first = network.find(network.default_routes().front().link);
        if (first != nullptr) interface_ = first->name;
      }
    }
  }
  const int family = family_of(network, interface_);
  if (family_ == AF_UNSPEC || family == AF_INET) family_ = family;
}

bool LinkJudge::depends_on_interface(const NetworkStore& network) const {
  return spec_.interface.has_value() || !other_candidate(network);
}

bool LinkJudge::depends_on(const NetworkStore& network, const NetworkChanges& changes) const {
  if (changes.everything) return true;
  const bool routes_matter = spec_.default_route || !spec_.interface;
  if (routes_matter && (changes.what & (Change::kRoute | Change::kNexthop)) != 0) return true;
  if ((changes.what & (Change::kLink | Change::kAddress)) == 0) return false;
  if (index_ != 0 && changes.touches(index_)) return true;
  if (!interface_.empty()) {
    const Link* interface = network.find(interface_);
    // It has come, or its name has.
    if (interface != nullptr && interface->index != index_) return true;
  }
  if (spec_.interface) return false;
  const auto& routes = network.default_routes();
  return std::any_of(routes.begin(), routes.end(), [&](const DefaultRoute& route) { return changes.touches(route.link); });
}

const LinkVerdict& LinkJudge::next(const NetworkStore& network) {
  choose(network);
  const Link* interface = network.find(interface_);
  index_ = interface == nullptr ? 0 : interface->index;
  if (interface_.empty()) {
    verdict_ = {};
    verdict_.detail = "no interface has a default route";
    return verdict_;
  }
  judge(look(network, interface_, family_));
  // Not seen alive yet: another one may be meant the next time.
  if (verdict_.state == SensorState::absent) {
    family_ = AF_UNSPEC;
    if (!spec_.interface) interface_.clear();
  }
  return verdict_;
}

const LinkVerdict& LinkJudge::lost(const Reason& reason) {
  Facts facts;
  facts.missing = &reason;
  judge(facts);
  return verdict_;
}

void LinkJudge::judge(const Facts& facts) {
  verdict_.interface = interface_;
  verdict_.carrier = facts.carrier;
  verdict_.addresses = facts.addresses;
  if (verdict_.state == SensorState::up) return judge_living(facts);
  if (!facts.missing) {
    verdict_.state = SensorState::up;
    misses_nothing();
    excused_ = !facts.carrier;
  } else if (verdict_.state == SensorState::absent) {
    verdict_.detail = facts.missing->words;
  }
}

void LinkJudge::judge_living(const Facts& facts) {
  const bool gone = facts.missing == &kInterfaceGone || facts.missing == &kInterfaceDown;
  if (gone || facts.missing == &kNoCarrier) return die(*facts.missing);
  if (!facts.carrier) excused_ = true;
  if (!facts.missing) {
    misses_nothing();
    if (facts.carrier) excused_ = false;
  } else if (!excused_) {
    die(*facts.missing);
  } else if (!facts.carrier) {
    misses_nothing();
  } else {
    verdict_.reason = facts.missing;
    verdict_.detail = facts.missing == &kNoAddress ? "waiting for address" : "waiting for default route";
  }
}

/// Nothing that can be expected now: without carrier not even an address.
void LinkJudge::misses_nothing() {
  verdict_.reason = nullptr;
  verdict_.detail.clear();
}

void LinkJudge::die(const Reason& reason) {
  verdict_.state = SensorState::down;
  verdict_.reason = &reason;
  verdict_.detail = reason.words;
  excused_ = false;
}

}  // namespace sockmon
