// Reads the addresses of this machine for a thread that must not be held by the kernel, and that waits for no other thread of ours.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/sys.h"

namespace sockmon {

/// Used by one thread.
class AddressReader {
 public:
  explicit AddressReader(Sys& sys);

  /// Of all interfaces that run, but loopback, as "eth0 192.168.1.10/24". Each reading is done by a thread of its own, which may never come back.
  /// Throws Error ETIMEDOUT when it has not within this time, and at once while an earlier one has not yet.
  std::vector<std::string> read(std::chrono::milliseconds patience);

 private:
  struct Shared;
  static void* thread_main(void* argument);

  const std::shared_ptr<Shared> shared_;
};

}  // namespace sockmon
