// Waits until the kernel tells why a process ended: once its parent has reaped it, and perhaps never.
#pragma once
#include <functional>
#include <list>
#include <memory>

#include "base/reactor.h"
#include "process/exit_status.h"
#include "process/process_facts.h"

namespace sockmon {

class CauseWatch {
 public:
  /// `done` is called once, with an unknown cause after 5 s; it may destroy the watch.
  CauseWatch(Reactor& reactor, const ProcFs& proc, UniqueFd pidfd, Identity identity,
             std::function<void(ExitCause)> done);

 private:
  void on_pidfd(uint32_t events);
  void look(bool last);

  Reactor& reactor_;
  const ProcFs& proc_;
  const Identity identity_;
  std::function<void(ExitCause)> done_;
  int looks_ = 0;
  Timer timer_;
  std::unique_ptr<FdWatch> pidfd_;
};

/// The watches of one sensor.
class CauseWatches {
 public:
  using Done = std::function<void(ExitCause)>;
  CauseWatches(Reactor& reactor, const ProcFs& proc) : reactor_(reactor), proc_(proc) {}

  /// `done` may destroy all of them. Without a descriptor to spare the cause stays unknown.
  void add(UniqueFd pidfd, const Identity& identity, Done done);

 private:
  Reactor& reactor_;
  const ProcFs& proc_;
  std::list<std::unique_ptr<CauseWatch>> watches_;
};

}  // namespace sockmon
