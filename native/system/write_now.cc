#include "system/write_now.h"

#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/sys.h"

namespace sockmon {
namespace {

/// 0: it would have to wait.
ssize_t write_piece(int fd, bool is_socket, const char* data, size_t size) {
  if (is_socket) {
    const ssize_t sent = retry_eintr([&] { return send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL); });
    return sent < 0 && errno == EAGAIN ? 0 : sent;
  }
  pollfd ready{fd, POLLOUT, 0};
  if (retry_eintr([&] { return poll(&ready, 1, 0); }) <= 0) return 0;
  // With room for one piece a pipe takes PIPE_BUF bytes as a whole (pipe(7)); a longer one would wait for the rest of its room.
  const ssize_t written = retry_eintr([&] { return write(fd, data, std::min<size_t>(size, PIPE_BUF)); });
  return written < 0 && errno == EAGAIN ? 0 : written;
}

}  // namespace

ssize_t write_now(int fd, const char* data, size_t size) {
  struct stat file {};
  if (fstat(fd, &file) != 0) return -1;
  size_t taken = 0;
  while (taken < size) {
    const ssize_t piece = write_piece(fd, S_ISSOCK(file.st_mode), data + taken, size - taken);
    if (piece < 0 && taken == 0) return -1;
    if (piece <= 0) break;
    taken += static_cast<size_t>(piece);
  }
  return static_cast<ssize_t>(taken);
}

}  // namespace sockmon
