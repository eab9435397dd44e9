// Whether a link is whole, and whether a loss is a death: pure, from one state of the network to the next.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "network/link_hub.h"

namespace sockmon {

struct LinkSpec {
  /// Absent: the interface that carries the default route.
  std::optional<std::string> interface;
  bool address = true;
  bool default_route = true;
  bool carrier = false;
};

inline constexpr Reason kInterfaceGone{"interface_gone", Nature::gone, "the interface is not there"};
inline constexpr Reason kInterfaceDown{"interface_down", Nature::gone, "the interface is down"};
inline constexpr Reason kNoAddress{"no_address", Nature::broken, "it has no address"};
inline constexpr Reason kNoDefaultRoute{"no_default_route", Nature::broken, "no default route leads through it"};
inline constexpr Reason kNoCarrier{"no_carrier", Nature::broken, "it has no carrier"};

struct LinkVerdict {
  SensorState state = SensorState::absent;
  /// Of a death, or what an interface that lives still misses after its carrier has come back.
  const Reason* reason = nullptr;
  /// Empty: no interface carries the default route.
  std::string interface;
  bool carrier = false;
  std::vector<std::string> addresses;
  std::string detail;

  /// The same for whoever is told; addresses may come and go in silence.
  bool same_news(const LinkVerdict& other) const;
};

class LinkJudge {
 public:
  explicit LinkJudge(LinkSpec spec);

  /// What the link is now, in the light of what it was.
  const LinkVerdict& next(const NetworkStore& network);
  const LinkVerdict& verdict() const { return verdict_; }
  /// Whether the loss of the interface itself would be a death: no other one can take over.
  bool depends_on_interface(const NetworkStore& network) const;
  /// Whether its verdict may be another one after these changes.
  bool depends_on(const NetworkStore& network, const NetworkChanges& changes) const;
  /// The interface is gone or down: a death, without looking at anything else.
  const LinkVerdict& lost(const Reason& reason);

 private:
  struct Facts;
  struct Candidate;

  Facts look(const NetworkStore& network, const std::string& interface, int family) const;
  int family_of(const NetworkStore& network, const std::string& interface) const;
  std::optional<Candidate> other_candidate(const NetworkStore& network) const;
  void choose(const NetworkStore& network);
  void judge(const Facts& facts);
  void judge_living(const Facts& facts);
  void misses_nothing();
  void die(const Reason& reason);

  const LinkSpec spec_;
  LinkVerdict verdict_;
  std::string interface_;
  /// That had this name when it was looked at; 0: none.
  int index_ = 0;
  /// Of the default route that it was seen with; AF_UNSPEC until then. Goes up to IPv4, never back to IPv6:
  /// a gateway that has lost its IPv4 is not whole because IPv6 is left.
  int family_ = AF_UNSPEC;
  /// The carrier went away while it was up: a lost address or route is a consequence, not a death.
  bool excused_ = false;
};

}  // namespace sockmon
