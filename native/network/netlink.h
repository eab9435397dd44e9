// rtnetlink(7): reading messages, asking for the state of a network namespace, and the socket of its changes.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "base/sys.h"
#include "base/unique_fd.h"
#include "network/store.h"

namespace sockmon {

using FactSink = std::function<void(Fact&&)>;

/// What a datagram of netlink messages amounted to.
struct Batch {
  /// NLMSG_DONE was seen: the end of a dump.
  bool done = false;
  /// The dump was not consistent (NLM_F_DUMP_INTR): take it again.
  bool interrupted = false;
  /// errno of an NLMSG_ERROR, or EBADMSG for a message that is cut short; 0 = none.
  int error = 0;
  /// A route to a destination that does not begin with 0.0.0.0 was among them: of an IPv4 table's dump nothing comes after it that leads to
  /// everywhere, but the upper half.
  bool past_zero = false;
};

/// Gives what the messages tell to `sink`. Believes no length without checking; `sequence` 0 takes every message.
Batch read_messages(const void* data, size_t size, uint32_t sequence, const FactSink& sink);

/// All that the store keeps, of the tables that packets may be routed by. Waits for the kernel's lock. Throws Error.
NetworkStore read_network(Sys& sys);

/// Links and addresses only. Waits for the kernel's lock. Throws Error.
NetworkStore read_addresses(Sys& sys);

/// Waits until changes that are under way in the kernel are over: what they have to tell is queued on the sockets of events then, and what
/// they do without a word has been done. Throws Error.
void wait_for_changes_under_way(Sys& sys);

/// Nothing but what is doubtful. Throws Error.
NetworkStore read_doubtful(Sys& sys, const Doubts& doubts);

/// A socket that hears of changes: links, addresses, default-like routes, rules, nexthop objects. Throws Error.
UniqueFd open_network_events(Sys& sys);

}  // namespace sockmon
