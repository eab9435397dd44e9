// The sockets that serve what is wanted, from sock_diag or, where that is refused, from the tables in /proc/net.
#pragma once
#include <vector>

#include "base/sys.h"
#include "process/bound_socket.h"
#include "process/proc_fs.h"

namespace sockmon {

/// In the calling thread's network namespace.
std::vector<BoundSocket> find_listeners(Sys& sys, const ProcFs& proc, const ListenSpec& spec);
/// All of one kind that take what comes; of a port (0: of any).
std::vector<BoundSocket> sockets_of_kind(Sys& sys, const ProcFs& proc, ListenSpec::Kind kind, uint16_t port = 0);
/// All by TCP and UDP.
std::vector<BoundSocket> all_listeners(Sys& sys, const ProcFs& proc);
/// The UNIX sockets as well.
std::vector<BoundSocket> all_sockets(Sys& sys, const ProcFs& proc);

/// The same from the text of /proc/thread-self/net, which tells neither IPV6_V6ONLY nor which file a UNIX socket is.
std::vector<BoundSocket> read_net_tables(const ProcFs& proc, ListenSpec::Kind kind);

}  // namespace sockmon
