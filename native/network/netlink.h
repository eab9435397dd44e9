// rtnetlink(7): reading messages, and dumping the state of a network namespace.
#pragma once
#include <cstddef>
#include <string>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "network/network_state.h"

namespace sockmon {

/// What a datagram of netlink messages amounted to.
struct Batch {
  /// NLMSG_DONE was seen: the end of a dump.
  bool done = false;
  /// The dump was not consistent (NLM_F_DUMP_INTR): take it again.
  bool interrupted = false;
  /// errno of an NLMSG_ERROR, or EBADMSG for a message that is cut short; 0 = none.
  int error = 0;
  /// It tells of a link, an address or a default route, or of something that cannot be judged.
  bool matters = false;
};

/// Adds what the messages tell to `state`. Believes no length without checking; `sequence` 0 takes every message.
Batch read_messages(const void* data, size_t size, uint32_t sequence, NetworkState& state);

/// Links, addresses and default routes, read anew on a socket of its own. Throws Error.
NetworkState dump_network(Sys& sys);

/// A socket that hears of changes: links, addresses, routes. Throws Error.
UniqueFd open_network_events(Sys& sys);

}  // namespace sockmon
