// Real pipes, sockets and a pseudo-terminal that nobody reads.
#include "system/write_now.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/unique_fd.h"
#include "check.h"

namespace sockmon {
namespace {

struct Ends {
  UniqueFd reader, writer;
};

Ends a_pipe() {
  int fds[2];
  CHECK(pipe2(fds, O_CLOEXEC) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends a_socket() {
  int fds[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Ends a_terminal() {
  int master, slave;
  CHECK(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
  termios raw{};
  CHECK(tcgetattr(slave, &raw) == 0);
  cfmakeraw(&raw);
  CHECK(tcsetattr(slave, TCSANOW, &raw) == 0);
  return {UniqueFd(master), UniqueFd(slave)};
}

/// A blocking write would never come back here: the test would hang.
void what_nobody_reads_is_taken_up_to_a_limit(const Ends& ends) {
  const int flags = fcntl(ends.writer.get(), F_GETFL);
  const std::string text(3'000'000, 'x');
  const ssize_t taken = write_now(ends.writer.get(), text.data(), text.size());
  CHECK(taken > 1000 && taken < 3'000'000);
  size_t more = 0;
  // Another process may take a moment to move on what a terminal holds.
  for (ssize_t got; (got = write_now(ends.writer.get(), text.data(), text.size())) != 0; more += static_cast<size_t>(got)) CHECK(got > 0);
  std::string buffer(1'000'000, '\0');
  size_t read_all = 0;
  while (read_all < static_cast<size_t>(taken) + more) {
    const ssize_t got = read(ends.reader.get(), buffer.data(), buffer.size());
    CHECK(got > 0);
    read_all += static_cast<size_t>(got);
  }
  CHECK(write_now(ends.writer.get(), "y", 1) == 1);
  CHECK(read(ends.reader.get(), buffer.data(), buffer.size()) == 1 && buffer[0] == 'y');
  // Others share it.
  CHECK(fcntl(ends.writer.get(), F_GETFL) == flags);
}

void who_has_gone_is_told(Ends ends) {
  ends.reader.reset();
  errno = 0;
  CHECK(write_now(ends.writer.get(), "x", 1) == -1 && errno == EPIPE);
}

void a_file_takes_all() {
  const TempDir dir;
  const std::string path = dir.write("log", "");
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text(100'000, 'x');
  CHECK(write_now(file.get(), text.data(), text.size()) == 100'000);
  CHECK(write_now(-1, "x", 1) == -1 && errno == EBADF);
}

}  // namespace

void test_write_now() {
  // As Node has it.
  signal(SIGPIPE, SIG_IGN);
  what_nobody_reads_is_taken_up_to_a_limit(a_pipe());
  what_nobody_reads_is_taken_up_to_a_limit(a_socket());
  what_nobody_reads_is_taken_up_to_a_limit(a_terminal());
  who_has_gone_is_told(a_pipe());
  who_has_gone_is_told(a_socket());
  a_file_takes_all();
  signal(SIGPIPE, SIG_DFL);
}

}  // namespace sockmon
