#include <fcntl.h>

#include "base/error.h"
#include "base/fd_budget.h"
#include "base/unique_fd.h"
#include "base/wakeup.h"
#include "check.h"
#include "process/exit_cause.h"

#include <sys/resource.h>

namespace sockmon {
namespace {

bool is_open(int fd) { return fcntl(fd, F_GETFD) != -1; }

void unique_fd_closes_once() {
  const int raw = open("/dev/null", O_RDONLY | O_CLOEXEC);
  {
    UniqueFd first(raw);
    UniqueFd second(std::move(first));
    CHECK(!first && second.get() == raw);
    second = std::move(second);
    CHECK(second.get() == raw && is_open(raw));
    first = std::move(second);
    CHECK(is_open(raw));
  }
  CHECK(!is_open(raw));
}

void wakeup_is_seen_and_cleared() {
  Wakeup wakeup;
  wakeup.wake();
  wakeup.wake();
  pollfd poll{wakeup.fd(), POLLIN, 0};
  CHECK(::poll(&poll, 1, 0) == 1);
  wakeup.clear();
  wakeup.clear();
  CHECK(::poll(&poll, 1, 0) == 0);
}

void errors_have_names() {
  CHECK(errno_name(ENOENT) == "ENOENT");
  CHECK(errno_name(4711) == "errno 4711");
  CHECK(Error::from_errno(ENOBUFS, "x").code() == "ENOBUFS");
}

void wait_status_is_read() {
  CHECK(cause_of_status(0x300).kind == ExitCause::Kind::exit && cause_of_status(0x300).value == 3);
  CHECK(cause_of_status(0x0b).kind == ExitCause::Kind::signal && !cause_of_status(0x0b).core_dumped);
  CHECK(cause_of_status(0x8b).value == 11 && cause_of_status(0x8b).core_dumped);
  CHECK(!cause_of_status(0x137f).known());  // stopped, not ended
  CHECK(!cause_of_child(CLD_STOPPED, 19).known());
}

void last_descriptors_are_kept() {
  CHECK(!near_fd_limit(1));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 70;
  setrlimit(RLIMIT_NOFILE, &tight);
  CHECK(near_fd_limit(10));
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace

void test_basics() {
  unique_fd_closes_once();
  wakeup_is_seen_and_cleared();
  errors_have_names();
  wait_status_is_read();
  last_descriptors_are_kept();
}

}  // namespace sockmon
