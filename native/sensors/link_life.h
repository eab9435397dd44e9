// Whether a link lives, by what is seen of it from one look to the next: pure. Which link is meant is the judges' business.
#pragma once
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"

namespace sockmon {

inline constexpr Reason kInterfaceGone{"interface_gone", Nature::gone, "the interface is not there"};
inline constexpr Reason kInterfaceDown{"interface_down", Nature::gone, "the interface is down"};
inline constexpr Reason kStackGone{"stack_gone", Nature::gone, "no process is behind the interface"};
inline constexpr Reason kLowerDown{"lower_down", Nature::gone, "the interface that it stands on is down"};
inline constexpr Reason kNoAddress{"no_address", Nature::unreachable, "it has no address"};
inline constexpr Reason kNoDefaultRoute{"no_default_route", Nature::unreachable, "no default route leads through it"};
inline constexpr Reason kNoCarrier{"no_carrier", Nature::broken, "it has no carrier"};

/// What is seen at one look.
struct LinkSight {
  /// What is missing, the gravest first; null: whole.
  const Reason* missing = nullptr;
  /// Nothing, where no link is meant: then `detail` says why.
  int index = 0;
  std::string interface;
  bool carrier = false;
  std::vector<std::string> addresses;
  std::string detail;
  /// So long it holds, if nothing is told.
  double lasts_ms = INFINITY;
};

struct LinkVerdict {
  SensorState state = SensorState::absent;
  /// Of a death, or what an interface that lives still misses after its carrier has come back.
  const Reason* reason = nullptr;
  int index = 0;
  /// Empty: there is none.
  std::string interface;
  bool carrier = false;
  std::vector<std::string> addresses;
  std::string detail;
  /// Others that could carry the traffic, by name.
  std::vector<std::string> standby;
  /// See LinkJudge::families; as they were when it was whole.
  std::optional<std::vector<std::string>> families;

  /// The same for whoever is told; addresses may come and go in silence.
  bool same_news(const LinkVerdict& other) const;
};

/**
 * What is gone, or was taken down, is dead at once. A lost address or route is down as well, but may be renewed: whoever hears of it waits; and
 * should the interface itself go meanwhile, that is told too. Where the carrier was lost before, or with it, both are its consequence and no
 * death: a cable was pulled, and what a configuration daemon takes away then it gives back afterwards.
 */
class LinkLife {
 public:
  const LinkVerdict& next(LinkSight sight);
  bool is_up() const { return verdict_.state == SensorState::up; }
  /// Up, or down and borne: the loss of the interface is still to be answered.
  bool may_die() const { return is_up() || (verdict_.state == SensorState::down && verdict_.reason->nature == Nature::unreachable); }
  /// It lives, and what is seen would make it a death that may yet have an excuse: its carrier goes as well.
  bool loses_what_may_be_renewed(const LinkSight& sight) const {
    return is_up() && !excused_ && sight.carrier && may_be_renewed(sight);
  }
  const LinkVerdict& verdict() const { return verdict_; }
  void others_are(std::vector<std::string> standby) { verdict_.standby = std::move(standby); }
  void families_are(std::optional<std::vector<std::string>> families) { verdict_.families = std::move(families); }
  /// It misses nothing, not even the carrier, which would explain what else is missing.
  bool is_whole() const { return is_up() && verdict_.reason == nullptr && verdict_.carrier; }
  /// Another link is meant from now on.
  void moves() { excused_ = false; }

 private:
  static bool may_be_renewed(const LinkSight& sight) {
    return sight.missing != nullptr && sight.missing->nature == Nature::unreachable;
  }
  void judge_living(const LinkSight& sight);
  void judge_dead(const LinkSight& sight);
  void become_up(bool carrier);
  void misses_nothing();
  void die(const Reason& reason);

  LinkVerdict verdict_;
  /// The carrier went away while it was up: a lost address or route is a consequence.
  bool excused_ = false;
};

}  // namespace sockmon
