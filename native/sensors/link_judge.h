// Which link a sensor means, and what it misses: an interface by its name, or what carries the traffic. Pure, but for the kernel's answers.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "network/link_hub.h"
#include "sensors/link_life.h"

namespace sockmon {

class LinkJudge {
 public:
  virtual ~LinkJudge() = default;
  /// `is_alive`: as it was seen last. Who lives is followed by its index, whatever it is called by now. Throws Error.
  virtual LinkSight look(const NetworkStore& network, bool is_alive) = 0;
  /// Whether these changes may make a difference.
  virtual bool depends_on(const NetworkStore& network, const NetworkChanges& changes, const LinkVerdict& verdict) const = 0;
  /// Whether the kernel is asked, which may be ahead of its messages or behind them.
  virtual bool asks_kernel() const { return false; }
  /// Whether another link may take over what this one carries.
  virtual bool may_move(const NetworkStore& network, int from) const = 0;
  /// Those that may, by name.
  virtual std::vector<std::string> standby(const NetworkStore& network, int beside) const = 0;
  /// "IPv4", "IPv6": those that carry, where the loss of one is no death and is told. Nothing where nobody wants to know. Throws Error.
  virtual std::optional<std::vector<std::string>> families(const NetworkStore& network) { return (void)network, std::nullopt; }
};

/// What is seen of a link, before anything is asked of its addresses and routes.
LinkSight sight_of(const NetworkStore& network, int index, const std::string& name);

/**
 * What is dead below a link that is up and has no carrier; null: nothing. A tun or tap whose process has gone, which is all that is told of it where
 * the device stays, or what stands on nothing but such (kStackGone); and what stands on a NIC that has been taken down (kLowerDown).
 */
const Reason* lost_below(const NetworkStore& network, const Link& link);

/// An address that is not what a client has given itself where nobody answers (169.254.0.0/16 of RFC 3927, also with global scope; fe80::/10).
bool is_given(const IpAddress& address);
/// A usable one of this family that is given.
bool has_given_address(const NetworkStore& network, int link, int family);

}  // namespace sockmon
