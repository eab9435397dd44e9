#include "base/fd_budget.h"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/stat.h>

namespace sockmon {
namespace {

constexpr rlim_t kReserve = 64;

rlim_t count_open() {
  struct stat status {};
  // Linux 6.2 tells the number as the size of the directory.
  if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) return static_cast<rlim_t>(status.st_size);
  rlim_t count = 0;
  if (DIR* dir = opendir("/proc/self/fd")) {
    while (readdir(dir) != nullptr) count++;
    closedir(dir);
  }
  return count;
}

}  // namespace

bool near_fd_limit(int wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return false;
  return count_open() + static_cast<rlim_t>(wanted) + kReserve > limit.rlim_cur;
}

}  // namespace sockmon
