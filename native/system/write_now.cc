#include "system/write_now.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "base/sys.h"
#include "base/unique_fd.h"

namespace sockmon {
namespace {

/// Of its own, so that nobody else's is changed. Not for files, which would lose O_APPEND and their place.
UniqueFd reopened(int fd, mode_t mode) {
  if (!S_ISFIFO(mode) && !S_ISCHR(mode)) return UniqueFd();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return UniqueFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

ssize_t none_now(ssize_t result) { return result < 0 && errno == EAGAIN ? 0 : result; }

/// For a descriptor that would wait. With room for one piece a pipe takes PIPE_BUF bytes as a whole (pipe(7)); a terminal says so when it has
/// room for a byte.
ssize_t write_piece(int fd, mode_t mode, const char* data, size_t size) {
  if (S_ISSOCK(mode)) return none_now(retry_eintr([&] { return send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); }));
  pollfd ready{fd, POLLOUT, 0};
  if (retry_eintr([&] { return poll(&ready, 1, 0); }) <= 0) return 0;
  const size_t most = S_ISCHR(mode) ? 1 : PIPE_BUF;
  return none_now(retry_eintr([&] { return write(fd, data, std::min(size, most)); }));
}

}  // namespace

ssize_t write_now(int fd, const char* data, size_t size) {
  struct stat file {};
  if (fstat(fd, &file) != 0) return -1;
  const UniqueFd own = reopened(fd, file.st_mode);
  // open(2) of a pipe whose reader has gone.
  if (!own && S_ISFIFO(file.st_mode) && errno == ENXIO) return errno = EPIPE, -1;
  size_t taken = 0;
  while (taken < size) {
    const char* rest = data + taken;
    const size_t left = size - taken;
    const ssize_t piece = own ? none_now(retry_eintr([&] { return write(own.get(), rest, left); }))
                              : write_piece(fd, file.st_mode, rest, left);
    if (piece < 0 && taken == 0) return -1;
    if (piece <= 0) break;
    taken += static_cast<size_t>(piece);
  }
  return static_cast<ssize_t>(taken);
}

}  // namespace sockmon
