// sock_diag(7): which sockets take what comes, as the kernel has them. A query for a port takes some 20 us, whatever else is open.
#pragma once
#include <optional>
#include <vector>

#include "base/sys.h"
#include "process/bound_socket.h"

namespace sockmon {

/**
 * The listening TCP or unbound-to-a-peer UDP sockets of a port (0: of all), or the listening UNIX sockets, of the calling thread's network
 * namespace. Nothing, with errno, where the kernel refuses: EPERM, or ENOENT when it has no such module.
 */
std::optional<std::vector<BoundSocket>> diagnose_sockets(Sys& sys, ListenSpec::Kind kind, uint16_t port);

/// What an answer told. Believes no length without checking.
struct DiagBatch {
  /// The end of the answer was seen.
  bool done = false;
  /// errno of an NLMSG_ERROR, or EBADMSG for a message that is cut short; 0: none.
  int error = 0;
};
DiagBatch read_diag(const void* data, size_t size, uint32_t sequence, ListenSpec::Kind kind, std::vector<BoundSocket>& sockets);

}  // namespace sockmon
