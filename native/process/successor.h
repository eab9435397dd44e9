// Who may take the place of a process that has ended. Pure: reads nothing.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "process/bound_socket.h"
#include "process/process_facts.h"

namespace sockmon {

/// Which writing of a pidfile was read; inode 0: none.
struct FileStamp {
  uint64_t inode = 0;
  int64_t modified_ns = 0;
  bool known() const { return inode != 0; }
  bool operator==(const FileStamp& other) const {
    return inode == other.inode && modified_ns == other.modified_ns;
  }
};

/// What is remembered of a watched process, for its successor is measured by it. Small, as there may be thousands: flags side by side.
struct Watched {
  Identity identity;
  Image image;
  Namespaces namespaces;
  /// It was in another namespace than ours when it was found: in a container, whose next start makes new ones.
  bool elsewhere = false;
  /// It is an activator itself, see below, and nobody serves now.
  bool idle = false;
  /// Hash of the executable's path; 0: unknown.
  size_t executable = 0;
  /// Effective user ids at first sight and since: it may have begun as root.
  std::optional<uid_t> first_user, last_user;
  /// Of the pidfile that named it.
  FileStamp pidfile;
  /// Which of the wanted sockets it holds.
  std::vector<BoundSocket> sockets;
  /// Holds these sockets as well, and starts a server when somebody connects: PID 1, inetd.
  std::optional<Identity> activator;
};
Watched remember(const ProcessFacts& facts, const Namespaces& own);

/// By what a process is said to be the successor.
enum class Claim {
  /// It has the name and the command line: no more than that.
  words,
  /// The pidfile names it.
  pidfile,
  /// It holds the socket that is wanted.
  socket,
};

/// One that has ended, and since which clock tick whoever is born was born after that.
struct Departed {
  Watched watched;
  uint64_t born_since_ticks = 0;
};
/// @param since_ms in ms of CLOCK_BOOTTIME: whoever is born later is not one that lived at its death.
Departed depart(const Watched& watched, double since_ms);
/// When it was born, in ms of CLOCK_BOOTTIME.
double born_ms(const Identity& identity);

/// A fork that has not executed a program since: true also long after the parent's end, when all orphans look alike.
bool is_fork_of(const ProcessFacts& facts, const Image& parent);

/// A child of the dead one that goes on with the socket it inherited: it may still serve, and is not the service.
bool is_worker_of(const ProcessFacts& candidate, const Watched& dead);

/**
 * Why it is not the successor, for people; nothing if it may be.
 * - By the words alone: it must be born after the death, of the same user (or root's), in the same namespaces, and no child of it.
 * - By the socket: a child that inherited it is a worker, unless it has executed the same program anew (an upgrade in flight).
 * - By the pidfile: what it says is believed, since the file has been judged.
 */
std::optional<std::string> objection(const ProcessFacts& candidate, const Departed& dead, Claim claim);

}  // namespace sockmon
