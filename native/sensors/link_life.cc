#include "sensors/link_life.h"

namespace sockmon {

bool LinkVerdict::same_news(const LinkVerdict& other) const {
  return state == other.state && reason == other.reason && index == other.index && interface == other.interface &&
         carrier == other.carrier && detail == other.detail;
}

const LinkVerdict& LinkLife::next(LinkSight sight) {
  verdict_.index = sight.index;
  verdict_.interface = std::move(sight.interface);
  verdict_.carrier = sight.carrier;
  verdict_.addresses = std::move(sight.addresses);
  switch (verdict_.state) {
    case SensorState::up:
      judge_living(sight);
      break;
    case SensorState::down:
      judge_dead(sight);
      break;
    default:
      if (sight.missing == nullptr) become_up(sight.carrier);
      else verdict_.detail = sight.detail.empty() ? sight.missing->words : std::move(sight.detail);
  }
  return verdict_;
}

void LinkLife::judge_living(const LinkSight& sight) {
  if (sight.missing != nullptr && !may_be_renewed(sight)) return die(*sight.missing);
  if (!sight.carrier) excused_ = true;
  if (sight.missing == nullptr) {
    misses_nothing();
    if (sight.carrier) excused_ = false;
  } else if (!excused_) {
    die(*sight.missing);
  } else if (!sight.carrier) {
    misses_nothing();
  } else {
    verdict_.reason = sight.missing;
    verdict_.detail = sight.missing == &kNoAddress ? "waiting for address" : "waiting for default route";
  }
}

void LinkLife::judge_dead(const LinkSight& sight) {
  if (sight.missing == nullptr) return become_up(sight.carrier);
  if (may_die() && sight.missing->nature == Nature::gone) die(*sight.missing);
}

void LinkLife::become_up(bool carrier) {
  verdict_.state = SensorState::up;
  misses_nothing();
  excused_ = !carrier;
}

/// Nothing that can be expected now: without carrier not even an address.
void LinkLife::misses_nothing() {
  verdict_.reason = nullptr;
  verdict_.detail.clear();
}

void LinkLife::die(const Reason& reason) {
  verdict_.state = SensorState::down;
  verdict_.reason = &reason;
  verdict_.detail = reason.words;
  excused_ = false;
}

}  // namespace sockmon
