#include "runs/run_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>

#include "base/sys.h"
#include "base/unique_fd.h"

namespace sockmon {

int write_run_file(const std::string& path, const std::string& text, const RunFacts& facts) {
  const std::string line = std::to_string(facts.pid) + " " + std::to_string(facts.start_ticks) + " " +
                           std::to_string(std::llround(facts.started_ms)) + " " + std::to_string(facts.output_inode);
  const std::string all = text + "\n" + line + "\n";
  // Non-blocking: a FIFO in its place must not stop the monitor.
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd) return errno;
  // One write: what is on a tmpfs after a SIGKILL is the whole of it or nothing.
  const ssize_t written = retry_eintr([&] { return write(fd.get(), all.data(), all.size()); });
  if (written == static_cast<ssize_t>(all.size())) return 0;
  const int error = written == -1 ? errno : ENOSPC;
  // Half a text would be taken for a fault of somebody else.
  unlink(path.c_str());
  return error;
}

void remove_run_file(const std::string& path) {
  if (!path.empty()) unlink(path.c_str());
}

}  // namespace sockmon
