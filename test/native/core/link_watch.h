// A judge of links, watched through one network after the other.
#pragma once
#include "link_net.h"
#include "sensors/named_link.h"
#include "sensors/uplink_judge.h"

namespace sockmon {

inline NamedLinkSpec named(bool carrier = false) {
  NamedLinkSpec spec;
  spec.interface = "eth0";
  spec.carrier = carrier;
  return spec;
}

inline UplinkSpec uplink(UplinkSpec::Families families = UplinkSpec::Families::automatic) {
  UplinkSpec spec;
  spec.towards4 = *parse_address("192.0.2.1");
  spec.towards6 = *parse_address("2001:db8::1");
  spec.families = families;
  return spec;
}

/// A judge with the life of what it means, as a sensor has them.
struct Watch {
  NetRouter router;
  std::unique_ptr<LinkJudge> judge;
  LinkLife life;

  explicit Watch(NamedLinkSpec spec) : judge(std::make_unique<NamedLinkJudge>(std::move(spec))) {}
  explicit Watch(UplinkSpec spec) : judge(std::make_unique<UplinkJudge>(std::move(spec), router)) {}

  const LinkVerdict& next(const Net& net) {
    router.net = net;
    return next(static_cast<NetworkStore>(net));
  }
  /// Of which the kernel is not asked.
  const LinkVerdict& next(const NetworkStore& network) {
    LinkSight sight = judge->look(network, life.is_up());
    if (sight.index != life.verdict().index) life.moves();
    return life.next(std::move(sight));
  }
  const LinkVerdict& verdict() const { return life.verdict(); }
};

inline bool down(const LinkVerdict& verdict, const Reason& reason) {
  return verdict.state == SensorState::down && verdict.reason == &reason;
}
inline bool up(const LinkVerdict& verdict) { return verdict.state == SensorState::up && !verdict.reason; }
inline bool waiting(const LinkVerdict& verdict, const Reason& reason) {
  return verdict.state == SensorState::up && verdict.reason == &reason;
}
inline bool absent(const LinkVerdict& verdict) { return verdict.state == SensorState::absent; }

}  // namespace sockmon
