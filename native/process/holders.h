// Who has a listening socket open, and which of them serves it. Holding and serving are two things: an activator (PID 1, systemd --user,
// inetd) holds the socket as well, and starts a server when somebody connects.
#pragma once
#include <functional>
#include <vector>

#include "process/bound_socket.h"
#include "process/process_facts.h"

namespace sockmon {

struct Holder {
  ProcessFacts facts;
  /// Inode numbers of those sockets that it has open.
  std::vector<uint64_t> inodes;
  /// It was given a socket by an activator: as standard input (inetd), or by LISTEN_PID (sd_listen_fds(3)).
  bool is_activated = false;
};

/// Those of the processes that live and have one of the sockets open; the monitor itself is none.
std::vector<Holder> find_holders(const ProcFs& proc, const std::vector<BoundSocket>& sockets, const std::vector<pid_t>& pids);

/// Into `holders`, which must outlive it.
struct Roles {
  /// Masters that serve, the oldest first.
  std::vector<const Holder*> servers;
  std::vector<const Holder*> activators;
  /// Neither: another program than the one that is wanted has the socket.
  bool strangers = false;
};

/**
 * An activator is who is known to be one (systemd, inetd, xinetd, systemd-socket-activate, or `is_learned`), who holds the socket that
 * another one was activated with, or the parent of a server that is no fork of it where the parent is a script, or has not the name that
 * is wanted. A master that executes its workers with the socket (Postfix) is none; who watches one whose workers are scripts names it.
 * @param fits whether the words of a process are those that are wanted; `is_named` that something was asked for at all.
 */
Roles roles_of(const std::vector<Holder>& holders, bool is_named, const std::function<bool(const ProcessFacts&)>& fits,
               const std::function<bool(const Identity&)>& is_learned);

}  // namespace sockmon
