// Datagrams to a real socket, as the service manager has one.
#include "system/notify.h"

#include <sys/un.h>
#include <unistd.h>

#include <cstddef>

#include "base/unique_fd.h"
#include "check.h"

namespace sockmon {
namespace {

UniqueFd bound(const std::string& name) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, sizeof address.sun_path - 1);
  if (name[0] == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  CHECK(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
  return fd;
}

std::string received(const UniqueFd& fd) {
  char buffer[256];
  const ssize_t got = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return got < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(got));
}

void a_message_arrives_by_path_and_by_abstract_name() {
  FakeSys sys;
  const TempDir dir;
  for (const std::string& address : {dir.path() + "/notify", "@sockmon-test-" + std::to_string(getpid())}) {
    const UniqueFd manager = bound(address);
    CHECK(notify(sys, address, "READY=1\nSTATUS=a sentence"));
    CHECK(received(manager) == "READY=1\nSTATUS=a sentence");
    sys.on_sendto = failing(EINTR, 2);
    CHECK(notify(sys, address, "WATCHDOG=1"));
    CHECK(received(manager) == "WATCHDOG=1");
    sys.on_sendto = nullptr;
  }
}

void nobody_there_is_no_error_and_no_wait() {
  FakeSys sys;
  const TempDir dir;
  CHECK(!notify(sys, dir.path() + "/none", "READY=1"));
  for (const std::string& address : {std::string(), std::string("/"), std::string("vsock:2:1234"), std::string(200, '/')})
    CHECK(!notify(sys, address, "READY=1"));
  sys.on_socket = [](int) { return fail(EMFILE); };
  CHECK(!notify(sys, dir.path() + "/none", "READY=1"));
  sys.on_socket = nullptr;
  // A manager that does not read: the queue is full at some point, and nobody waits.
  const std::string full = dir.path() + "/full";
  const UniqueFd manager = bound(full);
  int sent = 0;
  while (notify(sys, full, "WATCHDOG=1")) CHECK(++sent < 1'000'000);
  CHECK(sent > 0 && received(manager) == "WATCHDOG=1");
}

}  // namespace

void test_notify() {
  a_message_arrives_by_path_and_by_abstract_name();
  nobody_there_is_no_error_and_no_wait();
}

}  // namespace sockmon
