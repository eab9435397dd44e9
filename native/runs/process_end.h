// Waits for the end of a script's process: of our own child, or of one that an earlier monitor has started.
#pragma once
#include <functional>
#include <memory>

#include "base/reactor.h"
#include "process/exit_status.h"
#include "process/process_finder.h"

namespace sockmon {

class ProcessEnd {
 public:
  /// Called once; it may destroy the ProcessEnd.
  using Done = std::function<void(ExitCause)>;
  virtual ~ProcessEnd() = default;
};

/// Reaps it: waitid(2). Its cause is unknown only where somebody else in this process has reaped it.
std::unique_ptr<ProcessEnd> end_of_child(Reactor& reactor, pid_t pid, ProcessEnd::Done done);

/// Its parent, mostly PID 1, reaps it: the cause is known where the kernel keeps it (PIDFD_GET_INFO, Linux 6.15), or where it is looked at
/// while it is a zombie. Without a pidfd it is looked for by its number and start.
std::unique_ptr<ProcessEnd> end_of_adopted(Reactor& reactor, const ProcFs& proc, UniqueFd pidfd, Identity identity,
                                           ProcessEnd::Done done);

}  // namespace sockmon
