// Two pictures of a network compared: what the store believes, and what a dump says.
#pragma once
#include <cstdint>

#include "network/store.h"

namespace sockmon {

/// How many of each kind are in one of them only, or differ.
struct Differences {
  uint64_t links = 0, addresses = 0, routes = 0, rules = 0, nexthops = 0;

  uint64_t sum() const { return links + addresses + routes + rules + nexthops; }
  void add(const Differences& others);
  /// Bits of Change.
  unsigned what() const;
};

/**
 * Not compared is what the kernel does not tell either: IPv6 addresses before duplicate address detection has ended, or on links that are not
 * ready for it, and alternative names of links that are down. Nor routes of tables that no packet is routed by, since the dump does not ask for
 * those.
 */
Differences compare(const NetworkStore& kept, const NetworkStore& read);
/// Only of what was doubtful.
Differences compare(const NetworkStore& kept, const NetworkStore& read, const Doubts& doubts);

}  // namespace sockmon
