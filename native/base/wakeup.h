// Wakes an epoll thread from another thread, by eventfd(2).
#pragma once
#include <sys/eventfd.h>

#include <cstdint>

#include "base/error.h"
#include "base/unique_fd.h"

namespace sockmon {

class Wakeup {
 public:
  Wakeup() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) throw Error::from_errno(errno, "Cannot create an eventfd");
  }
  int fd() const { return fd_.get(); }

  /// Never blocks; a full counter has a wake-up pending anyway.
  void wake() const {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof one);
  }
  void clear() const {
    uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(fd_.get(), &count, sizeof count);
  }

 private:
  UniqueFd fd_;
};

}  // namespace sockmon
