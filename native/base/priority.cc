#include "base/priority.h"

#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace sockmon {
namespace {

/// struct sched_attr of Linux 3.14 (48 bytes); glibc 2.36 has neither it nor the call.
struct SchedAttr {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  /// For SCHED_OTHER the slice in nanoseconds, from Linux 6.12; ignored before.
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};
static_assert(sizeof(SchedAttr) == 48, "the kernel checks the size");

constexpr int kNice = -15;
constexpr uint64_t kShortestSliceNs = 100'000;

}  // namespace

void go_first() {
  SchedAttr attr{};
  attr.size = sizeof attr;
  attr.policy = SCHED_OTHER;
  attr.flags = SCHED_FLAG_RESET_ON_FORK;
  attr.nice = kNice;
  attr.runtime = kShortestSliceNs;
  syscall(SYS_sched_setattr, 0, &attr, 0);
}

}  // namespace sockmon
