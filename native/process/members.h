// The processes that one sensor watches: mostly one.
#pragma once
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/reactor.h"
#include "process/process_finder.h"

namespace sockmon {

struct Member {
  Watched watched;
  /// Fires when it has ended.
  std::unique_ptr<FdWatch> pidfd;
};

/// What came of an attempt to watch a process.
struct Adoption {
  bool done = false;
  /// Why not, for people.
  std::string why;
  /// An errno name where the kernel refuses, with words; empty otherwise.
  std::string fault, fault_detail;
};

class Members {
 public:
  /// Gets a copy, as the member will be taken.
  using OnEnd = std::function<void(Identity)>;
  Members(Reactor& reactor, const ProcessFinder& finder, OnEnd on_end);

  /// Watches it by pidfd_open(2), if it is still the one that was found.
  Adoption adopt(const Found& found);
  /// Gives up a member; nothing if it is none.
  std::optional<Member> take(const Identity& identity);

  bool empty() const { return list_.empty(); }
  const std::list<Member>& all() const { return list_; }
  /// The first that serves, and is no mere activator; null if there is none.
  const Member* server() const;
  /// The first activator that waits for somebody to connect; null if there is none.
  const Member* idle() const;
  /// Who has an address that the one found has; null if nobody has.
  const Member* overlapping(const Found& found) const;
  /// The first whose pidfd has fired, or whose threads are all inside do_exit(); null if there is none.
  const Member* ended(Sys& sys, const ProcFs& proc) const;
  std::vector<Identity> servers() const;

  /// What a new look says about a known one; false if it is not known.
  bool renew(const Found& found);
  /// Who they are now may not be who they were at first sight.
  void renew_origin(const ProcFs& proc);

  /// What stands behind "pid N": nothing for a single server.
  std::string words(const ProcFs& proc) const;

 private:
  Reactor& reactor_;
  const ProcessFinder& finder_;
  const OnEnd on_end_;
  std::list<Member> list_;
};

}  // namespace sockmon
