// Which processes have executed a program or changed their name, told by the kernel's proc connector.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/unique_fd.h"

namespace sockmon {

/// One datagram of the connector. Believes no length without checking.
struct ExecEvent {
  /// Executed a program, or renamed its first thread; 0: something else.
  pid_t pid = 0;
  /// The answer to a request with this number, and its errno.
  std::optional<uint32_t> answers;
  uint32_t error = 0;
};
ExecEvent read_exec_event(const void* data, size_t size);

/**
 * A socket that hears of them as long as it is open. A filter in the kernel lets only those two kinds through, so that a storm of forks wakes
 * nobody. Has no effect on what it watches; each execve(2) of the machine costs the listener one datagram.
 */
class ExecEvents {
 public:
  /// Nothing where the kernel does not tell: it wants the first network, PID and user namespace, CONFIG_PROC_EVENTS and,
  /// before Linux 6.6, CAP_NET_ADMIN.
  static std::optional<ExecEvents> open();

  int fd() const { return fd_.get(); }
  /// Takes what has come. False if some were lost: then everything is to be looked at.
  bool take(std::vector<pid_t>& pids) const;

 private:
  explicit ExecEvents(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace sockmon
