// Interfaces, addresses and default routes of a network namespace, as a dump of rtnetlink(7) told them.
#pragma once
#include <net/if.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sockmon {

struct Interface {
  int index = 0;
  std::string name;
  unsigned flags = 0;

  bool up() const { return (flags & IFF_UP) != 0; }
  bool carrier() const { return (flags & kLowerUp) != 0; }

  /// IFF_LOWER_UP of <linux/if.h>, which cannot be included beside <net/if.h>.
  static constexpr unsigned kLowerUp = 1U << 16;
};

/// A usable address of global scope.
struct Address {
  int interface = 0;
  int family = AF_INET;
  /// "10.0.2.100/24"
  std::string text;
};

/// A unicast default route of the main table.
struct DefaultRoute {
  int interface = 0;
  int family = AF_INET;
  uint32_t metric = 0;
};

struct NetworkState {
  std::vector<Interface> interfaces;
  std::vector<Address> addresses;
  /// Best first: IPv4 before IPv6, then by metric.
  std::vector<DefaultRoute> routes;

  const Interface* find(const std::string& name) const;
  const Interface* find(int index) const;
  bool has_address(int index, int family) const;
  bool has_route(int index, int family) const;
  std::vector<std::string> addresses_of(int index) const;
};

}  // namespace sockmon
