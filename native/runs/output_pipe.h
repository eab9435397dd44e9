// The pipe that a script writes its output to.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "base/reactor.h"
#include "process/proc_fs.h"
#include "runs/output_tail.h"

namespace sockmon {

/// Reads until every writer has closed it and keeps the last bytes. A daemon that the script left behind may go on writing: it is read, so
/// that it does not block, and dropped.
class OutputPipe {
 public:
  /// `closed` is called once, at the end of the output; it may destroy the OutputPipe.
  OutputPipe(Reactor& reactor, UniqueFd fd, std::function<void()> closed);

  /// Reads what is there now, without waiting.
  void drain();
  bool open() const { return pipe_ != nullptr; }
  const OutputTail& tail() const { return tail_; }

 private:
  void on_output();

  std::function<void()> closed_;
  OutputTail tail_;
  std::unique_ptr<FdWatch> pipe_;
};

/// 0 when it is no pipe.
uint64_t pipe_inode(int fd);

/// The reading end of the pipe that a living process writes to, once more: by proc_pid_fd(5). Nothing where its stdout and stderr are
/// another pipe by now, which is somebody else's to read.
UniqueFd reopen_output(const ProcFs& proc, pid_t pid, uint64_t inode);

}  // namespace sockmon
